"""Cuts: every slice falls apart where its LPIPS series jumps and, if the recipe asks a network, where that says that a
shot ends. Pieces of the wrong length are out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue import CurationStep
from ops.config import Curation
from ops.curation.clip import Clip, sampled_frames
from ops.curation.measuring.scores import ScoreStore
from ops.curation.measuring.scoring import CLIP, CLIPS, OF_SLICES, measure_missing
from ops.curation.rules.decisions import still_in
from ops.curation.rules.jump_cuts import length_reason
from ops.curation.rules.verdicts import judged
from ops.curation.rules.walk import SliceSeries, cut_probabilities, pieces_of
from ops.curation.scorers import as_column, identity, is_on
from ops.runtime import tables
from ops.runtime.parallel import Failure
from ops.runtime.project import Project
from ops.runtime.tables import Row


def shots(project: Project, step: CurationStep) -> None:
    """Write `shots`: the pieces of every slice, with the slice's series of distances."""
    source, schema = project.table(step.input), step.table.schema
    parked = _measured(project, source)
    with ScoreStore.of(project) as store:
        series = _Series(project.settings.curation, store, parked)
        parts = tables.parts(source, rows=tables.BATCH)
        cut = (tables.of_rows(_rows(part.to_pylist(), series), schema) for part in parts)
        tables.write_parts(project.table(step.name), cut, schema)


def _measured(project: Project, source: Path) -> dict[str, Failure]:
    """See that all that is still in has been measured; by clip_id why some could not be."""
    table = tables.read_columns(source, [*CLIP, "rejected_by"])
    left, parked = still_in(table), dict[str, Failure]()
    inputs = int(left.sum())
    for measure in _measures(project.settings.curation):
        parked |= measure_missing(project, CLIPS, measure, table, left, inputs)
        left &= ~pc.is_in(table["clip_id"], value_set=pa.array(list(parked), pa.string())).to_numpy()
    return parked


def _measures(curation: Curation) -> tuple[str, ...]:
    """The steps whose scores say where a slice is cut."""
    return OF_SLICES if is_on("shot_boundaries", curation) else ("shots",)


class _Series:
    """All that says where slices are cut, read from the store when they come up."""

    def __init__(self, curation: Curation, store: ScoreStore, parked: Mapping[str, Failure]) -> None:
        self.curation, self._store, self._parked = curation, store, parked

    def of(self, clip_ids: Sequence[str]) -> dict[str, SliceSeries | Failure]:
        """{clip_id: its series, or why it has none}"""
        found: dict[str, SliceSeries | Failure]
        found = {name: self._parked[name] for name in clip_ids if name in self._parked}
        wanted = [name for name in clip_ids if name not in found]
        values = {
            measure: self._store.values(measure, identity(measure, self.curation), wanted)
            for measure in _measures(self.curation)
        }
        for name in wanted:
            series: SliceSeries = values["shots"][name]
            if "shot_boundaries" in values:
                series = {**series, "boundaries": values["shot_boundaries"][name]}
            found[name] = series
        return found


def _rows(slices: Sequence[Row], series: _Series) -> Iterator[Row]:
    found = series.of([row["clip_id"] for row in slices if row["rejected_by"] is None])
    for row in slices:
        if row["clip_id"] in found:
            yield from _pieces(row, found[row["clip_id"]], series.curation)
        else:
            yield row


def _pieces(row: Row, series: SliceSeries | Failure, curation: Curation) -> list[Row]:
    if isinstance(series, Failure):
        return [judged(row, "shots", series, parent=row["clip_id"])]
    whole = Clip.of(row)
    sampled = sampled_frames(whole, curation.sampling.frames_per_second)
    columns: dict[str, object] = {
        "parent": row["clip_id"],
        "sampled_frames": sampled,
        "cut_distances": series["distances"],
        "shots_scorer": as_column(identity("shots", curation)),
    }
    if "boundaries" in series:
        columns["cut_probabilities"] = cut_probabilities(whole, sampled, series["boundaries"])
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
