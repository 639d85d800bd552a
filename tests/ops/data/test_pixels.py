import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from ops.data import pixels
from ops.data.captions import captions
from ops.data.columns import Sample
from ops.data.samples import training_samples
from ops.data.training_set import training_set
from ops.runtime.project import Project


@pytest.fixture
def ready(curated: Project) -> Project:
    captions(curated)
    training_set(curated)
    return curated


def sample(**columns: Any) -> Sample:
    base = {"sample_id": "s", "source_id": "film", "kind": "video", "root": "films", "path": "film0.mkv"}
    size = {"frames": 5, "height": 48, "width": 64, "frame_indices": [3, 5, 7, 9, 11], "crop": None}
    return cast(Sample, {**base, **size, **columns})


def test_the_very_frames_are_read(ready: Project):
    found = pixels.read_sample(ready, sample())
    assert found.shape == (5, 48, 64, 3)
    assert found.dtype == np.uint8
    assert [set(frame[..., 0].flat) for frame in found] == [{3}, {5}, {7}, {9}, {11}]
    assert found[0, 10, 20].tolist() == [3, 10, 20]  # the bucket has the film's size: nothing is resized


def test_repeated_frames_are_repeated(ready: Project):
    found = pixels.read_sample(ready, sample(frame_indices=[4, 4, 5, 5, 6]))
    assert found[:, 0, 0, 0].tolist() == [4, 4, 5, 5, 6]


def test_the_crop_and_then_the_centre_are_taken(ready: Project):
    found = pixels.read_sample(ready, sample(crop=[8, 56, 0, 48], height=32, width=48))[0]
    assert found[:, :, 2].min() == 8
    assert found[:, :, 2].max() == 55
    assert found[:, 0, 1].tolist() == list(range(8, 40))  # 32 of 48 rows: eight fall away above and below


def test_resizing_steps_by_size_less_one_and_smooths():
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[:, 2:] = 240
    grown = pixels.fitted(frame, 7, 7)
    # pixel k lies at (k + 0.5) · 3/6 of the source, whose own pixels lie at 0.5, 1.5, …
    assert grown[0, :, 0].tolist() == [0, 0, 0, 60, 180, 240, 240]
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    shrunk = pixels.fitted(stripes, 16, 16)[4:-4, 4:-4]
    assert 80 < shrunk.min() <= shrunk.max() < 120  # without smoothing, one of the stripes alone would show


def test_every_sample_of_the_training_set_can_be_read_with_each_source_decoded_once(
    ready: Project, monkeypatch: pytest.MonkeyPatch
):
    opened: list[Path] = []
    decode = pixels.frames_at
    monkeypatch.setattr(pixels, "frames_at", lambda path, *args: (opened.append(path), decode(path, *args))[1])
    samples = training_samples(ready)
    found = {row["sample_id"]: array for row, array in pixels.read_samples(ready, samples)}
    assert set(found) == {row["sample_id"] for row in samples}
    assert all(found[row["sample_id"]].shape == (row["frames"], row["height"], row["width"], 3) for row in samples)
    assert len([path for path in opened if path.suffix == ".mkv"]) == 3


def test_a_reader_decodes_the_windows_of_a_source_together_and_remembers(
    ready: Project, monkeypatch: pytest.MonkeyPatch
):
    windows = [sample(sample_id=str(k), frame_indices=list(range(k, k + 5))) for k in range(6)]
    expected = [pixels.read_sample(ready, window) for window in windows]
    opened = []
    decode = pixels.frames_at
    monkeypatch.setattr(pixels, "frames_at", lambda path, *args: (opened.append(path), decode(path, *args))[1])
    reader = pixels.PixelReader(ready, lambda _: windows)
    for k in (4, 0, 5, 2, 4, 1, 3):
        assert np.array_equal(reader.read([windows[k]])[0], expected[k])
    assert len(opened) == 1


def test_a_reader_does_not_take_one_window_of_a_sample_for_another(ready: Project) -> None:
    """It may be drawn anew in each epoch."""
    reader = pixels.PixelReader(ready, lambda window: [window])
    for begin in (0, 3, 0):
        window = sample(frame_indices=list(range(begin, begin + 5)))
        assert np.array_equal(reader.read([window])[0], pixels.read_sample(ready, window))


def test_a_reader_keeps_within_its_memory(ready: Project):
    windows = [sample(sample_id=str(k), frame_indices=list(range(k, k + 5))) for k in range(6)]
    one = 5 * 48 * 64 * 3
    reader = pixels.PixelReader(ready, lambda _: windows, cache_bytes=2 * one)
    for k in (0, 3, 1, 0, 5):
        assert reader.read([windows[k]])[0][0, 0, 0, 0] == k
        assert reader._held <= 2 * one
        assert reader._held == sum(array.nbytes for array in reader._cache.values())


def test_what_ails_one_window_of_a_source_is_not_the_others_affair(ready: Project):
    """Otherwise it would depend on the cache whether a sample can be read."""
    sound, cut = sample(sample_id="sound"), sample(sample_id="cut", frame_indices=[99])
    reader = pixels.PixelReader(ready, lambda _: [sound, cut])
    found, told = reader.read([sound, cut])
    assert np.array_equal(found, pixels.read_sample(ready, sound))
    assert "is not what was curated (ends before frame 99)" in told


def test_threads_that_share_a_reader_read_one_after_the_other(ready: Project, monkeypatch: pytest.MonkeyPatch):
    """Two threads miss the same sample: were both let in, they would meet where it is decoded."""
    decode, together, begun = pixels.read_samples, threading.Barrier(2), []

    def decode_slowly(project: Project, samples: list[Sample]):
        begun.append(samples)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(0.3)
        return decode(project, samples)

    monkeypatch.setattr(pixels, "read_samples", decode_slowly)
    reader = pixels.PixelReader(ready, lambda _: [sample()])
    with ThreadPoolExecutor(2) as pool:
        (one,), (other,) = pool.map(reader.read, [[sample()], [sample()]])
    assert one is other
    assert len(begun) == 1


def test_a_picture_is_turned_as_its_exif_data_asks(tmp_path: Path):
    image = Image.new("RGB", (8, 4))
    image.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    found = pixels.image_pixels(tmp_path / "turned.png")
    assert found.shape == (8, 4, 3)
    assert found[0, 3].tolist() == [255, 0, 0]


def test_a_source_that_has_changed_since_is_named(ready: Project):
    film = ready.root / "films" / "film0.mkv"
    with pytest.raises(pixels.UnreadableSource, match=r"film0.mkv is not what was curated \(ends before frame 99"):
        pixels.read_sample(ready, sample(frame_indices=[99]))
    film.unlink()
    with pytest.raises(pixels.UnreadableSource, match="run the curation again"):
        pixels.read_sample(ready, sample())


def test_a_path_out_of_the_root_is_refused(ready: Project):
    with pytest.raises(ValueError, match="leads outside"):
        pixels.read_sample(ready, sample(path="../params.yaml"))


def test_frames_for_a_captioner_are_spread_and_cropped(ready: Project):
    clip = {"root": "films", "path": "film0.mkv", "start_frame": 10, "end_frame": 30, "crop": [0, 32, 0, 48]}
    found = pixels.spread_frames(ready, clip, 4)
    assert [int(frame[0, 0, 0]) for frame in found] == [12, 17, 22, 27]
    assert found[0].shape == (48, 32, 3)
    (picture,) = pixels.spread_frames(ready, {"root": "pictures", "path": "picture2.png"}, 4)
    assert picture[0, 0, 0] == 102


def test_pictures_are_trained_on_as_they_were_curated(tmp_path: Path) -> None:
    """Transparent parts on white, and sixteen bits as eight: neither black nor all white."""
    see_through = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    see_through.save(tmp_path / "a.png")
    assert pixels.image_pixels(tmp_path / "a.png")[0, 0].tolist() == [255, 255, 255]
    Image.fromarray(np.full((8, 8), 0x4000, np.uint16)).save(tmp_path / "b.png")
    assert pixels.image_pixels(tmp_path / "b.png")[0, 0].tolist() == [63, 63, 63]  # of 63.75


def test_a_picture_that_was_damaged_since_is_named(ready: Project) -> None:
    picture, *_ = training_samples(ready, kinds=("image",))
    (ready.root / picture["root"] / picture["path"]).write_bytes(b"no picture")
    with pytest.raises(pixels.UnreadableSource, match="is not what was curated"):
        pixels.read_sample(ready, picture)
