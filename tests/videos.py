"""Small clips with known content, written on the spot. Every function returns the path that it wrote.

Pictures are random coloured shapes, neither grey nor flat, and the same for the same seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, FPS = 128, 96, 24


def scene(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Coloured shapes on a smooth ground, uint8 [height, width, 3]; no two seeds look alike."""
    random = np.random.default_rng(seed)
    ground = Image.fromarray(random.integers(0, 256, (3, 3, 3), dtype=np.uint8))
    image = ground.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(width * height // 500):
        x, y, size = random.integers(0, width), random.integers(0, height), random.integers(6, 30)
        corners = (int(x - size), int(y - size // 2), int(x + size), int(y + size // 2))
        draw = pen.ellipse if random.random() < 0.5 else pen.rectangle
        draw(corners, fill=tuple(int(value) for value in random.integers(0, 256, 3)))
    return np.asarray(image)


def panning(seed: int, frames: int, step: int = 1, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
    """A window that moves `step` pixels a frame over one wide picture."""
    wide = scene(seed, width + frames * step, height)
    return [wide[:, index * step : index * step + width] for index in range(frames)]


def write(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: float = FPS,
    codec: str = "libx264",
    pts: Sequence[int] | None = None,
    rotation: int = 0,
    format: str | None = None,
) -> Path:
    """Encode RGB frames; `pts` are times in thousandths of a second, where given; `rotation` is metadata only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = list(frames)
    options = {"crf": "18", "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w", format=format) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = {"gif": "rgb8", "ffv1": "bgr0"}.get(codec, "yuv420p")
        if min(frames[0].shape[0] % 2, frames[0].shape[1] % 2) or stream.width % 2 or stream.height % 2:
            stream.pix_fmt = "yuv444p"
        if rotation:
            stream.set_display_rotation(rotation)
        if pts is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def still(path: Path, frames: int = 48) -> Path:
    return write(path, [scene(1)] * frames)


def slow_pan(path: Path, frames: int = 48, seed: int = 2, **options: Any) -> Path:
    return write(path, panning(seed, frames), **options)


def hard_cut(path: Path, cuts: Sequence[int] = (30,), frames: int = 60) -> Path:
    """Slow pans over another picture from each frame of `cuts` on."""
    bounds = [0, *cuts, frames]
    shots = [panning(10 + n, end - start) for n, (start, end) in enumerate(pairwise(bounds))]
    return write(path, [picture for shot in shots for picture in shot])


def flicker(path: Path, frames: int = 48) -> Path:
    """Another picture in every frame."""
    return write(path, [scene(100 + number) for number in range(frames)])


def bottom_subtitle(path: Path, frames: int = 48, text: str = "a line of subtitles", moving: bool = True) -> Path:
    """Large text within the lowest fifth; below `moving`, the picture behind it stands still."""
    size = (320, 240)
    pictures = panning(3, frames, width=size[0], height=size[1]) if moving else [scene(3, *size)] * frames
    return write(path, [_written(picture, text, (30, 212), 22) for picture in pictures])


def central_text(path: Path, frames: int = 48) -> Path:
    return write(
        path, [_written(picture, "A TITLE", (60, 95), 48) for picture in panning(4, frames, width=320, height=240)]
    )


def sixty_fps(path: Path, frames: int = 120) -> Path:
    return write(path, panning(5, frames), fps=60)


def ten_frames(path: Path) -> Path:
    return write(path, panning(6, 10))


def truncated(path: Path) -> Path:
    """The first half of a file whose index comes first: it opens, and ends early."""
    whole = path.with_name(f"whole_{path.name}")
    write(whole, [scene(200 + number) for number in range(60)])
    first = whole.with_name(f"first_{path.name}")
    with av.open(str(whole)) as source, av.open(str(first), "w", options={"movflags": "faststart"}) as target:
        copy: Any = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    path.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    whole.unlink()
    first.unlink()
    return path


def headless(path: Path) -> Path:
    """The second half of a file: its index is there, its beginning is not."""
    write(path, panning(7, 48))
    path.write_bytes(path.read_bytes()[path.stat().st_size // 2 :])
    return path


def empty(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def audio_only(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        add_sound(container)
    return path


def add_sound(container: Any) -> None:
    """One second of a tone, as the container's next stream."""
    stream: Any = container.add_stream("aac", rate=44100, layout="mono")
    for start in range(0, 44100, 1024):
        samples = np.sin(np.arange(start, start + 1024) / 20, dtype=np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def zero_frames(path: Path) -> Path:
    """A container that announces a video stream and holds no picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="avi") as container:
        stream: Any = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        container.start_encoding()
    return path


def odd_sized(path: Path) -> Path:
    return write(path, panning(8, 48, width=101, height=77))


def rotated(path: Path, degrees: int = 90) -> Path:
    """Stored lying, with metadata that turns it by `degrees` counter-clockwise."""
    return write(path, panning(9, 48), rotation=degrees)


def variable_frame_rate(path: Path) -> Path:
    """24 frames 20 ms apart, then 24 frames 80 ms apart."""
    times = [20 * number for number in range(24)] + [480 + 80 * number for number in range(24)]
    return write(path, panning(11, 48), pts=times)


def wrong_extension(path: Path) -> Path:
    """A text, whatever the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("This is a letter, not a film.\n" * 50, encoding="utf-8")
    return path


def playlist(path: Path, target: Path) -> Path:
    """A script that asks a decoder to open another file."""
    path.write_text(f"ffconcat version 1.0\nfile '{target}'\n", encoding="utf-8")
    return path


def duplicate(path: Path, of: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(of, path)
    return path


def _written(picture: np.ndarray, text: str, place: tuple[int, int], size: int) -> np.ndarray:
    image = Image.fromarray(picture).copy()
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size)
    x, y, right, bottom = pen.textbbox(place, text, font=font)
    pen.rectangle((x - 4, y - 3, right + 4, bottom + 3), fill="black")
    pen.text(place, text, font=font, fill="white")
    return np.asarray(image)
