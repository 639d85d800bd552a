"""Decoding from a key frame on gives what decoding from the beginning gives, or is not done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ops.curation.clip import Clip
from ops.curation.decoding import frames
from ops.curation.decoding.frames import SeekPoint, decoded, decoded_at, decoded_from
from ops.curation.decoding.source_decoding import Decoding, SourceTask, stretches
from ops.curation.measuring.one_pass import score_source
from ops.curation.sources.probe import probe
from ops.runtime.project import Project

FRAMES, FPS, KEY = 240, 24, 30
CODECS = {
    "libx264": ("mp4", {"x264-params": f"keyint={KEY}:open-gop=1:bframes=3:b-pyramid=normal:scenecut=0"}),
    "libx265": ("mkv", {"x265-params": f"keyint={KEY}:bframes=3:log-level=none", "preset": "ultrafast"}),
    "mpeg4": ("avi", {"g": str(KEY), "bf": "2"}),
    "libvpx-vp9": ("webm", {"g": str(KEY), "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "16"}),
}


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory, videos) -> Callable[[str], Path]:
    """Ten seconds with a key frame every 30 frames, by codec."""
    folder, made = tmp_path_factory.mktemp("long"), {}

    def film(codec: str) -> Path:
        if codec not in made:
            suffix, options = CODECS[codec]
            made[codec] = folder / f"{codec}.{suffix}"
            with av.open(str(made[codec]), "w") as container:
                stream: Any = container.add_stream(codec, rate=FPS, options=options)
                stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
                for number, picture in enumerate(videos.panning(3, FRAMES)):
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                    frame.pts = number
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
        return made[codec]

    return film


def points_of(film: Path) -> tuple[SeekPoint, ...]:
    found = probe(film)
    assert (found["reason"], found["frames"]) == (None, FRAMES)
    return tuple(SeekPoint(*point) for point in found["seek_points"])


@pytest.mark.parametrize("codec", CODECS)
def test_frames_are_the_same_from_every_point(codec: str, long_film) -> None:
    film = long_film(codec)
    points, whole = points_of(film), [frame.to_ndarray() for frame in decoded(film)]
    assert [point.frame for point in points][:4] == [0, 60, 120, 180]
    for point in points[:4]:
        found = list(decoded_from(film, point.frame + 7, points))
        assert [index for index, _ in found] == list(range(point.frame, FRAMES))
        assert all(np.array_equal(frame.to_ndarray(), whole[index]) for index, frame in found)
    wanted = dict(decoded_at(film, [200, 130], points=points))
    assert list(wanted) == [130, 200]
    assert all(np.array_equal(frame.to_ndarray(), whole[index]) for index, frame in wanted.items())


def test_points_of_another_file_lead_to_the_beginning(long_film) -> None:
    film = long_film("libx264")
    _, second, *_ = points_of(film)
    for wrong in (SeekPoint(60, second.pts + 1), SeekPoint(60, 10**12), SeekPoint(60, -(10**12))):
        found = [index for index, _ in decoded_from(film, 70, [wrong])]
        assert found == list(range(FRAMES))


def test_stretches_leave_out_what_lies_between_points() -> None:
    def clip(start: int, end: int) -> Clip:
        return Clip("x", start, end, None, 24.0, 128, 96)

    points = [SeekPoint(frame, frame) for frame in (0, 60, 120, 180)]
    assert stretches([clip(100, 110), clip(0, 20)], points) == [(0, 20), (100, 110)]
    assert stretches([clip(61, 80), clip(0, 60)], points) == [(0, 80)]
    assert stretches([clip(0, 20), clip(30, 40), clip(10, 50)], points) == [(0, 50)]
    assert stretches([clip(0, 20), clip(200, 210)], []) == [(0, 210)]
    assert stretches([], points) == []


def test_clips_far_into_a_film_cost_only_themselves(
    long_film, project: Project, helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = long_film("libx264")
    points = points_of(film)
    curation = helpers["recipe"](
        project,
        {
            "shots": {"scorer": "picture-change", "min_frames": 12},
            **{"text_crop": {"scorer": "none"}, "technical_quality": {"scorer": "blur-and-blocks"}, "rules": []},
        },
    ).settings.curation
    clips = tuple(Clip("x", *span, None, 24.0, 128, 96) for span in ((10, 40), (150, 170), (200, 240)))
    decoded_frames = counted(monkeypatch)
    straight = score_source(SourceTask(project, curation, "shots", film, clips, {}))
    assert decoded_frames.pop() > FRAMES - 5
    sought = score_source(SourceTask(project, curation, "shots", film, clips, {}, points))
    assert decoded_frames.pop() < 45 + (170 - 120 + 5) + (240 - 180 + 5)
    assert [score[:4] for score in sought] == [score[:4] for score in straight]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames each pass over a source has been handed."""
    counts: list[int] = []
    original = Decoding._stretches

    def counting(self: Any, clips: Any) -> Iterator[Any]:
        counts.append(0)
        for each in original(self, clips):
            counts[-1] += 1
            yield each

    monkeypatch.setattr(Decoding, "_stretches", counting)
    return counts


def test_without_its_device_a_file_is_decoded_by_the_cpu(long_film, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not this machine has one: the number of frames is the same, and so is their size."""
    film = long_film("libx264")
    for hardware in ("auto", "cuda", "vaapi"):
        found = [(frame.width, frame.height) for frame in decoded(film, hardware=hardware)]
        assert found == [(128, 96)] * FRAMES

    def no_device(*_: Any, **options: Any) -> Any:
        if "hwaccel" in options:
            raise av.FFmpegError(1, "no such device")
        return opened(*_, **options)

    opened = frames.av.open
    monkeypatch.setattr(frames.av, "open", no_device)
    assert sum(1 for _ in decoded(film, hardware="cuda")) == FRAMES


def test_threads_decode_the_same_frames(long_film) -> None:
    film = long_film("libx264")
    one, four = ([frame.to_ndarray() for frame in decoded(film, threads=threads)] for threads in (1, 4))
    assert all(np.array_equal(first, second) for first, second in zip(one, four, strict=True))
