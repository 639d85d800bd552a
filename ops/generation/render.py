"""A request becomes an MP4, with everything that made it written beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.generation import settings_file
from ops.generation.computed import Computed
from ops.generation.given_pixels import require_condition
from ops.generation.prompts import read_words
from ops.generation.seams import Seam, Seams
from ops.sampling.request import Request

if TYPE_CHECKING:
    from models.dit.sequence import SequenceGroup
    from ops.generation.drawing import Frames, OnStep
    from ops.generation.given_pixels import GivenPixels
    from ops.generation.model import VideoModel

AS_USUAL = Computed()


@dataclass(frozen=True)
class Video:
    """A checked request, and where its video is to lie. `notes` are what is known of it for people; `given` are its
    given frames, where they have been read already."""

    request: Request
    output: Path
    notes: tuple[str, ...] = ()
    given: GivenPixels | None = None


def render(
    model: VideoModel,
    request: Request,
    output: Path,
    on_step: OnStep = lambda done, total: None,
    notes: Sequence[str] = (),
    ranks: SequenceGroup | None = None,
    given: GivenPixels | None = None,
    computed: Computed = AS_USUAL,
    preview: bool = False,
) -> list[str]:
    """Sample one checked request into `output` and its settings file; returns `notes` and its own for people.

    Of `ranks` that make it together, all of which call this alike, the first writes. `given` are the request's given
    frames, where they have been read already. A long video is written as its chunks are made. With `preview` a small
    animated picture lies beside it, under its name with .webp.

    Raises:
        SamplingError: the text encoder can read nothing of the prompt, or frames are given that cannot be read or to a
            model that was not trained on any.
    """
    from ops.generation.drawing import chunks_drawn, frames_given, latents_of

    require_condition(model.project, model.parts, request)
    given = given or frames_given(model, request)
    texts, said = read_words(model, request, notes)
    if ranks and ranks.rank > 0:
        latents_of(model, [request], [texts], [given], computed, on_step, ranks)
        return said
    chunks = chunks_drawn(model, request, texts, given, computed, on_step, ranks)
    seams = _write(request, output, chunks, preview)
    settings_file.write(model, request, output, computed, said, seams)
    return said


def render_batch(
    model: VideoModel,
    videos: Sequence[Video],
    on_step: OnStep = lambda done, total: None,
    guidance_passes: int = 1,
    preview: bool = False,
) -> list[list[str]]:
    """As `render` does, all of them together; returns the notes of each.

    Raises:
        SamplingError: as `render` does.
        ValueError: requests that cannot be made together.
    """
    from ops.generation.drawing import frames_given, latents_of

    for video in videos:
        require_condition(model.project, model.parts, video.request)
    read = [read_words(model, video.request, video.notes) for video in videos]
    texts = [each for each, _ in read]
    tokens = max(len(each) for both in texts for each in both)
    computed = Computed(guidance_passes, len(videos), 0, tokens)
    given = [video.given or frames_given(model, video.request) for video in videos]
    latents = latents_of(model, [video.request for video in videos], texts, given, computed, on_step)
    for place, (video, (_, said)) in enumerate(zip(videos, read, strict=True)):
        _write(video.request, video.output, [model.decode(latents[place : place + 1])], preview)
        own = Computed(guidance_passes, len(videos), place, tokens)
        settings_file.write(model, video.request, video.output, own, said, [])
    return [said for _, said in read]


def _write(request: Request, output: Path, chunks: Iterable[Frames], preview: bool) -> list[Seam]:
    from ops.generation.preview import Preview
    from ops.runtime.mp4 import write_mp4

    seams, small = Seams(), Preview(request.frames, request.fps)
    frames = seams.watched(chunks)
    write_mp4(output, small.watched(frames) if preview else frames, request.fps)
    if preview:
        small.write(output.with_suffix(".webp"))
    return seams.found()
