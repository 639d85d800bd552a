"""Near-duplicates: of clips that show the same, filmed once and encoded twice, only the best stays.

They are found by the perceptual hashes of a few frames. A mirrored copy, one with another crop, or one cut at another
place looks different to them and is not found.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.config import NearDuplicates
from ops.curation.rules.decisions import VERDICT, still_in, with_failures, with_rejections
from ops.curation.rules.near_hashes import leaders
from ops.curation.rules.reasons import Reason
from ops.curation.scored_step import CLIP, raw_scores
from ops.curation.scorers import as_column, identity
from ops.curation.scorers.phash import from_text
from ops.curation.tables import MOTION_RECHECK, NEAR_DUPLICATES
from ops.data import tables
from ops.runtime.parallel import Failure
from ops.runtime.project import Project

STEP = "near_duplicates"
Hashes = list[str]


def near_duplicates(project: Project) -> None:
    """Write `near_duplicates`: the hashes of every clip still in, and which of them repeat another."""
    source, curation = project.table("motion_recheck"), project.settings.curation
    table = tables.read_columns(source, [*CLIP, *VERDICT])
    if curation.near_duplicates.enabled:
        table = _hashed(table, raw_scores(project, STEP, table, still_in(table)), as_column(identity(STEP, curation)))
        new = _without_repeats(table, curation.near_duplicates)
    else:
        new = pa.table({name: pa.nulls(len(table), NEAR_DUPLICATES.field(name).type) for name in _ADDED})
        new = pa.table([*table.select(VERDICT).columns, *new.columns], names=[*VERDICT, *_ADDED])
    tables.rewrite(project.table(STEP), source, new.select([*VERDICT, *_ADDED]), NEAR_DUPLICATES)


_ADDED = [name for name in NEAR_DUPLICATES.names if name not in MOTION_RECHECK.names]


def _hashed(table: pa.Table, found: dict[int, Hashes | Failure], scorer: str) -> pa.Table:
    """The table with these hashes; a row that could not be hashed is rejected."""
    failures = {row: value for row, value in found.items() if isinstance(value, Failure)}
    column: list[Hashes | None] = [None] * len(table)
    for row, value in found.items():
        column[row] = None if isinstance(value, Failure) else value
    hashes = pa.array(column, pa.list_(pa.string()))
    made_by = pc.if_else(pc.is_valid(hashes), pa.scalar(scorer), pa.scalar(None, pa.string()))
    table = table.append_column("perceptual_hash", hashes).append_column("near_duplicates_scorer", made_by)
    return with_failures(table, STEP, failures)


def _without_repeats(table: pa.Table, rule: NearDuplicates) -> pa.Table:
    """Every clip near a better one is rejected, and points to it in `duplicate_of`."""
    places = np.flatnonzero(still_in(table))
    left = table.take(pa.array(places))
    ids, paths, (width, height) = left["clip_id"], left["path"], _size(left)
    better = originals(left, rule)
    pointers: list[str | None] = [None] * len(table)
    told = {}
    for row in np.flatnonzero(better != np.arange(len(left))):
        original = int(better[row])
        pointers[places[row]] = name = ids[original].as_py()
        size = f"{width[original]}x{height[original]}"
        told[int(places[row])] = f"shows the same as clip {name} of {paths[original]}, which has {size} pixels"
    table = table.append_column("duplicate_of", pa.array(pointers, pa.string()))
    return with_rejections(table, STEP, Reason.NEAR_DUPLICATE, told)


def originals(table: pa.Table, rule: NearDuplicates) -> np.ndarray:
    """For each row the number of the better row that it repeats, which itself repeats none; its own if there is none.

    Every row must have hashes. The order of the rows makes no difference: the highest resolution inside the crop comes
    first, then the longest clip, then the first by id.
    """
    width, height = _size(table)
    seconds = pc.divide(pc.subtract(table["end_frame"], table["start_frame"]), table["fps"]).to_numpy()
    order = np.lexsort((np.array(table["clip_id"].to_pylist(), dtype=str), -seconds, -width * height))
    found = np.empty(len(table), dtype=int)
    found[order] = order[leaders(from_text(table["perceptual_hash"].to_pylist())[order], rule.max_distance)]
    return found


def _size(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Width and height of what is used of the frames, each int64 [rows]."""
    width, height = table["width"].to_numpy().copy(), table["height"].to_numpy().copy()
    cropped = pc.is_valid(table["crop"]).to_numpy()
    x0, x1, y0, y1 = np.array(table["crop"].drop_null().to_pylist(), dtype=int).reshape(-1, 4).T
    width[cropped], height[cropped] = x1 - x0, y1 - y0
    return width, height
