"""Jump cuts: every slice falls apart where its LPIPS series jumps; pieces of the wrong length are out."""

from __future__ import annotations

from typing import Any

from ops.config import Curation
from ops.curation.clip import Clip, sampled_frames
from ops.curation.measuring.scoring import scores_of
from ops.curation.rules.jump_cuts import length_reason
from ops.curation.rules.verdicts import judged
from ops.curation.rules.walk import SliceSeries, pieces_of
from ops.curation.scorers import as_column, identity
from ops.curation.tables import SHOTS
from ops.runtime import tables
from ops.runtime.parallel import Failure
from ops.runtime.project import Project
from ops.runtime.tables import Row, kept


def shots(project: Project) -> None:
    """Write `shots`: the pieces of every slice, with the slice's series of distances."""
    curation = project.settings.curation
    slices = tables.read(project.table("clips"))
    inputs = kept(slices)
    scores = scores_of(project, "shots", inputs, len(inputs))
    rows: list[Row] = []
    for row in slices:
        rows += _pieces(row, scores[row["clip_id"]], curation) if row["clip_id"] in scores else [row]
    tables.write(project.table("shots"), rows, SHOTS)


def _pieces(row: Row, series: SliceSeries | Failure, curation: Curation) -> list[Row]:
    if isinstance(series, Failure):
        return [judged(row, "shots", series, parent=row["clip_id"])]
    whole = Clip.of(row)
    columns: dict[str, Any] = {
        "parent": row["clip_id"],
        "sampled_frames": sampled_frames(whole, curation.sampling.frames_per_second),
        "cut_distances": series["distances"],
        "shots_scorer": as_column(identity("shots", curation)),
    }
    return [
        judged(
            row,
            "shots",
            length_reason(piece.end - piece.start, piece.fps, curation.shots, piece.times),
            **columns,
            **piece.columns(),
        )
        for piece in pieces_of(whole, series, curation)
    ]
