"""Frames to MP4 and back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.runtime.files import replacing

CODECS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"crf": "16", "preset": "medium", "threads": "1", "mbtree": "0"}),
    ("mpeg4", {"qscale": "2"}),
)
"""In order of preference. The same frames must give the same bytes, so x264 runs one thread and no macroblock tree,
whose lookahead reads memory it never wrote when a picture is only a few macroblocks wide."""


def codec() -> tuple[str, dict[str, str]]:
    """The first encoder that this build of FFmpeg has, with its options."""
    import av

    for name, options in CODECS:
        if name in av.codecs_available:
            return name, options
    raise RuntimeError(f"this PyAV has none of the encoders {[name for name, _ in CODECS]}; reinstall `av`")


def write_mp4(path: Path, frames: NDArray[np.uint8], fps: float) -> None:
    """Write [T, H, W, 3] RGB frames as H.264 (or MPEG-4 part 2) in yuv420p, whole or not at all."""
    import av

    name, options = codec()
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream: Any = container.add_stream(name, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def read_mp4(path: Path) -> NDArray[np.uint8]:
    """All frames of a video, [T, H, W, 3] RGB."""
    import av

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    if not frames:
        raise ValueError(f"{path} holds no frame")
    return np.stack(frames)
