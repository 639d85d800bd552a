"""Near-duplicates among still pictures: of those that show the same only the largest stays."""

from __future__ import annotations

from collections.abc import Sequence

from ops.config import NearDuplicates
from ops.curation.rules.near_hashes import leaders
from ops.curation.rules.reasons import Reason, Rejection
from ops.curation.rules.verdicts import judged
from ops.curation.scorers.phash import from_text
from ops.data.tables import Row

STEP = "near_duplicates"


def without_repeats(rows: Sequence[Row], rule: NearDuplicates) -> list[Row]:
    """The rows, in their order; of those still in, each near a better one is rejected and points to it in
    `duplicate_of`. The most pixels come first, then the first by `source_id`: the order of rows makes no difference."""
    left = sorted((row for row in rows if row["rejected_by"] is None), key=_best_first)
    leader = leaders(from_text([row["perceptual_hash"] for row in left]), rule.max_distance)
    original = {left[place]["source_id"]: left[first] for place, first in enumerate(leader) if place != first}
    return [_repeating(row, original[row["source_id"]]) if row["source_id"] in original else row for row in rows]


def _best_first(row: Row) -> tuple[int, str]:
    return -row["width"] * row["height"], row["source_id"]


def _repeating(row: Row, original: Row) -> Row:
    told = f"shows the same as {original['path']}, which has {original['width']}x{original['height']} pixels"
    return judged(row, STEP, Rejection(Reason.NEAR_DUPLICATE, told), duplicate_of=original["source_id"])
