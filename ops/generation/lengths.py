"""Videos that are longer than those that a model was trained on."""

from __future__ import annotations

from dataclasses import replace

from ops.generation.parts import Parts, takes_given_frames, weights_of
from ops.runtime.artifacts import read
from ops.runtime.project import Project
from ops.sampling.chunks import chunks_of
from ops.sampling.request import Request, SamplingError
from ops.training.job import was_trained
from ops.training.recipe import recipe_of
from ops.training.results import Trained


def trained_frames(project: Project, parts: Parts) -> int | None:
    """Of the longest videos that the denoiser was trained on; None where it saw none, or nobody knows."""
    found = next((each for each in weights_of(project, parts.denoiser, parts).parents if was_trained(each)), None)
    return recipe_of(read(found, Trained)).frames if found else None


def fitted(project: Project, request: Request, parts: Parts) -> tuple[Request, list[str]]:
    """A request checked, with its notes: in chunks of the length of the training where it is longer. A `chunk` of its
    own overrules that, also one of all its frames.

    Raises:
        SamplingError: as `Request.checked` does.
    """
    checked = request.checked()
    seen = trained_frames(project, parts) if request.chunk is None else None
    if seen and request.frames > seen:
        return replace(request, chunk=seen).checked()
    if request.chunk is None and request.overlap is not None:
        raise SamplingError(
            f"overlap is {request.overlap}, but all {request.frames} frames are made at once: leave it out, or ask for "
            "chunks"
        )
    return checked


def require_continuation(project: Project, parts: Parts, request: Request) -> None:
    """Raises SamplingError where chunks are asked of a denoiser that was not trained on given frames."""
    if len(chunks_of(request)) > 1 and not takes_given_frames(project, parts):
        name, seen = f"{parts.denoiser_asset} step {parts.step}", trained_frames(project, parts)
        raise SamplingError(
            f"frames is {request.frames}, to be made in chunks of {request.chunk}, but {name}"
            f"{f', trained on up to {seen},' if seen else ''} cannot continue a video: use {request.chunk} or fewer, "
            "name a checkpoint of a stage of kind image_condition, or ask for all of them at once (chunk "
            f"{request.frames}), whatever comes of it"
        )
