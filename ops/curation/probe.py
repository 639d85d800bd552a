"""What a video file really holds, found by decoding it once: announced numbers are often wrong."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.video.stream import VideoStream

from ops.curation.frames import UndecodableVideo, decoded, opened, quarter_turns, upright_size
from ops.runtime.files import sha256

STEADY = 0.1
"""A gap between frames may differ from the median gap by this share (and two clock ticks) at a constant rate."""


@dataclass(frozen=True)
class Announced:
    container: str
    codec: str
    frames: int
    seconds: float | None
    tick: float
    """Seconds per unit of the stream's clock."""


def probe(path: Path) -> dict[str, Any]:
    """The columns of `raw_videos` that come from the file's content; `reason` is set when it cannot be used."""
    row: dict[str, Any] = {"sha256": sha256(path), "reason": None}
    try:
        with opened(path) as (container, stream):
            announced = _announced(container, stream)
        row |= {"container": announced.container, "codec": announced.codec}
        return row | _count(path, announced)
    except UndecodableVideo as error:
        return row | {"reason": str(error)}


def _count(path: Path, announced: Announced) -> dict[str, Any]:
    times: list[float] = []
    count, size, turns = 0, (0, 0), 0
    for frame in decoded(path):
        if count == 0:
            size, turns = upright_size(frame), quarter_turns(frame)
        elif upright_size(frame) != size:
            raise UndecodableVideo(f"the picture size changes at frame {count}")
        if frame.time is not None:
            times.append(frame.time)
        count += 1
    if count == 0:
        raise UndecodableVideo("holds a video stream, but no frame can be decoded")
    gaps = [later - earlier for earlier, later in pairwise(times)]
    span = times[-1] - times[0] if gaps else 0.0
    fps = len(gaps) / span if span > 0 else count / (announced.seconds or count)
    _check_complete(announced, count, count / fps)
    return {
        "width": size[0],
        "height": size[1],
        "rotation": (360 - 90 * turns) % 360,
        "fps": round(fps, 6),
        "variable_frame_rate": _varies(gaps, announced.tick),
        "frames": count,
        "seconds": round(count / fps, 6),
    }


def _announced(container: InputContainer, stream: VideoStream) -> Announced:
    tick = float(stream.time_base or 0)
    seconds = stream.duration * tick if stream.duration else _tagged_seconds(stream)
    if seconds is None and container.duration and len(container.streams) == 1:
        seconds = container.duration / 1e6
    return Announced(container.format.name, stream.codec_context.name, stream.frames, seconds, tick)


def _tagged_seconds(stream: VideoStream) -> float | None:
    """Matroska states a stream's length in a tag such as 00:00:04.040000000."""
    parts = stream.metadata.get("DURATION", "").split(":")
    if len(parts) != 3:
        return None
    return int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])


def _check_complete(announced: Announced, count: int, seconds: float) -> None:
    """A tenth (and half a second) may be missing: edit lists hide frames, and headers round."""
    if announced.frames and count < announced.frames * 0.9 - 1:
        raise UndecodableVideo(f"cut short: {announced.frames} frames are announced, {count} can be decoded")
    if announced.seconds and seconds < announced.seconds * 0.9 - 0.5:
        raise UndecodableVideo(f"cut short: {announced.seconds:.1f} s are announced, {seconds:.1f} s can be decoded")


def _varies(gaps: list[float], tick: float) -> bool:
    if not gaps:
        return False
    usual = statistics.median(gaps)
    return any(abs(gap - usual) > max(STEADY * usual, 2 * tick) for gap in gaps)
