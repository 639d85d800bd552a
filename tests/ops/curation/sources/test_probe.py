from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from ops.catalogue.reasons import Reason
from ops.curation.decoding.frame_changes import Thumbnails
from ops.curation.decoding.frames import UndecodableVideo, decoded_at, frames_at
from ops.curation.sources.probe import probe

UNUSABLE = {
    "empty.mp4": ("empty", "the file is empty"),
    "sound.mp4": ("audio_only", "holds no video stream (it holds sound only)"),
    "nothing.avi": ("zero_frames", "no frame can be decoded"),
    "half.mp4": ("truncated", "decoding fails after"),
    "headless.mp4": ("headless", "cannot be opened as mp4"),
    "letter.mp4": ("wrong_extension", "cannot be opened as mp4"),
    "letter.gif": ("wrong_extension", "cannot be opened as mp4"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_files_have_a_reason(tmp_path: Path, videos, name: str) -> None:
    maker, reason = UNUSABLE[name]
    row = probe(getattr(videos, maker)(tmp_path / name))
    assert reason in row["reason"]
    assert len(row["sha256"]) == 64
    assert Reason(row["reason_code"])
    assert "frames" not in row


@pytest.mark.parametrize("name", ["pan.mp4", "pan.mkv", "pan.mov", "pan.webm", "pan.avi", "pan.gif"])
def test_every_admitted_format_is_counted(tmp_path: Path, videos, name: str) -> None:
    codec = {".webm": "libvpx", ".avi": "mpeg4", ".gif": "gif"}.get(Path(name).suffix, "libx264")
    row = probe(videos.slow_pan(tmp_path / name, codec=codec))
    assert (row["reason"], row["frames"], row["width"], row["height"]) == (None, 48, 128, 96)
    assert row["fps"] == pytest.approx(24, rel=2e-3)
    assert row["seconds"] == pytest.approx(2, rel=2e-3)
    assert not row["variable_frame_rate"]


def test_content_decides_not_the_name(tmp_path: Path, videos) -> None:
    matroska = videos.slow_pan(tmp_path / "a.mkv")
    row = probe(matroska.rename(tmp_path / "a.mp4"))
    assert row["reason"] is None
    assert row["container"] == "matroska,webm"


def test_a_playlist_is_not_followed(tmp_path: Path, videos) -> None:
    other = videos.slow_pan(tmp_path / "other.mp4")
    assert "cannot be opened" in probe(videos.playlist(tmp_path / "list.mp4", other))["reason"]


def test_half_a_file_without_an_error_is_noticed(tmp_path: Path, videos) -> None:
    whole = videos.slow_pan(tmp_path / "a.mkv")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "cut short: 2.0 s are announced" in probe(whole)["reason"]


def test_a_recording_that_begins_late_is_whole_unless_it_is_cut(tmp_path: Path, videos) -> None:
    """Matroska says when a film ends, not how long it is."""
    late = [500_000 + 40 * number for number in range(120)]
    path = videos.write(tmp_path / "a.mkv", videos.panning(3, 120), pts=late)
    row = probe(path)
    assert (row["reason"], row["frames"], row["seconds"]) == (None, 120, pytest.approx(4.8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut short: 4.8 s are announced" in probe(path)["reason"]


def test_odd_sizes_and_high_rates(tmp_path: Path, videos) -> None:
    odd = probe(videos.odd_sized(tmp_path / "odd.mp4"))
    assert (odd["width"], odd["height"], odd["reason"]) == (101, 77, None)
    assert probe(videos.sixty_fps(tmp_path / "sixty.mp4"))["fps"] == pytest.approx(60)


def test_variable_frame_rate_is_noticed(tmp_path: Path, videos) -> None:
    row = probe(videos.variable_frame_rate(tmp_path / "a.mkv"))
    assert row["variable_frame_rate"]
    assert row["frames"] == 48
    assert row["fps"] == pytest.approx(47 / 2.32, rel=1e-3)


@pytest.mark.parametrize(("degrees", "clockwise"), [(90, 270), (-90, 90), (180, 180)])
def test_rotation_is_applied(tmp_path: Path, videos, degrees: int, clockwise: int) -> None:
    path = videos.rotated(tmp_path / "a.mp4", degrees)
    row = probe(path)
    assert row["rotation"] == clockwise
    (_, turned), (_, lying) = (next(frames_at(each, [0])) for each in (path, videos.rotated(tmp_path / "b.mp4", 0)))
    assert turned.shape[:2] == (row["height"], row["width"])
    np.testing.assert_array_equal(turned, np.rot90(lying, degrees // 90))


def test_a_phone_held_upright(tmp_path: Path, videos) -> None:
    """The matrix that phones write into portrait films turns the stored picture clockwise."""
    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.set_display_matrix((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[:48, :64] = 255
        for frame in [av.VideoFrame.from_ndarray(picture, format="rgb24")] * 3:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    _, upright = next(frames_at(path, [0]))
    assert upright.shape == (128, 96, 3)
    assert upright[:60, 52:].mean() > 200
    assert upright[:60, :44].mean() < 50


def test_frames_come_by_index_and_size(tmp_path: Path, videos) -> None:
    path = videos.slow_pan(tmp_path / "a.mp4")
    chosen = dict(frames_at(path, [40, 0, 7, 7]))
    assert list(chosen) == [0, 7, 40]
    every = dict(frames_at(path, range(48)))
    assert all(np.array_equal(chosen[index], every[index]) for index in chosen)
    (_, small) = next(frames_at(path, [0], short_side=48))
    assert small.shape == (48, 64, 3)
    (_, same) = next(frames_at(path, [0], short_side=400))
    assert same.shape == (96, 128, 3)


def test_asking_past_the_end_is_an_error(tmp_path: Path, videos) -> None:
    with pytest.raises(UndecodableVideo, match="ends before frame 48"):
        list(frames_at(videos.slow_pan(tmp_path / "a.mp4"), [0, 48]))


def test_thumbnails_are_small_pictures_of_every_frame(tmp_path: Path, videos) -> None:
    path = videos.slow_pan(tmp_path / "a.mp4")
    thumbnails = Thumbnails()
    for index, frame in decoded_at(path, range(5, 13)):
        thumbnails.see(index, frame)
    small = thumbnails.between(5, 12)
    assert (small.shape, small.dtype) == ((8, 32, 32, 3), np.uint8)
    every = [picture for _, picture in frames_at(path, range(5, 13))]
    means = [picture.mean(axis=(0, 1)) for picture in every]
    np.testing.assert_allclose(small.mean(axis=(1, 2)), means, atol=2)
    thumbnails.forget(before=9)
    np.testing.assert_array_equal(thumbnails.between(9, 12), small[4:])
    for outside in (4, 8, 13):
        with pytest.raises(KeyError):
            thumbnails.between(outside, outside)
