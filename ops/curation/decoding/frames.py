"""Decoding: frames by their index in decoding order, upright, as RGB. One open file per call, closed at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.stream import VideoStream

from ops.curation.rules.reasons import Reason, Rejection
from ops.runtime.device import DECODING_DEVICES

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif"
"""What may be opened. Playlists and scripts are left out on purpose: they can name any other file or address."""
_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}

EVEN_AREA = "AREA"
MAX_PIXELS = 8192 * 8192
"""Of one frame, twice the area of 8K. More is taken for an attack: a small file whose frames fill the memory."""


class UndecodableVideo(ValueError):
    """A file without usable pictures; the message is a reason that a person can act on."""

    def __init__(self, message: str, code: Reason = Reason.DAMAGED) -> None:
        super().__init__(message)
        self.rejection = Rejection(code, message)


class SeekPoint(NamedTuple):
    """A key frame, from which decoding can begin: its index in decoding order, and its time stamp in the stream's own
    units, which no earlier frame has or exceeds."""

    frame: int
    pts: int


@contextmanager
def opened(path: Path, threads: int = 1, hardware: str = "none") -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first real video stream; `threads` decode (0: as many as there are cores), or `hardware`
    does: `none`, `auto` or one of DECODING_DEVICES. Where there is no such device, or it does not know the codec, the
    CPU does.

    Raises:
        UndecodableVideo: empty, of no admitted format, without a video stream, or with frames above `MAX_PIXELS`.
        MemoryError: it asks for more memory than there is.
    """
    if path.stat().st_size == 0:
        raise UndecodableVideo("the file is empty", Reason.EMPTY)
    try:
        container = _on_device(path, hardware) or av.open(str(path), options=_OPTIONS)
    except MemoryError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise UndecodableVideo(
            f"cannot be opened as mp4, mov, mkv, webm, avi or gif: {_said(error)}; damaged, cut short, or not a video",
            Reason.UNKNOWN_FORMAT,
        ) from None
    with container:
        streams = [each for each in container.streams.video if not _is_cover(each)]
        if not streams:
            sound = " (it holds sound only)" if container.streams.audio else ""
            raise UndecodableVideo(f"holds no video stream{sound}", Reason.NO_VIDEO)
        stream = streams[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise UndecodableVideo(f"{width}x{height} is more than {MAX_PIXELS} pixels", Reason.TOO_LARGE)
        # a frame may announce another size than the header: then decoding fails
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.codec_context.thread_count = threads
        stream.thread_type = "AUTO" if threads != 1 else "NONE"
        yield container, stream


def _on_device(path: Path, hardware: str) -> InputContainer | None:
    """The file opened for a device to decode; None where there is none."""
    for device in DECODING_DEVICES if hardware == "auto" else () if hardware == "none" else (hardware,):
        try:
            return av.open(str(path), options=_OPTIONS, hwaccel=HWAccel(device, allow_software_fallback=True))
        except (av.FFmpegError, OSError):
            continue  # no such device here; or no such video, which the CPU finds, too
    return None


def decoded(path: Path, threads: int = 1, hardware: str = "none") -> Iterator[av.VideoFrame]:
    """Every frame in order.

    Raises:
        UndecodableVideo: decoding stops with an error; the message says after how many frames.
    """
    with opened(path, threads, hardware) as (container, stream):
        yield from _frames(container, stream)


def decoded_from(
    path: Path, first: int, points: Sequence[SeekPoint] = (), threads: int = 1, hardware: str = "none"
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(index, frame) from the last seek point at or before the index `first` on. From 0 where there is none, or where
    the file has no frame of its time stamp: then it is another file than the one in which the points were found.

    Raises:
        UndecodableVideo: as `decoded`.
    """
    point = max((point for point in points if point.frame <= first), default=None)
    if point is not None and point.frame > 0:
        with opened(path, threads, hardware) as (container, stream):
            found = _seek(container, stream, point)
            if found is not None:
                rest = _frames(container, stream, point.frame + 1)
                yield from enumerate(chain([found], rest), start=point.frame)
                return
    yield from enumerate(decoded(path, threads, hardware))


def _frames(container: InputContainer, stream: VideoStream, count: int = 0) -> Iterator[av.VideoFrame]:
    """The frames to come; `count` went before them."""
    try:
        for frame in container.decode(stream):
            yield frame
            count += 1
    except MemoryError:
        raise
    except av.FFmpegError as error:
        raise UndecodableVideo(f"decoding fails after {count} frames: {_said(error)}") from None


def _seek(container: InputContainer, stream: VideoStream, point: SeekPoint) -> av.VideoFrame | None:
    """The frame of the point, with the container at the one after it; None if it cannot be found."""
    try:
        container.seek(point.pts, stream=stream)
        for frame in container.decode(stream):
            if frame.pts is None or frame.pts > point.pts:
                return None
            if frame.pts == point.pts:
                return frame
    except MemoryError:
        raise
    except av.FFmpegError:
        return None  # decoding from the beginning tells what is wrong, if anything is
    return None


def frames_at(
    path: Path,
    indices: Iterable[int],
    short_side: int | None = None,
    threads: int = 1,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (index, uint8 [H, W, 3]) for each wanted index, ascending; only wanted frames are turned into RGB.

    Raises:
        UndecodableVideo: the file ends before the last wanted frame.
    """
    for index, frame in decoded_at(path, indices, threads):
        yield index, upright(frame, short_side)


def decoded_at(
    path: Path, indices: Iterable[int], threads: int = 1, points: Sequence[SeekPoint] = (), hardware: str = "none"
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (index, frame as it was decoded) for each wanted index, ascending; nothing is opened for none.

    Raises:
        UndecodableVideo: the file ends before the last wanted frame.
    """
    wanted = sorted(set(indices))
    if not wanted:
        return
    position = 0
    for index, frame in decoded_from(path, wanted[0], points, threads, hardware):
        if index == wanted[position]:
            yield index, frame
            position += 1
            if position == len(wanted):
                return
    raise UndecodableVideo(f"ends before frame {wanted[position]}", Reason.CUT_SHORT)


def upright(frame: av.VideoFrame, short_side: int | None = None) -> np.ndarray:
    """RGB uint8 [H, W, 3], turned as the file asks; reduced so that the short side is at most `short_side`."""
    width, height = frame.width, frame.height
    if short_side is not None and min(width, height) > short_side:
        scale = short_side / min(width, height)
        width, height = round(width * scale), round(height * scale)
    picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=EVEN_AREA)
    return np.ascontiguousarray(np.rot90(picture, quarter_turns(frame)))


def quarter_turns(frame: av.VideoFrame) -> int:
    """Counter-clockwise quarter turns that make a frame upright."""
    return round(frame.rotation / 90) % 4


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """(width, height) after rotation."""
    return (frame.height, frame.width) if quarter_turns(frame) % 2 else (frame.width, frame.height)


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
