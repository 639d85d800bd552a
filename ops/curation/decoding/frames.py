"""Decoding: frames by their index in the order in which they are shown. One open file per call, closed at its end."""

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
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ops.catalogue.reasons import Reason
from ops.curation.rules.reasons import Rejection
from ops.runtime.device import DECODING_DEVICES
from ops.runtime.video.orientation import orientation_of
from ops.runtime.video.rendering import Renderer, declare, lying_size

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif"
"""What may be opened. Playlists and scripts are left out on purpose: they can name any other file or address."""
_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}

MAX_PIXELS = 8192 * 8192
"""Of one frame, twice the area of 8K. More is taken for an attack: a small file whose frames fill the memory."""
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""By codec, decoders that know the alpha of WebM, which FFmpeg's own leave out."""
SQUARE = 0.01
"""A pixel whose width differs from its height by a smaller share is square."""
MOST_STRETCHED = 4.0
"""Times that a pixel may be wider than high, or higher than wide."""


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
        width, height = round(stream.codec_context.width * pixel_width_of(stream)), stream.codec_context.height
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
    pixel_width = pixel_width_of(stream)
    try:
        for frame in _as_decoded(container, stream):
            yield declare(frame, pixel_width)
            count += 1
    except MemoryError:
        raise
    except av.FFmpegError as error:
        raise UndecodableVideo(f"decoding fails after {count} frames: {_said(error)}") from None


def _as_decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    name = ALPHA_DECODERS.get(stream.codec_context.name) if stream.metadata.get("alpha_mode") == "1" else None
    if name not in av.codecs_available:
        yield from container.decode(stream)
        return
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.options, decoder.thread_count = stream.codec_context.options, stream.codec_context.thread_count
    for packet in container.demux(stream):
        yield from decoder.decode(packet if packet.size else None)


def _seek(container: InputContainer, stream: VideoStream, point: SeekPoint) -> av.VideoFrame | None:
    """The frame of the point, with the container at the one after it; None if it cannot be found."""
    try:
        container.seek(point.pts, stream=stream)
        for frame in container.decode(stream):
            if frame.pts is None or frame.pts > point.pts:
                return None
            if frame.pts == point.pts:
                return declare(frame, pixel_width_of(stream))
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
    """Yield (index, uint8 [H, W, 3] as a person sees it) for each wanted index, ascending.

    Raises:
        UndecodableVideo: the file ends before the last wanted frame.
    """
    renderer = Renderer()
    for index, frame in decoded_at(path, indices, threads):
        yield index, upright(frame, short_side, renderer)


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


def upright(frame: av.VideoFrame, short_side: int | None = None, renderer: Renderer | None = None) -> np.ndarray:
    """RGB uint8 [H, W, 3] as a person sees it; reduced so that the short side is at most `short_side`."""
    width, height = lying_size(frame)
    if short_side is not None and min(width, height) > short_side:
        scale = short_side / min(width, height)
        width, height = round(width * scale), round(height * scale)
    size = orientation_of(frame).size(width, height)
    return (renderer or Renderer()).upright(frame, size)


def pixel_width_of(stream: VideoStream) -> float:
    """How wide a stored pixel is shown, as a multiple of its height, by what the file says. It is 1 for those that are
    nearly square: some encoders write 1279:1280 for square ones. A shape that no camera has is taken for a mistake."""
    ratio = float(stream.sample_aspect_ratio or 1)
    odd = abs(ratio - 1) > SQUARE and 1 / MOST_STRETCHED <= ratio <= MOST_STRETCHED
    return ratio if odd else 1.0


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
