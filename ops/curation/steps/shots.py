"""Cuts: every slice falls apart where its LPIPS series jumps and, if the recipe asks a network, where that says that a
shot ends. Pieces of the wrong length are out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ops.catalogue import CurationStep
from ops.config import Curation
from ops.curation.clip import Clip, sampled_frames
from ops.curation.measuring.scoring import scores_of
from ops.curation.rules.jump_cuts import length_reason
from ops.curation.rules.verdicts import judged
from ops.curation.rules.walk import SliceSeries, cut_probabilities, pieces_of
from ops.curation.scorers import as_column, identity, is_on
from ops.runtime import tables
from ops.runtime.parallel import Failure
from ops.runtime.project import Project
from ops.runtime.tables import Row, kept


def shots(project: Project, step: CurationStep) -> None:
    """Write `shots`: the pieces of every slice, with the slice's series of distances."""
    curation = project.settings.curation
    slices = tables.read(project.table(step.input))
    scores = _scores(project, kept(slices))
    rows: list[Row] = []
    for row in slices:
        rows += _pieces(row, scores[row["clip_id"]], curation) if row["clip_id"] in scores else [row]
    tables.write(project.table(step.name), rows, step.table.schema)


def _scores(project: Project, inputs: Sequence[Row]) -> dict[str, SliceSeries | Failure]:
    """{clip_id: all that says where the slice is cut, or why that cannot be known}."""
    if not is_on("shot_boundaries", project.settings.curation):
        return scores_of(project, "shots", inputs, len(inputs))
    boundaries = scores_of(project, "shot_boundaries", inputs, len(inputs))
    failures = {clip_id: found for clip_id, found in boundaries.items() if isinstance(found, Failure)}
    left = [row for row in inputs if row["clip_id"] not in failures]
    series = scores_of(project, "shots", left, len(inputs))
    both: dict[str, SliceSeries | Failure] = {
        clip_id: found
        if isinstance(found, Failure)
        else cast(SliceSeries, {**found, "boundaries": boundaries[clip_id]})
        for clip_id, found in series.items()
    }
    return both | failures


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
    if "boundaries" in series:
        columns["cut_probabilities"] = cut_probabilities(whole, columns["sampled_frames"], series["boundaries"])
        columns["shot_boundaries_scorer"] = as_column(identity("shot_boundaries", curation))
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
