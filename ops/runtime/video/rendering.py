"""The one place where a decoded frame becomes a picture: what a person sees of it on a good player.

swscale does all of it where its arithmetic is right: matrix, range, depth and size of frames of the standard dynamic
range. Before it, combs are taken out of interlaced frames and transparent ones are laid on white, as photos are; after
it, HDR becomes sRGB, and the picture is turned as its file asks.

Colours of SDR keep the primaries in which they are stored, also those of BT.2020 and Display P3.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple, cast

import av
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import Interpolation, VideoReformatter

from ops.runtime.video import hdr
from ops.runtime.video.colour import FULL, declare_matrix, is_hdr
from ops.runtime.video.deinterlacing import deinterlaced
from ops.runtime.video.orientation import orientation_of

VERSION = 1
"""Raised when the same frame gives another picture."""
Pixels = Literal["rgb24", "gray"]
Size = tuple[int, int]
"""Width and height."""


class View(NamedTuple):
    """What a file says of all its frames, and a frame does not carry itself (it is its `opaque`)."""

    pixel_width: float
    """Of a stored pixel, as a multiple of its height."""


def declare(frame: av.VideoFrame, pixel_width: float = 1.0) -> av.VideoFrame:
    """The frame as a decoder left it, with what it needs to be shown; every decoded frame comes through here."""
    declare_matrix(frame)
    if pixel_width != 1:
        frame.opaque = View(pixel_width)  # one for each frame: PyAV lets go of it with the first that it belongs to
    return frame


def lying_size(frame: av.VideoFrame) -> Size:
    """Of the picture with square pixels, before it is turned. Lines are kept, columns are stretched or shrunk."""
    view = cast(View | None, frame.opaque)
    return (frame.width if view is None else max(1, round(frame.width * view.pixel_width)), frame.height)


def upright_size(frame: av.VideoFrame) -> Size:
    return orientation_of(frame).size(*lying_size(frame))


def has_alpha(frame: av.VideoFrame) -> bool:
    return _has_alpha(frame.format.name)


class Renderer:
    """Keeps swscale's tables from frame to frame. Not to be shared by threads."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._scalers: dict[tuple[Size, str], VideoReformatter] = {}

    def upright(self, frame: av.VideoFrame, size: Size | None = None, pixels: Pixels = "rgb24") -> np.ndarray:
        """uint8 [H, W, 3] (`rgb24`) or [H, W] (`gray`), at its own size or another one, which is the upright one."""
        orientation = orientation_of(frame)
        lying = lying_size(frame) if size is None else orientation.size(*size)
        return np.ascontiguousarray(orientation.of(self.lying(frame, lying, pixels).to_ndarray()))

    def lying(self, frame: av.VideoFrame, size: Size, pixels: Pixels | Literal["gbrp"] = "rgb24") -> av.VideoFrame:
        """The picture at this size, not turned yet, as a frame of RGB (packed or planar) or of grey."""
        if frame.interlaced_frame and 2 * size[1] > frame.height:  # else its fields are averaged anyway
            frame = deinterlaced(frame)
        if is_hdr(frame):
            frame = self._sdr(frame, size)
        elif has_alpha(frame):
            frame = self._on_white(frame)
        # scaling to planar RGB takes a third of the time of scaling to packed RGB, and deep colours come out better;
        # without scaling it is slower
        planar = pixels == "rgb24" and (size != (frame.width, frame.height) or _is_deep(frame.format.name))
        return self._scaled(frame, size, "gbrp" if planar else pixels)

    def _sdr(self, frame: av.VideoFrame, size: Size) -> av.VideoFrame:
        """RGB of this size."""
        if frame.format.is_rgb:
            signal: np.ndarray = self._scaled(frame, size, "rgb48le").to_ndarray()
        else:
            full_range = frame.color_range == FULL
            signal = hdr.signal_of(self._scaled(frame, size, "yuv444p16le").to_ndarray(), full_range, frame.colorspace)
        return av.VideoFrame.from_ndarray(hdr.to_sdr(signal, frame.color_trc, frame.color_primaries))

    def _on_white(self, frame: av.VideoFrame) -> av.VideoFrame:
        """RGB of the frame's own size: colours under the transparent parts must not be averaged with others."""
        picture: np.ndarray = self._scaled(frame, (frame.width, frame.height), "rgba").to_ndarray()
        colours, alpha = picture[..., :3], picture[..., 3:].astype(np.uint16)
        if alpha.min() < 255:
            colours = ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(colours))

    def _scaled(self, frame: av.VideoFrame, size: Size, form: str) -> av.VideoFrame:
        # a reformatter keeps its tables as long as sizes and formats stay the same
        scaler = self._scalers.setdefault((size, form), VideoReformatter())
        width, height = size
        grows = width > frame.width or height > frame.height
        return scaler.reformat(
            frame,
            width=width,
            height=height,
            format=form,
            interpolation=Interpolation.BICUBIC if grows else Interpolation.AREA,
            threads=self._threads,
        )


@cache
def _has_alpha(form: str) -> bool:
    return any(component.is_alpha for component in VideoFormat(form).components)


@cache
def _is_deep(form: str) -> bool:
    return any(component.bits > 8 for component in VideoFormat(form).components)
