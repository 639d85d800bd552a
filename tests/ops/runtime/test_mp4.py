import av
import numpy as np
import pytest

from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4, write_mp4


def video(frames: int = 9, height: int = 48, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    shades = np.stack([(x * 2 + 4 * t, y * 3 + 0 * x, 128 + 0 * x) for t in range(frames)])
    return np.clip(shades, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def test_a_written_video_reads_back_close_to_itself(tmp_path) -> None:
    write_mp4(tmp_path / "a.mp4", video(), fps=8)
    back = read_mp4(tmp_path / "a.mp4")
    assert back.shape == video().shape
    assert np.abs(back.astype(int) - video()).mean() < 4
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.codec_context.pix_fmt) == (8, "yuv420p")


def test_frames_that_come_one_by_one_make_the_same_file(tmp_path) -> None:
    write_mp4(tmp_path / "at_once.mp4", video(), fps=8)
    write_mp4(tmp_path / "one_by_one.mp4", iter(list(video())), fps=8)
    assert (tmp_path / "one_by_one.mp4").read_bytes() == (tmp_path / "at_once.mp4").read_bytes()
    with pytest.raises(ValueError, match="there are no frames to write"):
        write_mp4(tmp_path / "none.mp4", iter([]), fps=8)
    assert not (tmp_path / "none.mp4").exists()


@pytest.mark.parametrize("side", [16, 32, 64])
def test_the_same_frames_give_the_same_bytes(side, tmp_path) -> None:
    """Also for pictures of one or two macroblocks, and whatever the process has in its memory."""
    random, left, hashes = np.random.default_rng(0), [], set()
    for _ in range(40):
        left = [*left[-9:], random.integers(0, 255, random.integers(1_000, 20_000), dtype=np.uint8)]
        write_mp4(tmp_path / "a.mp4", video(12, side, side), fps=23.976)
        hashes.add(sha256(tmp_path / "a.mp4"))
    assert len(hashes) == 1


def test_one_frame_is_a_video_too(tmp_path) -> None:
    write_mp4(tmp_path / "a.mp4", video(1), fps=8)
    assert len(read_mp4(tmp_path / "a.mp4")) == 1


def test_a_failed_write_leaves_nothing_behind(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"float64|dtype"):
        write_mp4(tmp_path / "a.mp4", video().astype(np.float64), fps=8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "matrix"), [((640, 32), 6), ((1280, 32), 1), ((32, 640), 1)])
def test_a_player_shows_the_colours_that_were_written(tmp_path, size, matrix) -> None:
    """Whether it obeys the file's tags or guesses by the size, as some do."""
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (200, 120, 80),
        (0, 0, 0),
        (60, 140, 180),
        (9, 9, 9),
    ]
    width, height = size
    place = np.arange(width * height).reshape(height, width) % width * 8 // width
    picture = np.array(colours, np.uint8)[place]
    write_mp4(tmp_path / "a.mp4", np.stack([picture] * 2), fps=8)
    read = read_mp4(tmp_path / "a.mp4")[1]
    assert np.abs(read.astype(int) - picture)[:, width // 16 :: width // 8].max() <= (4 if width > 32 else 40)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (matrix, 1, 1, 1)
    kr, kb = {6: (0.299, 0.114), 1: (0.2126, 0.0722)}[matrix]
    y, u, v = (float(plane[height // (2, 4, 4)[n], width // (16, 32, 32)[n]]) for n, plane in enumerate(_planes(frame)))
    luma, red = (y - 16) / 219, (v - 128) / 224
    assert 255 * (luma + 2 * (1 - kr) * red) == pytest.approx(255, abs=6)
    assert 255 * (luma + 2 * (1 - kb) * (u - 128) / 224) == pytest.approx(0, abs=6)


def _planes(frame: av.VideoFrame) -> list[np.ndarray]:
    return [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
