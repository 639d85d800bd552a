"""Frames to MP4 and back, in colours that a player shows as they were."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.runtime.files import replacing

CODECS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"crf": "16", "preset": "medium", "threads": "1", "mbtree": "0"}),
    ("mpeg4", {"qscale": "2"}),
)
"""In order of preference. The same frames must give the same bytes, so x264 runs one thread and no macroblock tree,
whose lookahead reads memory it never wrote when a picture is only a few macroblocks wide."""


VERSION = 2
"""Raised when the same frames give another file."""


def codec() -> tuple[str, dict[str, str]]:
    """The first encoder that this build of FFmpeg has, with its options."""
    import av

    for name, options in CODECS:
        if name in av.codecs_available:
            return name, options
    raise RuntimeError(f"this PyAV has none of the encoders {[name for name, _ in CODECS]}; reinstall `av`")


def write_mp4(path: Path, frames: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Write sRGB frames, [H, W, 3] each, as H.264 (or MPEG-4 part 2) in yuv420p, whole or not at all; they may come
    one by one.

    The matrix is the one that players take for a file of this size which says nothing, and the file says it.
    """
    import av
    from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
    from av.video.stream import VideoStream

    from ops.runtime.video.colour import BT709, LIMITED, usual_matrix

    name, options = codec()
    coming = iter(frames)
    first = next(coming, None)
    if first is None:
        raise ValueError(f"there are no frames to write to {path}")
    height, width = first.shape[:2]
    matrix = usual_matrix(width, height)
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream(name, rate=Fraction(fps).limit_denominator(1001), options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, LIMITED
        context.color_primaries = context.color_trc = BT709
        scaler = VideoReformatter()
        for frame in chain([first], coming):
            rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            coded = scaler.reformat(
                rgb,
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709 if matrix == BT709 else Colorspace.ITU601,
                dst_color_range=LIMITED,
                interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND,
                threads=1,
            )
            coded.color_primaries = coded.color_trc = BT709
            container.mux(stream.encode(coded))
        container.mux(stream.encode())


def rate_of(path: Path) -> float | None:
    """Frames a second, as the file says; None where it does not."""
    import av

    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate if container.streams.video else None
    return float(rate) if rate else None


def read_mp4(path: Path, most: int | None = None) -> NDArray[np.uint8]:
    """All frames of a video, or the first `most`, [T, H, W, 3] sRGB."""
    import av

    from ops.runtime.video.rendering import Renderer, declare

    renderer = Renderer()
    with av.open(str(path)) as container:
        frames = [renderer.upright(declare(frame)) for frame in islice(container.decode(video=0), most)]
    if not frames:
        raise ValueError(f"{path} holds no frame")
    return np.stack(frames)
