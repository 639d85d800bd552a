"""Makes videos one after another, or several together where there is memory for that."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ops.generation.computed import Computed
from ops.generation.parts import Parts
from ops.generation.render import Video
from ops.runtime.project import Project
from ops.sampling.chunks import chunks_of
from ops.sampling.request import Request

if TYPE_CHECKING:
    from ops.generation.drawing import OnStep
    from ops.generation.model import VideoModel

Finished = tuple[Video, list[str], float]
"""With its notes and the seconds that it took; of a batch, the share of one."""


class Maker:
    """Of one model, whose parts are loaded when they are first needed."""

    def __init__(
        self, project: Project, parts: Parts, ranks: int = 1, batch: int | None = None, preview: bool = False
    ) -> None:
        """`batch` videos are made together; None is one on the CPU, and elsewhere what there is memory for."""
        self._project, self._parts = project, parts
        self._ranks, self._size, self._preview = ranks, batch, preview

    def make(self, videos: Sequence[Video], on_step: OnStep) -> Iterator[Finished]:
        """Videos whose requests can be made together. `on_step` hears of the steps of all of them."""
        if not videos:
            return
        request = videos[0].request
        steps = request.steps * len(chunks_of(request))
        size, passes = self._size_and_passes(request, len(videos))
        for start in range(0, len(videos), size):
            lot = videos[start : start + size]
            counted = _counted_on(on_step, start * steps, len(lot), len(videos) * steps)
            started = time.monotonic()
            if len(lot) == 1:
                yield self.one(lot[0], Computed(passes, ranks=self._ranks), counted)
                continue
            from ops.generation.render import render_batch

            said = render_batch(self._model, lot, counted, passes, self._preview)
            seconds = (time.monotonic() - started) / len(lot)
            yield from ((video, notes, seconds) for video, notes in zip(lot, said, strict=True))

    def one(self, video: Video, computed: Computed, on_step: OnStep) -> Finished:
        """As `computed` says."""
        from ops.generation.render import render
        from ops.generation.together import render_together

        started = time.monotonic()
        request, output, notes, preview = video.request, video.output, video.notes, self._preview
        if computed.ranks > 1:
            said = render_together(self._project, self._parts, request, output, computed, notes, preview)
        else:
            said = render(
                self._model, request, output, on_step, notes, given=video.given, computed=computed, preview=preview
            )
        return video, said, time.monotonic() - started

    def _size_and_passes(self, request: Request, videos: int) -> tuple[int, int]:
        """How many videos are made together, and in how many passes the halves of guidance."""
        from ops.generation.room import at_once

        if self._ranks > 1:
            return 1, 1
        halves = 2 if request.guidance != 1.0 else 1
        room = at_once(self._model, chunks_of(request)[0].request)
        usual = 1 if self._model.device.type == "cpu" else max(1, room // halves)
        size = 1 if len(chunks_of(request)) > 1 else min(videos, self._size or usual)
        return size, 1 if size * halves <= room else halves

    @cached_property
    def _model(self) -> VideoModel:
        from ops.generation.model import VideoModel

        return VideoModel(self._project, self._parts)


def _counted_on(on_step: OnStep, done: int, videos: int, total: int) -> OnStep:
    """Of so many videos at once, after `done` steps of others."""
    return lambda step, _: on_step(done + step * videos, total)
