"""Getting a step's scores: from the store where they are, from one pass over each source where they are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ops.curation.clip import Clip
from ops.curation.decoding.frames import SeekPoint
from ops.curation.decoding.source_decoding import SourceTask
from ops.curation.measuring.attempts import Task, attempt, demand_few_parked
from ops.curation.measuring.ledger import Work
from ops.curation.measuring.one_pass import score_source
from ops.curation.measuring.scores import Score, ScoreStore, identity_digest
from ops.curation.measuring.worker_size import worker_size
from ops.curation.scorers import MEASURED_BY, STEPS, demand_weights, identity, steps_from
from ops.curation.sources.listing import file_of
from ops.curation.sources.seen_files import REPLACED, SeenFiles
from ops.runtime import tables
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

OF_SLICES = ("shot_boundaries", "shots")
"""The steps whose scores are series of whole slices."""
CLIPS_PER_TASK = 32
"""What is lost at most when a run is killed in the middle of a long source."""


def scores_of(project: Project, step: str, rows: Sequence[Row], inputs: int) -> dict[str, Any]:
    """{clip_id: raw score, or why it is parked} of this step for every row given. `inputs` is how many clips the step
    has in all, those included whose scores the caller has read already.

    Raises:
        MissingWeights: something has to be measured, and a scorer of this or a later step cannot run here.
        TooManyParked: measuring failed for a larger share of the inputs than the recipe allows.
    """
    curation = project.settings.curation
    steps = steps_from(step, curation)
    with ScoreStore.of(project) as store:
        for later in steps:
            store.remember(later, identity(later, curation))
        by_clip = {row["clip_id"]: row for row in rows}
        known = store.values(step, identity(step, curation), by_clip)
        missing = [clip_id for clip_id in by_clip if clip_id not in known]
        if missing:
            demand_weights(project, curation, steps)
        plan = _Plan(project, step, [by_clip[clip_id] for clip_id in missing], store)
        work = Work.of(step, store.remember(step, identity(step, curation)), curation)
        progress = Progress.of(project, MEASURED_BY.get(step, step), len(missing), "clips")
        size = worker_size(curation, steps)
        parked = attempt(score_source, missing, plan, plan.checked, store, work, curation, progress, size)
        demand_few_parked(step, len(parked), inputs, curation)
        return {**known, **store.values(step, identity(step, curation), missing), **parked}


class _Plan:
    """Neighbouring clips of a source go together, so that one pass decodes them.

    What is known of other steps goes with them. The series of slices, which are most of the store, do so only where
    slices are measured that have one of two, for whatever comes later does not ask for them.
    """

    def __init__(self, project: Project, step: str, rows: Sequence[Row], store: ScoreStore) -> None:
        self._project, self._step, self._store = project, step, store
        self._rows = {row["clip_id"]: row for row in rows}
        self._files = SeenFiles(project, "raw_videos")
        self._seek_points = seek_points(project, {row["sha256"] for row in rows})
        curation = project.settings.curation
        asked_for = STEPS if step in OF_SLICES else [each for each in STEPS if each not in OF_SLICES]
        self._asked_for = [identity_digest(each, identity(each, curation)) for each in asked_for]

    def __call__(self, subjects: Sequence[str], alone: bool) -> list[Task[SourceTask]]:
        by_source: dict[str, list[Row]] = defaultdict(list)
        for clip_id in subjects:
            by_source[self._rows[clip_id]["sha256"]].append(self._rows[clip_id])
        known = self._store.of_sources(by_source, self._asked_for)
        together = 1 if alone else CLIPS_PER_TASK
        tasks = []
        for sha256, rows in by_source.items():
            rows.sort(key=lambda row: (row["start_frame"], row["end_frame"]))
            parts = (rows[start : start + together] for start in range(0, len(rows), together))
            tasks += [self._task(part, known[sha256]) for part in parts]
        return tasks

    def checked(self, task: Task[SourceTask], result: list[Score]) -> list[Score] | Failure:
        """They are kept under the content that `raw_videos` saw, for good: so the file must have had it until now."""
        row = self._rows[task.subjects[0]]
        return result if self._files.holds(row["root"], row["path"], row["sha256"]) else REPLACED

    def _task(self, rows: Sequence[Row], known: dict[str, Any]) -> Task[SourceTask]:
        first, project = rows[0], self._project
        clips = tuple(Clip.of(row) for row in rows)
        file = file_of(project, first["root"], first["path"])
        points = self._seek_points[first["sha256"]]
        item = SourceTask(project, project.settings.curation, self._step, file, clips, known, points)
        return Task(item, first["sha256"], first["path"], tuple(row["clip_id"] for row in rows))


def seek_points(project: Project, sources: Collection[str]) -> dict[str, tuple[SeekPoint, ...]]:
    """{sha256: where decoding of this source can begin}, from the table of sources."""
    if not sources:
        return {}
    table = tables.read_columns(project.table("raw_videos"), ["sha256", "seek_points"])
    rows = table.filter(pc.is_in(table["sha256"], pa.array(list(sources))))
    pairs = zip(rows["sha256"].to_pylist(), rows["seek_points"].to_pylist(), strict=True)
    found = {sha256: tuple(SeekPoint(*point) for point in points or ()) for sha256, points in pairs}
    return {sha256: found.get(sha256, ()) for sha256 in sources}
