"""What a video file really holds, found by decoding it once: announced numbers are often wrong."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from ops.catalogue.reasons import Reason
from ops.curation.decoding.frames import SeekPoint, UndecodableVideo, decoded, opened, pixel_width_of
from ops.curation.timeline import rising, varies
from ops.runtime.files import sha256
from ops.runtime.tables import Row
from ops.runtime.video.colour import MATRICES, PRIMARIES, RANGES, TRANSFERS
from ops.runtime.video.orientation import orientation_of
from ops.runtime.video.rendering import has_alpha, upright_size

SLOWEST, FASTEST = 1 / 3600, 10_000.0
"""Frames a second; outside, the time stamps are broken."""
MOST_DAMAGED = 0.1
"""The share of frames that a decoder may have patched up; a piece that was cut without care begins with some."""
MOST_HIDDEN = 0.9
"""The share of frames that an edit list may hide."""
BETWEEN_SEEK_POINTS = 2.0
"""Seconds at least, so that a long film has a few thousand."""
FIELD_ORDERS = {2: "top_first", 3: "bottom_first", 4: "top_first", 5: "bottom_first"}
"""By FFmpeg's AVFieldOrder: which field is shown first, whichever is stored first."""


@dataclass(frozen=True)
class Announced:
    container: str
    codec: str
    frames: int
    seconds: float | None
    """How long it lasts or, where a container says that instead, when it ends."""
    tick: float
    """Seconds per unit of the stream's clock."""
    pixel_width: float
    """As a multiple of its height: the sample aspect ratio by which frames are shown."""
    field_order: str | None
    colours: dict[str, str | None]
    """As the file says; null is nothing."""


def probe(path: Path) -> Row:
    """The columns of `raw_videos` that come from the file's content; `reason` and its code are set when it
    cannot be used."""
    row: Row = {"sha256": sha256(path), "reason_code": None, "reason": None}
    try:
        with opened(path) as (container, stream):
            announced = _announced(container, stream)
        row |= {"container": announced.container, "codec": announced.codec}
        return row | _count(path, announced)
    except UndecodableVideo as error:
        return row | error.rejection.columns()


def _count(path: Path, announced: Announced) -> dict[str, object]:
    stamps: list[float | None] = []
    points: list[SeekPoint] = []
    latest, due = -math.inf, -math.inf
    count, damaged, interlaced, lasts, shape = 0, 0, 0, 0.0, {}
    for frame in decoded(path):
        if count == 0:
            shape = _shape(frame)
        elif upright_size(frame) != (shape["width"], shape["height"]):
            raise UndecodableVideo(f"the picture size changes at frame {count}", Reason.SIZE_CHANGES)
        stamps.append(frame.time)
        if frame.pts is not None and frame.pts > latest:
            # an intra picture: a decoder may call others key frames that become whole only some frames later
            if frame.key_frame and frame.pict_type == PictureType.I and frame.time >= due:
                points.append(SeekPoint(count, frame.pts))
                due = frame.time + BETWEEN_SEEK_POINTS
            latest = frame.pts
        lasts = float(frame.duration * (frame.time_base or 0))
        count, damaged, interlaced = count + 1, damaged + frame.is_corrupt, interlaced + frame.interlaced_frame
    if count == 0:
        raise UndecodableVideo("holds a video stream, but no frame can be decoded", Reason.NO_FRAMES)
    if damaged > MOST_DAMAGED * count:
        raise UndecodableVideo(f"{damaged} of {count} frames are damaged")
    begin = next((stamp for stamp in stamps if stamp is not None), 0.0)
    return {
        **shape,
        **_times(rising(stamps), begin, count, lasts, announced),
        "frames": count,
        "seek_points": [list(point) for point in points],
        "interlaced": interlaced > 0,
        "field_order": (announced.field_order or "unknown") if interlaced else "progressive",
        "sample_aspect_ratio": round(announced.pixel_width, 6),
        **announced.colours,
    }


def _shape(frame: av.VideoFrame) -> dict[str, object]:
    """What is the same of all frames, and a decoder knows better than the header."""
    orientation, size = orientation_of(frame), upright_size(frame)
    return {
        "width": size[0],
        "height": size[1],
        "rotation": orientation.clockwise,
        "mirrored": orientation.mirrored,
        "pixel_format": frame.format.name,
        "transparent": has_alpha(frame),
    }


def _times(times: list[float], begin: float, count: int, lasts: float, announced: Announced) -> dict[str, object]:
    """`times` from 0 on, none where the file tells none; the last frame lasts `lasts`, 0 if that is not known."""
    span = times[-1] if times else 0.0
    fps = (count - 1) / span if span > 0 else count / (announced.seconds or count)
    if not SLOWEST <= fps <= FASTEST:
        raise UndecodableVideo(f"its time stamps are broken: they give {fps:g} frames a second", Reason.BAD_TIMES)
    uneven = varies(times, announced.tick)
    gaps = [after - before for before, after in pairwise(times)]
    end = span + (lasts or statistics.median(gaps)) if uneven else count / fps
    _check_complete(announced, count, begin, end)
    return {
        "fps": round(fps, 6),
        "variable_frame_rate": uneven,
        "frame_times": [round(time, 6) for time in (*times, end)] if uneven else None,
        "seconds": round(end, 6),
    }


def _announced(container: InputContainer, stream: VideoStream) -> Announced:
    tick = float(stream.time_base or 0)
    seconds = stream.duration * tick if stream.duration else _tagged_seconds(stream)
    if seconds is None and container.duration and len(container.streams) == 1:
        seconds = container.duration / 1e6
    if seconds is not None and not 0 < seconds < math.inf:
        seconds = None
    codec = stream.codec_context
    return Announced(
        container.format.name,
        codec.name,
        _announced_frames(container, stream),
        seconds,
        tick,
        pixel_width_of(stream),
        FIELD_ORDERS.get(codec.field_order),
        {
            "colour_matrix": MATRICES.get(codec.colorspace),
            "colour_primaries": PRIMARIES.get(codec.color_primaries),
            "colour_transfer": TRANSFERS.get(codec.color_trc),
            "colour_range": RANGES.get(codec.color_range),
        },
    )


def _announced_frames(container: InputContainer, stream: VideoStream) -> int:
    """Without those that an MP4's edit list hides. One that hides nearly all is taken for damage, and so are more
    frames than the file has bytes."""
    if "mp4" not in container.format.name or stream.frames > container.size:
        return stream.frames
    shown = sum(not entry.is_discard for entry in stream.index_entries)
    return min(stream.frames, shown) if shown > (1 - MOST_HIDDEN) * stream.frames else stream.frames


def _tagged_seconds(stream: VideoStream) -> float | None:
    """Matroska states a stream's length in a tag such as 00:00:04.040000000."""
    try:
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
    except ValueError:  # no such tag, or anything else under its name
        return None
    return hours * 3600 + minutes * 60 + seconds


def _check_complete(announced: Announced, count: int, begin: float, seconds: float) -> None:
    """A tenth (and half a second) may be missing: edit lists hide frames, and headers round. What is announced may be a
    length or, in Matroska, the time stamp at which a file ends that begins at `begin`."""
    if announced.frames and count < announced.frames * 0.9 - 1:
        short = f"cut short: {announced.frames} frames are announced, {count} can be decoded"
        raise UndecodableVideo(short, Reason.CUT_SHORT)
    if announced.seconds is None:
        return
    length = announced.seconds - begin if 0 < begin < announced.seconds else announced.seconds
    if seconds < length * 0.9 - 0.5:
        short = f"cut short: {length:.1f} s are announced, {seconds:.1f} s can be decoded"
        raise UndecodableVideo(short, Reason.CUT_SHORT)
