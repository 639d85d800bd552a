"""Given frames as files hold them, and as a model sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.control.condition_masks import compress_mask, hidden, spread
from ops.generation.given_pixels import GivenPixels, read_given
from ops.sampling.request import Given, GivenFile, Request, SamplingError

MODELS = Path(__file__).parents[2] / "models" / "parity"
CASES = json.loads((MODELS / "image_condition.json").read_text(encoding="utf-8"))["cases"]
FIXED = [
    case
    for case in CASES
    if case["kind"] in ("i2v", "transition", "continuation") and len(case["given"]) in range(1, case["frames"])
]


def asked(given: Given | None, **changes: Any) -> Request:
    usual = {"seed": 0, "steps": 5, "guidance": 3.0, "frames": 9, "height": 32, "width": 48, "fps": 8.0}
    return Request("a cat", **{**usual, **changes}, given=given).checked()[0]


def read(given: Given | None, **changes: Any) -> GivenPixels:
    return read_given(asked(given, **changes))


def saved(path: Path, picture: np.ndarray, **options: Any) -> Path:
    Image.fromarray(picture).save(path, **options)
    return path


def noise(height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def film(videos: ModuleType, tmp_path: Path) -> Path:
    """Twelve frames at 8 a second, lossless; frame k is of the grey 10·k."""
    frames = [np.full((32, 48, 3), 10 * number, np.uint8) for number in range(12)]
    made: Path = videos.write(tmp_path / "film.mkv", frames, fps=8, codec="ffv1")
    return made


@pytest.mark.parametrize("case", FIXED, ids=lambda case: f"{case['name']} {case['kind']}")
def test_the_published_masks(case: dict[str, Any]) -> None:
    """0 where a frame is given: compressed as published, for each way of asking."""
    count = len(case["given"]) if case["kind"] == "continuation" else None
    file = GivenFile(Path("file"), "")
    given = Given(case["kind"], (file, file) if case["kind"] == "transition" else (file,), count)
    assert given.checked(case["frames"]).places(case["frames"]) == case["given"]
    mask = torch.ones(1, case["frames"])
    mask[0, given.places(case["frames"])] = 0
    told = compress_mask(spread(mask, case["height"], case["width"]))[0, :, :, 0, 0].T.tolist()
    assert told == case["compressed_by_latent_frame"]


def test_pictures_stand_where_they_are_given_and_the_rest_is_black(tmp_path: Path) -> None:
    first, last = noise(seed=1), noise(seed=2)
    found = read(Given.ends(saved(tmp_path / "a.png", first), saved(tmp_path / "b.png", last)))
    assert found.mask.tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 0]
    assert found.notes == ()
    assert np.array_equal(found.pixels[[0, -1]], [first, last])
    video = hidden(torch.from_numpy(found.pixels)[None], torch.from_numpy(found.mask)[None])[0]
    assert bool((video[:, 1:-1] == -1).all())
    torch.testing.assert_close(video[:, 0], torch.from_numpy(first).permute(2, 0, 1) / 127.5 - 1)


def test_where_nothing_is_given_all_is_to_be_made() -> None:
    found = read(None)
    assert found.mask.tolist() == [1] * 9
    assert not found.pixels.any()


def test_pictures_are_seen_as_a_person_sees_them(tmp_path: Path) -> None:
    """Turned as EXIF asks, and on white where they are transparent."""
    upright = noise()
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter clockwise
    path = saved(tmp_path / "turned.png", np.rot90(upright).copy(), exif=turned)
    assert np.array_equal(read(Given.beginning(path)).pixels[0], upright)
    clear = np.concatenate([upright, np.zeros((32, 48, 1), np.uint8)], axis=2)
    assert (read(Given.beginning(saved(tmp_path / "clear.png", clear))).pixels[0] == 255).all()


def test_a_picture_of_another_shape_is_cut_around_its_middle_and_it_is_said(tmp_path: Path) -> None:
    wide = noise(64, 128)
    given = Given.beginning(saved(tmp_path / "wide.png", wide))
    found = read(given, height=64, width=64)
    assert np.array_equal(found.pixels[0], wide[:, 32:96])
    assert found.notes == (
        "wide.png is 128x64, of another shape than the video's 64x64: 50% of it was cut off left and right; "
        "a video of height 48 and width 96 shows more of it",
    )
    assert read(given, height=48, width=96).notes == ()


def test_the_very_last_frames_of_a_video_are_given(film: Path) -> None:
    found = read(Given.end_of(film, 3))
    assert found.mask.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert found.pixels[:, 0, 0, 0].tolist() == [90, 100, 110, 0, 0, 0, 0, 0, 0]
    assert found.notes == ()


@pytest.mark.parametrize(("fps", "shades"), [(4.0, [70, 90, 110]), (16.0, [100, 100, 110]), (8.05, [90, 100, 110])])
def test_a_video_of_another_rate_is_seen_at_the_rate_of_the_new_one(film: Path, fps: float, shades: list[int]) -> None:
    """A moment lasts as long before the seam as behind it."""
    found = read(Given.end_of(film, 3), fps=fps)
    assert found.pixels[:3, 0, 0, 0].tolist() == shades
    assert [note.partition(",")[0] for note in found.notes] == ["film.mkv has 8 frames a second"] * (fps != 8.05)


def test_about_half_of_the_frames_are_given_by_default(film: Path) -> None:
    """Whole latent frames: 45 of the published 93."""
    counts = {frames: asked(Given.end_of(film), frames=frames).given.count for frames in (5, 9, 29, 93)}  # type: ignore[union-attr]
    assert counts == {5: 1, 9: 1, 29: 13, 93: 45}


def an_empty(folder: Path) -> Path:
    (folder / "empty.png").touch()
    return folder / "empty.png"


def words(folder: Path) -> Path:
    (folder / "words.png").write_text("no picture")
    return folder / "words.png"


WRONG: dict[str, tuple[Callable[[Path], Given], dict[str, Any], str]] = {
    "no such picture": (lambda folder: Given.beginning(folder / "none.png"), {}, r"there is no file .*none\.png"),
    "a folder": (Given.beginning, {}, "there is no file"),
    "no such video": (lambda folder: Given.end_of(folder / "none.mp4"), {}, r"there is no file .*none\.mp4"),
    "no such end": (lambda folder: Given.ends(words(folder), folder / "z.png"), {}, r"there is no file .*z\.png"),
    "an empty file": (lambda folder: Given.beginning(an_empty(folder)), {}, "given as a picture: the file is empty"),
    "no picture": (lambda folder: Given.beginning(words(folder)), {}, "its content is not JPEG, PNG or WebP"),
    "a video as a picture": (lambda folder: Given.beginning(folder / "film.mkv"), {}, "is not JPEG, PNG or WebP"),
    "a picture as a video": (lambda folder: Given.end_of(words(folder)), {}, "cannot be continued: cannot be opened"),
    "a short video": (
        lambda folder: Given.end_of(folder / "film.mkv", 13),
        {"frames": 17},
        "has 12 frames at 8 a second, but its last 13 are to be given: give 12 or fewer, or take a longer video",
    ),
    "a short video at another rate": (
        lambda folder: Given.end_of(folder / "film.mkv", 7),
        {"fps": 4.0},
        "has 6 frames at 4 a second",
    ),
    "frames that have no latent": (lambda folder: Given.end_of(folder / "film.mkv"), {"frames": 8}, r"must be 1 \+ 4n"),
    "none given": (lambda folder: Given.end_of(folder / "film.mkv", 0), {}, "0 frames of film.mkv are to be given"),
    "all given": (
        lambda folder: Given.end_of(folder / "film.mkv", 9),
        {},
        "frames is 9, but 9 are given: to have some made use 13 or more",
    ),
    "one frame, which is given": (lambda folder: Given.end_of(folder / "film.mkv"), {"frames": 1}, "use 5 or more"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_given_is_refused_with_what_can(case: str, film: Path) -> None:
    given, changes, message = WRONG[case]
    with pytest.raises(SamplingError, match=message):
        read(given(film.parent), **changes)
