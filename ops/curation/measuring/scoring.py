"""Getting a step's scores, of clips as of pictures: from the store where they are, from one pass over each source where
they are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ops.catalogue import Kind
from ops.curation.clip import Clip
from ops.curation.decoding.frames import SeekPoint
from ops.curation.decoding.source_decoding import SourceTask
from ops.curation.measuring.attempts import Task, attempt, demand_few_parked
from ops.curation.measuring.ledger import Work
from ops.curation.measuring.one_pass import Picture, PictureTask, score_picture, score_source
from ops.curation.measuring.scores import Score, ScoreStore, identity_digest
from ops.curation.measuring.stored import Stored, stored
from ops.curation.measuring.worker_size import worker_size
from ops.curation.rules.image_rules import steps_of
from ops.curation.scorers import MEASURED_BY, STEPS, demand_weights, identity, steps_from
from ops.curation.sources.listing import file_of
from ops.curation.sources.seen_files import REPLACED, SeenFiles
from ops.runtime.lookup import Lookup
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

OF_SLICES = ("shot_boundaries", "shots")
"""The steps whose scores are series of whole slices."""
CLIPS_PER_TASK = 32
"""What is lost at most when a run is killed in the middle of a long source."""
CLIP = (
    *("clip_id", "root", "path", "sha256", "start_frame", "end_frame", "crop", "fps", "seconds", "frame_times"),
    *("width", "height"),
)
"""The columns by which a clip is found and measured."""
PICTURE = ("root", "path", "sha256", "collection")
"""The same of a picture."""

Item = TypeVar("Item")


class Pass(Protocol[Item]):
    """A plan for measuring what is missing of some subjects at a step, and at those that follow it."""

    @property
    def ledger_step(self) -> str:
        """By which the ledger knows the work."""

    @property
    def made_by(self) -> object:
        """The identity of that work."""

    @property
    def steps(self) -> tuple[str, ...]:
        """What is measured, in order."""

    @property
    def asset(self) -> str:
        """At which the progress is shown."""

    @property
    def unit(self) -> str: ...

    @property
    def function(self) -> Callable[[Item], list[Score]]: ...

    def __call__(self, subjects: Sequence[str], alone: bool) -> list[Task[Item]]: ...

    def checked(self, task: Task[Item], result: list[Score]) -> list[Score] | Failure:
        """They are kept under the content that was seen first, for good: so the file must have had it until now."""


class Rows:
    """Rows of a table that are to be measured, by the key of each. They are Python objects only while they are asked
    for; of rows that have one key the last is meant."""

    def __init__(self, table: pa.Table, key: str) -> None:
        self.table = table
        self.keys = list(dict.fromkeys(table[key].to_pylist()))
        names = np.array(table[key].cast(pa.string()).to_numpy(), np.bytes_)
        self._order = np.argsort(names, kind="stable")
        self._names = names[self._order]

    def __len__(self) -> int:
        return len(self.table)

    def places(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """The number of the row of each key."""
        found: NDArray[np.int64] = self._order[np.searchsorted(self._names, np.array(keys, np.bytes_), "right") - 1]
        return found

    def of(self, keys: Sequence[str]) -> list[Row]:
        rows: list[Row] = self.table.take(pa.array(self.places(keys))).to_pylist()
        return rows


@dataclass(frozen=True)
class Measured(Generic[Item]):
    """What scores are of: rows of a table that are known by a column, and how those without a score are measured."""

    kind: Kind
    key: str
    columns: tuple[str, ...]
    """By which a row is found and measured."""
    planned: Callable[[Project, str, Rows, ScoreStore], Pass[Item]]


def measured(
    project: Project, of: Measured[Item], step: str, table: pa.Table, chosen: np.ndarray
) -> tuple[Stored, dict[int, Failure]]:
    """The step's scores of the rows of `chosen` (bool [rows]), and by row why some have none.

    What is missing is measured now: this step, and those that follow it as long as the rules let something go on.

    Raises:
        MissingWeights: something has to be measured, and a scorer of this or a later step cannot run here.
        TooManyParked: measuring failed for more of them than the recipe allows.
    """
    curation = project.settings.curation

    def found() -> Stored:
        return stored(store, step, identity(step, curation, of.kind), table[of.key], chosen, of.kind)

    with ScoreStore.of(project) as store:
        known = found()
        rows = Rows(table.select(of.columns).take(pa.array(known.missing)), of.key)
        if not len(rows) and of.kind == "image":  # its steps share a line of the ledger: none may clear it for others
            return known, {}
        parked = _measure(project, store, of, step, rows, int(chosen.sum()))
        if not len(rows):
            return known, {}
        keys = rows.table[of.key].cast(pa.string())
        lost = np.flatnonzero(pc.is_in(keys, value_set=pa.array(list(parked), pa.string())).to_numpy())
        places = zip(known.missing[lost].tolist(), keys.take(pa.array(lost)).to_pylist(), strict=True)
        return found(), {place: parked[key] for place, key in places}


def measure_missing(
    project: Project, of: Measured[Item], step: str, table: pa.Table, chosen: np.ndarray, inputs: int
) -> dict[str, Failure]:
    """Measure what has no score of this step yet among the rows of `chosen` (bool [rows]); by key why some have none.
    `inputs` is how many rows the step has in all. No score is read, so that a step may read them part by part.

    Raises: as `measured` does.
    """
    with ScoreStore.of(project) as store:
        known = store.subjects(step, identity(step, project.settings.curation, of.kind), of.kind)
        missing = chosen & ~pc.is_in(table[of.key].cast(pa.string()), value_set=known).to_numpy()
        rows = Rows(table.select(of.columns).take(pa.array(np.flatnonzero(missing))), of.key)
        return _measure(project, store, of, step, rows, inputs)


def _measure(
    project: Project, store: ScoreStore, of: Measured[Item], step: str, rows: Rows, inputs: int
) -> dict[str, Failure]:
    """Put the scores of these rows into the store; by key why some have none. They are of `inputs` in all."""
    curation, planned = project.settings.curation, of.planned(project, step, rows, store)
    for each in planned.steps:
        store.remember(each, identity(each, curation, of.kind), of.kind)
    if len(rows):
        demand_weights(project, curation, planned.steps)
    subjects = rows.keys
    digest = store.remember(planned.ledger_step, planned.made_by, of.kind)
    work = Work.of(planned.ledger_step, digest, curation)
    progress = Progress.of(project, planned.asset, len(subjects), planned.unit)
    size = worker_size(curation, planned.steps)
    parked = attempt(planned.function, subjects, planned, planned.checked, store, work, curation, progress, size)
    demand_few_parked(planned.ledger_step, len(parked), inputs, curation)
    return parked


class _OfClips:
    """Neighbouring clips of a source go together, so that one pass decodes them.

    What is known of other steps goes with them. The series of slices, which are most of the store, do so only where
    slices are measured that have one of two, for whatever comes later does not ask for them.
    """

    unit = "clips"
    function = staticmethod(score_source)

    def __init__(self, project: Project, step: str, rows: Rows, store: ScoreStore) -> None:
        curation = project.settings.curation
        self.ledger_step, self.asset, self.steps = step, MEASURED_BY.get(step, step), steps_from(step, curation)
        self.made_by = identity(step, curation)
        self._project, self._store, self._rows = project, store, rows
        self._files = SeenFiles(project, "raw_videos")
        self._seek_points = SeekPoints(project, rows.table["sha256"])
        asked_for = STEPS if step in OF_SLICES else [each for each in STEPS if each not in OF_SLICES]
        self._asked_for = [identity_digest(each, identity(each, curation)) for each in asked_for]

    def __call__(self, subjects: Sequence[str], alone: bool) -> list[Task[SourceTask]]:
        by_source: dict[str, list[Row]] = defaultdict(list)
        places, places_of = self._rows.places(subjects), dict[str, int]()
        for place, row in zip(places.tolist(), self._rows.of(subjects), strict=True):
            by_source[row["sha256"]].append(row)
            places_of[row["sha256"]] = place
        known, points = self._store.of_sources(by_source, self._asked_for), self._seek_points.of(places_of)
        together = 1 if alone else CLIPS_PER_TASK
        tasks = []
        for sha256, rows in by_source.items():
            rows.sort(key=lambda row: (row["start_frame"], row["end_frame"]))
            parts = (rows[start : start + together] for start in range(0, len(rows), together))
            tasks += [self._task(part, known[sha256], points[sha256]) for part in parts]
        return tasks

    def checked(self, task: Task[SourceTask], result: list[Score]) -> list[Score] | Failure:
        (row,) = self._rows.of(task.subjects[:1])
        return result if self._files.holds(row["root"], row["path"], row["sha256"]) else REPLACED

    def _task(self, rows: Sequence[Row], known: dict[str, object], points: tuple[SeekPoint, ...]) -> Task[SourceTask]:
        first, project = rows[0], self._project
        clips = tuple(Clip.of(row) for row in rows)
        file = file_of(project, first["root"], first["path"])
        item = SourceTask(project, project.settings.curation, self.ledger_step, file, clips, known, points)
        return Task(item, first["sha256"], first["path"], tuple(row["clip_id"] for row in rows))


class _OfPictures:
    """A picture is a task; all that is measured of it is one line of the ledger."""

    ledger_step = asset = "curated_images"
    unit = "images"
    function = staticmethod(score_picture)

    def __init__(self, project: Project, step: str, rows: Rows, store: ScoreStore) -> None:
        curation = project.settings.curation
        collections = pc.unique(rows.table["collection"]).to_pylist()
        self.steps = tuple(dict.fromkeys(each for collection in collections for each in steps_of(collection, curation)))
        self.made_by = {each: identity(each, curation, "image") for each in steps_of("text", curation)}
        self._project, self._rows, self._store = project, rows, store
        self._files = SeenFiles(project, "raw_images")

    def __call__(self, subjects: Sequence[str], alone: bool) -> list[Task[PictureTask]]:
        known = self._store.of_sources(subjects)
        return [self._task(row, known[row["sha256"]]) for row in self._rows.of(subjects)]

    def checked(self, task: Task[PictureTask], result: list[Score]) -> list[Score] | Failure:
        (row,) = self._rows.of(task.subjects[:1])
        return result if self._files.holds(row["root"], row["path"], row["sha256"]) else REPLACED

    def _task(self, row: Row, known: dict[str, object]) -> Task[PictureTask]:
        project, sha256 = self._project, row["sha256"]
        file, picture = file_of(project, row["root"], row["path"]), Picture(sha256, row["collection"])
        item = PictureTask(project, project.settings.curation, file, picture, known)
        return Task(item, sha256, row["path"], (sha256,))


CLIPS = Measured("video", "clip_id", CLIP, _OfClips)
PICTURES = Measured("image", "sha256", PICTURE, _OfPictures)


class SeekPoints:
    """Where decoding of sources can begin, from the table of sources."""

    def __init__(self, project: Project, asked: pa.ChunkedArray) -> None:
        """`asked` are the sha256 of all sources that will be asked for, each as often as one likes."""
        path = project.table("raw_videos")
        self._table = Lookup(path, "sha256", ["seek_points"], asked) if len(asked) else None

    def of(self, places: Mapping[str, int]) -> dict[str, tuple[SeekPoint, ...]]:
        """{sha256: its points}, of sources and where each of them is among those asked for."""
        if self._table is None or not places:
            return {}
        told = self._table.at(np.array(list(places.values())))["seek_points"].to_pylist()
        return {
            sha256: tuple(SeekPoint(*point) for point in points or ())
            for sha256, points in zip(places, told, strict=True)
        }
