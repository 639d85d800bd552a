"""Samples decoded by processes of their own, as many at a time, in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ops.config import Launch
from ops.data.columns import Sample
from ops.data.pixels import PixelReader, Pixels, read_sample
from ops.runtime.project import Project
from ops.runtime.shared_array import Place, SharedArray
from ops.runtime.workers import Crew, Failure, Limits

SAMPLES_PER_WORKER = 4096
"""Decoders leak: a worker is replaced after so many, which bounds what it holds over an epoch. Seconds of a processor
are what its successor costs."""


class Decoding(Protocol):
    """Who decodes: this process, or workers of its own."""

    workers: int

    def read(self, samples: Sequence[Sample]) -> list[Pixels | str]:
        """Of each sample its pixels, or what is wrong with it."""
        ...

    def close(self) -> None:
        """End the workers, whatever they are at."""
        ...


def decoding(project: Project, launch: Launch, of_one_source: Callable[[Sample], Sequence[Sample]]) -> Decoding:
    """As the launch asks for it. `of_one_source` says which samples this process may decode together with one."""
    if not launch.loader_workers:
        return PixelReader(project, of_one_source)
    limits = Limits(launch.loader_seconds, launch.loader_gib, "launch.loader_seconds", "launch.loader_gib")
    return PixelWorkers(project, launch.loader_workers, limits)


class _Order(NamedTuple):
    sample: Sample
    place: Place


class PixelWorkers:
    """Decodes each sample by itself. A source that is broken or gone, and one at which decoding hangs, crashes or takes
    too much memory twice, costs its own sample only. Threads may share it."""

    def __init__(self, project: Project, workers: int, limits: Limits) -> None:
        self.workers = workers
        self._crew = Crew(_Decoding(project), workers, limits, SAMPLES_PER_WORKER)

    def read(self, samples: Sequence[Sample]) -> list[Pixels | str]:
        rooms = [SharedArray((row["frames"], row["height"], row["width"], 3)) for row in samples]
        try:
            orders = [_Order(row, room.place) for row, room in zip(samples, rooms, strict=True)]
            found = self._crew.results(orders)
            return [
                result.reason if isinstance(result, Failure) else room.array()
                for room, result in zip(rooms, found, strict=True)
            ]
        finally:
            for room in rooms:
                room.close()

    def close(self) -> None:
        self._crew.close()


class _Decoding:
    """A worker's side."""

    def __init__(self, project: Project) -> None:
        self._project = Project(project.root)  # what it decodes is in the sample; the recipe need not travel

    def __setstate__(self, state: dict[str, object]) -> None:
        import torch  # noqa: F401  its seconds are none of the first sample's

        self.__dict__.update(state)

    def __call__(self, order: _Order) -> None:
        order.place.write(read_sample(self._project, order.sample))
