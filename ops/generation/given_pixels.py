"""The given frames of a request: read as samples of a training are, and at the size that is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.geometry import PIXELS_PER_TOKEN
from ops.generation.parts import Parts, takes_given_frames
from ops.runtime.project import Project
from ops.sampling.request import Request, SamplingError

Picture = NDArray[np.uint8]
"""sRGB, [H, W, 3]."""
UNSEEN = 0.01
"""The share of a picture that may fall away beside the cut without a word."""
SAME_RATE = 0.1
"""Frames a second by which rates may differ and count as the same, as in the training set."""


class GivenPixels(NamedTuple):
    """uint8 [T, H, W, 3], black where nothing is given, and float32 [T]: 1 = generate, 0 = given."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.float32]
    notes: tuple[str, ...] = ()


def require_condition(project: Project, parts: Parts, request: Request) -> None:
    """Raises SamplingError where frames are given to a denoiser that was not trained on given frames."""
    if request.given and not takes_given_frames(project, parts):
        raise SamplingError(
            f"{parts.denoiser_asset} step {parts.step} was not trained on given frames: name a checkpoint of a stage "
            "of kind image_condition, such as control_NAME, or leave the given frames out"
        )


def read_given(request: Request) -> GivenPixels:
    """Of a checked request; all frames are hidden where nothing is given. Each picture is cut to the video's shape
    around its middle and resized, as in training, with a note where it loses something.

    Raises:
        SamplingError: a file cannot be read, or a video is too short to be continued so.
    """
    from ops.data.pixels import fitted

    height, width = request.height, request.width
    pixels = np.zeros((request.frames, height, width, 3), np.uint8)
    mask = np.ones(request.frames, np.float32)
    if request.given is None:
        return GivenPixels(pixels, mask)
    files = [file.path for file in request.given.files]
    notes: list[str] = []
    if request.given.count is None:
        pictures: Iterable[Picture] = [_picture(path) for path in files]
    else:
        indices, notes = _last_frames(files[0], request.given.count, request.fps)
        pictures = _frames(files[0], indices)
    places = request.given.places(request.frames)
    for number, (place, picture) in enumerate(zip(places, pictures, strict=True)):
        pixels[place], mask[place] = fitted(picture, height, width), 0
        if number < len(files):
            notes += _on_what_is_lost(files[number], picture, height, width)
    return GivenPixels(pixels, mask, tuple(notes))


def _picture(path: Path) -> Picture:
    from ops.curation.decoding.pictures import UndecodableImage
    from ops.data.pixels import image_pixels

    try:
        return image_pixels(path)
    except UndecodableImage as error:
        raise SamplingError(f"{path} cannot be given as a picture: {error}") from error


def _last_frames(path: Path, count: int, fps: float) -> tuple[list[int], list[str]]:
    """Which frames of a video are the last `count` at `fps` a second, up to its very last one; and a note where these
    are not as many as it has."""
    from ops.curation.sources.probe import probe
    from ops.curation.timeline import Timeline

    found = probe(path)
    if found["reason"] is not None:
        raise SamplingError(f"{path} cannot be continued: {found['reason']}")
    film = Timeline(0, found["frames"], own := found["fps"], found["frame_times"])
    rate = own if abs(own - fps) < SAME_RATE else fps
    last = film.at(film.end - 1)
    there = int(last * rate + 1e-6) + 1
    if there < count:
        raise SamplingError(
            f"{path} has {there} frames at {rate:g} a second, but its last {count} are to be given: give {there} or "
            "fewer, or take a longer video"
        )
    indices = film.shown([max(0.0, last - back / rate) for back in reversed(range(count))])
    if rate == own:
        return indices, []
    return indices, [
        f"{path.name} has {own:g} frames a second, the new video {rate:g}: it was seen at the new one's rate"
    ]


def _frames(path: Path, indices: list[int]) -> Iterable[Picture]:
    """A frame that is shown at several moments comes as often."""
    from ops.curation.decoding.frames import UndecodableVideo, frames_at

    try:
        for index, frame in frames_at(path, indices):
            for _ in range(indices.count(index)):
                yield frame
    except UndecodableVideo as error:
        raise SamplingError(f"{path} cannot be continued: {error}") from error


def _on_what_is_lost(path: Path, picture: Picture, height: int, width: int) -> list[str]:
    """A note where the cut leaves out what one may have wanted, with the size that would keep it."""
    own, wanted = picture.shape[0] / picture.shape[1], height / width
    lost = 1 - min(own, wanted) / max(own, wanted)
    if lost <= UNSEEN:
        return []
    cut = "above and below" if own > wanted else "left and right"
    sides = [_nearest(math.sqrt(height * width * ratio)) for ratio in (own, 1 / own)]
    note = (
        f"{path.name} is {picture.shape[1]}x{picture.shape[0]}, of another shape than the video's {width}x{height}: "
        f"{lost:.0%} of it was cut off {cut}"
    )
    if sides == [height, width]:
        return [note]
    return [f"{note}; a video of height {sides[0]} and width {sides[1]} shows more of it"]


def _nearest(side: float) -> int:
    return max(1, round(side / PIXELS_PER_TOKEN)) * PIXELS_PER_TOKEN
