"""What a video file really holds, found by decoding it once: announced numbers are often wrong."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from ops.curation.decoding.frames import SeekPoint, UndecodableVideo, decoded, opened, quarter_turns, upright_size
from ops.curation.rules.reasons import Reason
from ops.runtime.files import sha256

SLOWEST, FASTEST = 1 / 3600, 10_000.0
"""Frames a second; outside, the time stamps are broken."""
MOST_DAMAGED = 0.1
"""The share of frames that a decoder may have patched up; a piece that was cut without care begins with some."""
BETWEEN_SEEK_POINTS = 2.0
"""Seconds at least, so that a long film has a few thousand."""
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
    """The columns of `raw_videos` that come from the file's content; `reason` and its code are set when it
    cannot be used."""
    row: dict[str, Any] = {"sha256": sha256(path), "reason_code": None, "reason": None}
    try:
        with opened(path) as (container, stream):
            announced = _announced(container, stream)
        row |= {"container": announced.container, "codec": announced.codec}
        return row | _count(path, announced)
    except UndecodableVideo as error:
        return row | error.rejection.columns()


def _count(path: Path, announced: Announced) -> dict[str, Any]:
    times: list[float] = []
    points: list[SeekPoint] = []
    latest, due = -math.inf, -math.inf
    count, damaged, size, turns = 0, 0, (0, 0), 0
    for frame in decoded(path):
        if count == 0:
            size, turns = upright_size(frame), quarter_turns(frame)
        elif upright_size(frame) != size:
            raise UndecodableVideo(f"the picture size changes at frame {count}", Reason.SIZE_CHANGES)
        if frame.time is not None:
            times.append(frame.time)
        if frame.pts is not None and frame.pts > latest:
            # an intra picture: a decoder may call others key frames that become whole only some frames later
            if frame.key_frame and frame.pict_type == PictureType.I and frame.time >= due:
                points.append(SeekPoint(count, frame.pts))
                due = frame.time + BETWEEN_SEEK_POINTS
            latest = frame.pts
        count, damaged = count + 1, damaged + frame.is_corrupt
    if count == 0:
        raise UndecodableVideo("holds a video stream, but no frame can be decoded", Reason.NO_FRAMES)
    if damaged > MOST_DAMAGED * count:
        raise UndecodableVideo(f"{damaged} of {count} frames are damaged")
    gaps = [later - earlier for earlier, later in pairwise(times)]
    span = times[-1] - times[0] if gaps else 0.0
    fps = len(gaps) / span if span > 0 else count / (announced.seconds or count)
    if not SLOWEST <= fps <= FASTEST:
        raise UndecodableVideo(f"its time stamps are broken: they give {fps:g} frames a second", Reason.BAD_TIMES)
    _check_complete(announced, count, count / fps)
    return {
        "width": size[0],
        "height": size[1],
        "rotation": (360 - 90 * turns) % 360,
        "fps": round(fps, 6),
        "variable_frame_rate": _varies(gaps, announced.tick),
        "frames": count,
        "seconds": round(count / fps, 6),
        "seek_points": [list(point) for point in points],
    }


def _announced(container: InputContainer, stream: VideoStream) -> Announced:
    tick = float(stream.time_base or 0)
    seconds = stream.duration * tick if stream.duration else _tagged_seconds(stream)
    if seconds is None and container.duration and len(container.streams) == 1:
        seconds = container.duration / 1e6
    if seconds is not None and not 0 < seconds < math.inf:
        seconds = None
    return Announced(container.format.name, stream.codec_context.name, stream.frames, seconds, tick)


def _tagged_seconds(stream: VideoStream) -> float | None:
    """Matroska states a stream's length in a tag such as 00:00:04.040000000."""
    try:
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
    except ValueError:  # no such tag, or anything else under its name
        return None
    return hours * 3600 + minutes * 60 + seconds


def _check_complete(announced: Announced, count: int, seconds: float) -> None:
    """A tenth (and half a second) may be missing: edit lists hide frames, and headers round."""
    if announced.frames and count < announced.frames * 0.9 - 1:
        short = f"cut short: {announced.frames} frames are announced, {count} can be decoded"
        raise UndecodableVideo(short, Reason.CUT_SHORT)
    if announced.seconds and seconds < announced.seconds * 0.9 - 0.5:
        short = f"cut short: {announced.seconds:.1f} s are announced, {seconds:.1f} s can be decoded"
        raise UndecodableVideo(short, Reason.CUT_SHORT)


def _varies(gaps: list[float], tick: float) -> bool:
    if not gaps:
        return False
    usual = statistics.median(gaps)
    return any(abs(gap - usual) > max(STEADY * usual, 2 * tick) for gap in gaps)
