"""Near-duplicates: of clips that show the same, filmed once and encoded twice, only the best stays.

They are found by the perceptual hashes of a few frames. A mirrored copy, one with another crop, or one cut at another
place looks different to them and is not found.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue import CurationStep
from ops.config import NearDuplicates
from ops.curation.measuring.scoring import CLIPS, measured
from ops.curation.rules import repeats
from ops.curation.rules.decisions import VERDICT, joined, still_in, with_failures
from ops.curation.rules.repeats import STEP, with_hashes, without_repeats
from ops.curation.runs.funnel import lengths
from ops.curation.scorers import as_column, identity
from ops.curation.steps.scored_step import clips_before, finish, pass_on
from ops.runtime.project import Project

COMPARED = (
    *("clip_id", "path", "start_frame", "end_frame", "fps", "seconds", "width", "height", "crop", "perceptual_hash"),
)
"""What tells which of two clips is the better one, and whether they show the same."""


def near_duplicates(project: Project, step: CurationStep) -> None:
    """Write `near_duplicates`: the hashes of every clip still in, and which of them repeat another."""
    rule = project.settings.curation.near_duplicates
    if not rule.enabled:
        pass_on(project, step)
        return
    table = clips_before(project, step)
    found, failures = measured(project, CLIPS, STEP, table, still_in(table))
    table = with_hashes(table, found.lists(len(table)), as_column(identity(STEP, project.settings.curation)))
    table = with_failures(table, STEP, failures)
    new = without_duplicates(table, rule)
    finish(project, step, new.select([*VERDICT, *(column.name for column in step.columns)]))


def without_duplicates(table: pa.Table, rule: NearDuplicates) -> pa.Table:
    """The table, which has the hashes of what is still in, without clips that repeat a better one."""
    return without_repeats(table, lambda left: originals(left, rule), "clip_id", _described, COMPARED)


def originals(table: pa.Table, rule: NearDuplicates) -> np.ndarray:
    """For each clip the number of the better one that it repeats, which itself repeats none; its own if there is none.

    Every clip must have hashes. The order of the rows makes no difference: the highest resolution inside the crop comes
    first, then the longest clip, then the first by id.
    """
    width, height = _size(table)
    best_first = np.lexsort((repeats.as_bytes(table["clip_id"]), -lengths(table), -width * height))
    return repeats.originals(table, best_first, rule.max_distance)


def _described(table: pa.Table, row: int) -> str:
    width, height = _size(table.slice(row, 1))
    clip = f"clip {table['clip_id'][row]} of {table['path'][row]}"
    return f"{clip}, which has {width[0]}x{height[0]} pixels"


def _size(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of what is used of the frames, each int64 [rows]."""
    width, height = table["width"].to_numpy().copy(), table["height"].to_numpy().copy()
    cropped = pc.is_valid(table["crop"]).to_numpy()
    x0, x1, y0, y1 = joined(table["crop"].drop_null()).flatten().to_numpy().astype(int).reshape(-1, 4).T
    width[cropped], height[cropped] = x1 - x0, y1 - y0
    return width, height
