"""A folder of files that are broken or odd, each with what curation has to say about it.

`make` writes them and returns, for each path as a table holds it, an `Expected`. The names say what is odd.
"""

from __future__ import annotations

import os
import socket
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
from PIL import Image

WIDTH, HEIGHT, FRAMES = 64, 48, 24


@dataclass(frozen=True)
class Expected:
    """Without codes the file is kept, with this size and so many frames."""

    codes: frozenset[str]
    size: tuple[int, int]
    frames: int


class Corpus:
    def __init__(self, folder: Path, videos: ModuleType) -> None:
        self.folder, self.videos = folder, videos
        self.expected: dict[str, Expected] = {}
        self._seed = 1000

    def kept(self, name: str, size: tuple[int, int] = (WIDTH, HEIGHT), frames: int = FRAMES) -> Path:
        return self._place(name, Expected(frozenset(), size, frames))

    def out(self, name: str, *codes: str) -> Path:
        return self._place(name, Expected(frozenset(codes), (0, 0), 0))

    def _place(self, name: str, expected: Expected) -> Path:
        assert name not in self.expected
        self.expected[name] = expected
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def pictures(self, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
        """A slow pan over another picture at each call, so that no two files are alike by accident."""
        self._seed += 1
        return self.videos.panning(self._seed, frames, width=width, height=height)

    def whole(self, suffix: str, codec: str = "libx264", **options: Any) -> bytearray:
        """The bytes of a good clip; `options` go to the container."""
        path = self.folder.parent / f"whole{suffix}"
        encode(path, self.pictures(), codec, **options)
        content = bytearray(path.read_bytes())
        path.unlink()
        return content


def make(folder: Path, videos: ModuleType) -> dict[str, Expected]:
    folder.mkdir(parents=True)
    corpus = Corpus(folder, videos)
    for part in (_cut, _damaged, _lying_headers, _other_contents, _pixel_formats, _shapes, _times, _names, _no_files):
        part(corpus)
    return corpus.expected


def encode(
    path: Path, pictures: Iterable[np.ndarray], codec: str = "libx264", pixels: str | None = None, **options: Any
) -> Path:
    """Encode RGB pictures in a pixel format, which must be one that the codec takes."""
    pictures = list(pictures)
    chosen = pixels or {"gif": "rgb8", "ffv1": "bgr0"}.get(codec, "yuv420p")
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=24, options=quiet)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = chosen
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame.reformat(format=chosen)))
        container.mux(stream.encode())
    return path


def _cut(corpus: Corpus) -> None:
    """Copies that stopped early. An mp4 has its index at the end, unless it is made to be streamed."""
    mp4, streamed = corpus.whole(".mp4"), corpus.whole(".mp4", movflags="faststart")
    for share in (0.001, 0.02, 0.25, 0.5, 0.9):
        corpus.out(f"cut/at_{share}.mp4", "unknown_format").write_bytes(mp4[: int(len(mp4) * share) or 1])
    corpus.kept("cut/only_tags_lost.mp4").write_bytes(mp4[:-10])
    for share in (0.1, 0.6, 0.8, 0.95):
        path = corpus.out(f"cut/streamed_at_{share}.mp4", "unknown_format", "no_video", "damaged", "cut_short")
        path.write_bytes(streamed[: int(len(streamed) * share)])
    for suffix, codec in ((".mkv", "libx264"), (".webm", "libvpx"), (".avi", "mpeg4")):
        content = corpus.whole(suffix, codec)
        for share in (0.01, 0.3, 0.5):
            path = corpus.out(f"cut/at_{share}{suffix}", "unknown_format", "no_frames", "damaged", "cut_short")
            path.write_bytes(content[: int(len(content) * share)])
    gif = corpus.whole(".gif", "gif")
    corpus.out("cut/at_0.01.gif", "damaged").write_bytes(gif[: len(gif) // 100])
    # a GIF announces no length: half of one is a shorter one
    corpus.kept("cut/at_0.5.gif", frames=FRAMES // 2).write_bytes(gif[: len(gif) // 2])


def _damaged(corpus: Corpus) -> None:
    """Whole in length, with other bytes inside."""
    noise = np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes()
    for suffix in (".mp4", ".mkv", ".avi", ".gif", ".webm"):
        corpus.out(f"noise/only{suffix}", "unknown_format").write_bytes(noise + suffix.encode())
    for name, codec, options in (
        ("noise/inside.mp4", "libx264", {"movflags": "faststart"}),
        ("noise/inside.mkv", "libx264", {}),
        ("noise/inside.webm", "libvpx", {}),
    ):
        content = corpus.whole(Path(name).suffix, codec, **options)
        start, end = len(content) // 2, len(content) * 9 // 10
        content[start:end] = noise[: end - start]
        corpus.out(name, "damaged", "cut_short", "no_frames", "size_changes").write_bytes(content)
    zeros = corpus.whole(".mp4", movflags="faststart")
    zeros[len(zeros) // 2 :] = bytes(len(zeros) - len(zeros) // 2)
    corpus.out("noise/second_half_never_written.mp4", "damaged", "cut_short").write_bytes(zeros)


def _lying_headers(corpus: Corpus) -> None:
    """A good clip whose header announces something huge, or nothing."""

    def patched(path: Path, suffix: str, place: bytes, offset: int, value: bytes, codec: str = "libx264") -> None:
        content = corpus.whole(suffix, codec)
        start = content.find(place) if place else 0
        assert start >= 0
        content[start + offset : start + offset + len(value)] = value
        path.write_bytes(content)

    huge = struct.pack("<HH", 12_000, 12_000)  # its frames would take a gigabyte
    patched(corpus.out("header/bomb.gif", "too_large"), ".gif", b"", 6, huge, "gif")
    patched(corpus.out("header/widest.gif", "damaged"), ".gif", b"", 6, b"\xff\xff\xff\xff", "gif")
    patched(
        corpus.out("header/wide_frames.webm", "damaged"),
        ".webm",
        b"\x9d\x01\x2a",
        3,
        struct.pack("<HH", 16383, 16383),
        "libvpx",
    )
    sides = struct.pack("<ii", 12_000, 12_000)
    path = corpus.out("header/raw.avi", "too_large")
    encode(path, corpus.pictures(), "rawvideo", "bgr24")
    content = bytearray(path.read_bytes())
    start = content.find(b"strf") + 12
    content[start : start + 8] = sides
    path.write_bytes(content)
    # players stretch pictures to the shape that the track names
    patched(
        corpus.kept("header/wide_track.mp4", (HEIGHT, HEIGHT)), ".mp4", b"tkhd", 80, b"\xff\xff\x00\x00\xff\xff\x00\x00"
    )
    patched(corpus.kept("header/wide_sample_entry.mp4"), ".mp4", b"avc1", 28, b"\xff\xff\xff\xff")
    patched(corpus.kept("header/no_duration.mp4"), ".mp4", b"mdhd", 20, bytes(4))
    patched(corpus.kept("header/negative_duration.mp4"), ".mp4", b"mdhd", 20, b"\x80\x00\x00\x00")
    patched(corpus.kept("header/endless.mp4"), ".mp4", b"mdhd", 20, b"\xff\xff\xff\xff")
    patched(corpus.out("header/no_clock.mp4", "cut_short", "bad_times"), ".mp4", b"mdhd", 16, bytes(4))
    patched(corpus.out("header/many_frames.mp4", "cut_short"), ".mp4", b"stts", 12, b"\xff\xff\xff\xff")
    entries = corpus.out("header/many_entries.mp4", "unknown_format", "out_of_memory")
    patched(entries, ".mp4", b"stts", 8, b"\xff\xff\xff\xff")
    patched(corpus.out("header/many_samples.mp4", "unknown_format"), ".mp4", b"stsz", 12, b"\x7f\xff\xff\xff")
    patched(corpus.kept("header/nonsense_length.mkv"), ".mkv", b"00:00:01.0", 0, b"aa:bb:cc.d")


def _other_contents(corpus: Corpus) -> None:
    videos = corpus.videos
    videos.empty(corpus.out("content/empty.mp4", "empty"))
    corpus.out("content/one_byte.mp4", "unknown_format").write_bytes(b"\0")
    videos.wrong_extension(corpus.out("content/letter.mp4", "unknown_format"))
    corpus.out("content/page.webm", "unknown_format").write_text("<!doctype html><title>404</title>Not found\n" * 40)
    with zipfile.ZipFile(corpus.out("content/archive.avi", "unknown_format"), "w") as archive:
        archive.writestr("film.mp4", b"no film")
    Image.fromarray(videos.scene(1)).save(corpus.out("content/picture.mp4", "unknown_format"), "png")
    Image.fromarray(videos.scene(1)).save(corpus.out("content/photo.gif", "unknown_format"), "jpeg")
    target = corpus.kept("content/matroska.mp4")
    target.write_bytes(corpus.whole(".mkv"))
    corpus.kept("content/gif.mp4").write_bytes(corpus.whole(".gif", "gif"))
    corpus.kept("content/mp4.gif").write_bytes(corpus.whole(".mp4"))
    videos.playlist(corpus.out("content/playlist.mp4", "unknown_format"), target)
    corpus.out("content/stream.mp4", "unknown_format").write_text(f"#EXTM3U\n#EXTINF:1,\n{target}\n")
    videos.audio_only(corpus.out("content/sound.mp4", "no_video"))
    _sound_with_cover(corpus.out("content/sound_with_cover.mkv", "no_video"), corpus.pictures(1)[0], corpus.videos)
    videos.zero_frames(corpus.out("content/nothing.avi", "no_frames"))


def _pixel_formats(corpus: Corpus) -> None:
    for name, codec, pixels in (
        ("ten_bits.mp4", "libx264", "yuv420p10le"),
        ("ten_bits_hevc.mp4", "libx265", "yuv420p10le"),
        ("sixteen_bits.mkv", "ffv1", "gbrp16le"),
        ("sixteen_bits_grey.mkv", "ffv1", "gray16le"),
        ("grey.mkv", "ffv1", "gray"),
        ("full_colour.mp4", "libx264", "yuv444p"),
        ("half_colour.mp4", "libx264", "yuv422p"),
        ("full_range.avi", "mjpeg", "yuvj420p"),
        ("raw.avi", "rawvideo", "bgr24"),
        ("alpha.mkv", "ffv1", "yuva420p"),
        ("alpha.mov", "qtrle", "argb"),
        ("alpha_sixteen_bits.mov", "png", "rgba64be"),
        ("alpha.webm", "libvpx-vp9", "yuva420p"),
    ):
        encode(corpus.kept(f"pixels/{name}"), corpus.pictures(), codec, pixels)
    pictures = [Image.fromarray(picture).convert("RGBA") for picture in corpus.pictures(12)]
    for picture in pictures:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size).point(lambda value: 255 * (value > 90)))
    first, *others = pictures
    first.save(
        corpus.kept("pixels/transparent.gif", frames=12), save_all=True, append_images=others, duration=40, disposal=2
    )


def _shapes(corpus: Corpus) -> None:
    for width, height in ((1, 1), (2, 2), (17, 33), (15, 400)):
        path = corpus.kept(f"shape/{width}x{height}.mp4", (width, height))
        encode(path, corpus.pictures(width=width, height=height), "libx264", "yuv444p")
    videos = corpus.videos
    for degrees in (90, 180, -90):
        size = (WIDTH, HEIGHT) if degrees == 180 else (HEIGHT, WIDTH)
        videos.write(corpus.kept(f"shape/turned_{degrees}.mp4", size), corpus.pictures(), rotation=degrees)
    _growing(corpus.out("shape/grows.webm", "size_changes"), corpus)


def _times(corpus: Corpus) -> None:
    videos = corpus.videos
    for count in (1, 2, 10):
        videos.write(corpus.kept(f"time/{count}_frames.mp4", frames=count), corpus.pictures(count))
    videos.write(corpus.kept("time/one_frame.gif", frames=1), corpus.pictures(1), codec="gif")
    videos.write(corpus.kept("time/sixty_a_second.mp4", frames=120), corpus.pictures(120), fps=60)
    videos.write(corpus.kept("time/one_in_ten_seconds.mp4", frames=6), corpus.pictures(6), fps=0.1)
    uneven = [20 * number for number in range(12)] + [240 + 80 * number for number in range(12)]
    videos.write(corpus.kept("time/uneven.mkv"), corpus.pictures(), pts=uneven)
    pause = [40 * number for number in range(23)] + [36_000_000]
    videos.write(corpus.kept("time/pause_of_ten_hours.mkv"), corpus.pictures(), pts=pause)
    days = [86_400_000 * number for number in range(4)]
    videos.write(corpus.out("time/a_frame_a_day.mkv", "bad_times"), corpus.pictures(4), pts=days)
    encode(corpus.kept("time/endless_loop.gif"), corpus.pictures(), "gif", loop="0")
    videos.write(corpus.kept("time/still.mp4"), corpus.pictures(1) * FRAMES)
    videos.write(corpus.kept("time/flicker.mp4"), [corpus.pictures(1)[0] for _ in range(FRAMES)])


def _names(corpus: Corpus) -> None:
    for name in (
        "two\nlines.mp4",
        "🎬 film 🎞️.mp4",
        "  spaces  .mp4",
        "-rf.mp4",
        "%03d.mp4",
        'quote\'s "and" `more` | $HOME;.mp4',
        "http:example.mp4",
        "c:drive.mp4",
        "CAPITALS.MP4",
        "é".encode().decode() + "e\u0301.mp4",
        "long" * 50 + ".mp4",
    ):
        corpus.kept(f"name/{name}").write_bytes(corpus.whole(".mp4"))
    for year, seconds in ((1901, -(2**31)), (1969, -1), (2400, 13_569_465_600)):
        path = corpus.kept(f"date/{year}.mp4")
        path.write_bytes(corpus.whole(".mp4"))
        os.utime(path, (seconds, seconds))
    corpus.out("name/caf\\udce9.mp4", "bad_name")
    Path(os.fsdecode(os.fsencode(corpus.folder / "name") + b"/caf\xe9.mp4")).write_bytes(corpus.whole(".mp4"))


def _no_files(corpus: Corpus) -> None:
    corpus.kept("other/folder.mp4/film.mp4").write_bytes(corpus.whole(".mp4"))
    corpus.out("other/folder.mp4", "not_a_file")
    os.mkfifo(corpus.out("other/pipe.mp4", "not_a_file"))
    _socket(corpus.out("other/socket.mp4", "not_a_file"))
    corpus.out("other/itself.mp4", "broken_link").symlink_to("itself.mp4")
    corpus.out("other/there.mp4", "broken_link").symlink_to("back.mp4")
    corpus.out("other/back.mp4", "broken_link").symlink_to("there.mp4")
    corpus.out("other/gone.mp4", "broken_link").symlink_to("no_such_file.mp4")
    corpus.out("other/impossible.mp4", "broken_link").symlink_to("x" * 300)
    corpus.out("other/round", "repeated_folder").symlink_to(corpus.folder)
    corpus.out("other/outside.mp4", "outside").symlink_to("/dev/zero")
    original = corpus.kept("other/a_original.mp4")
    original.write_bytes(corpus.whole(".mp4"))
    corpus.videos.duplicate(corpus.out("other/copy.mp4", "duplicate"), original)
    corpus.out("other/hard_link.mp4", "duplicate").hardlink_to(original)
    corpus.out("other/soft_link.mp4", "duplicate").symlink_to(original)
    # the superuser may read everything
    private = corpus.kept("other/private.mp4") if os.geteuid() == 0 else corpus.out("other/private.mp4", "unreadable")
    private.write_bytes(corpus.whole(".mp4"))
    private.chmod(0)


def _sound_with_cover(path: Path, picture: np.ndarray, videos: ModuleType) -> None:
    cover = path.with_suffix(".cover")
    Image.fromarray(picture).save(cover, "jpeg")
    with av.open(str(path), "w") as container:
        container.add_attachment("cover.jpg", "image/jpeg", cover.read_bytes())
        videos.add_sound(container)
    cover.unlink()


def _growing(path: Path, corpus: Corpus) -> None:
    """VP8 says its size in every key frame, so that frames of another size may follow."""
    parts = []
    for scale in (1, 2):
        part = path.with_name(f"part{scale}.webm")
        parts.append(encode(part, corpus.pictures(6, WIDTH * scale, HEIGHT * scale), "libvpx"))
    with av.open(str(path), "w") as container, av.open(str(parts[0])) as small, av.open(str(parts[1])) as large:
        stream: Any = container.add_stream_from_template(small.streams.video[0])
        for number, packet in enumerate([*small.demux(video=0), *large.demux(video=0)]):
            if packet.size:
                packet.pts = packet.dts = number * 40
                packet.stream = stream
                container.mux(packet)
    for part in parts:
        part.unlink()


def _socket(path: Path) -> None:
    """A path of a socket may have 107 bytes, so it is bound under its bare name."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(before)
