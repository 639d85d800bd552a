from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ops.runtime import frame_grid
from ops.runtime.frame_grid import GAP, LABEL, Tile


def plain(height: int, width: int, level: int) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_rows_lie_below_each_other_on_white_whatever_their_sizes(tmp_path: Path) -> None:
    rows = [[Tile(plain(10, 20, 0)), Tile(plain(6, 8, 50))], [Tile(plain(4, 12, 100))]]
    frame_grid.save(rows, tmp_path / "grid.png")
    seen = np.asarray(Image.open(tmp_path / "grid.png"))
    assert seen.shape == (10 + GAP + 4, 20 + GAP + 8, 3)
    assert (seen[:10, :20] == 0).all()
    assert (seen[:6, 20 + GAP :] == 50).all()
    assert (seen[10 + GAP :, :12] == 100).all()
    white = (seen == 255).all(axis=-1)
    assert white[:, 20 : 20 + GAP].all()
    assert white[6:, 20 + GAP :].all()
    assert white[10 : 10 + GAP].all()
    assert white[10 + GAP :, 12:].all()


def test_words_stand_above_their_picture_and_end_with_it() -> None:
    words = Tile(plain(5, 40, 0), "far longer than forty pixels are wide")
    seen = frame_grid.grid([[words, Tile(plain(5, 40, 0))]])
    assert seen.shape == (LABEL + 5, 80 + GAP, 3)
    dark = (seen[:LABEL] < 128).any(axis=(0, 2))
    assert dark[:40].any()
    assert not dark[40:].any()
    assert frame_grid.grid([[Tile(plain(5, 40, 0))]]).shape[0] == 5


def test_words_go_on_in_the_next_line_and_keep_their_colour() -> None:
    plenty = Tile(plain(5, 60, 255), "one two three four five six seven", colour="#ff0000", lines=2)
    seen = frame_grid.grid([[plenty]])
    assert seen.shape == (2 * LABEL + 5, 60, 3)
    for line in (seen[:LABEL], seen[LABEL : 2 * LABEL]):
        assert (line[..., 0] == 255).all()  # red on white
        assert (line[..., 1] < 128).any()


@pytest.mark.parametrize(
    ("words", "width", "lines"),
    [
        ("one  two", 400, ["one two"]),
        ("one two", 30, ["one", "two"]),
        ("", 30, []),
        ("wide", 1, ["w", "i"]),
    ],
)
def test_lines_hold_whole_words_where_they_fit(words: str, width: int, lines: list[str]) -> None:
    assert list(frame_grid._wrapped(words, width, 2)) == lines


@pytest.mark.parametrize(
    ("size", "shown"),
    [((20, 30), (100, 150)), ((96, 50), (192, 100)), ((100, 128), (100, 128)), ((400, 800), (128, 256))],
)
def test_small_pictures_are_enlarged_by_a_whole_factor_and_large_ones_reduced(size, shown) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    seen = frame_grid.legible(picture, shortest=96, longest=256)
    assert seen.shape[:2] == shown
    if shown[0] > size[0]:
        factor = shown[0] // size[0]
        assert np.array_equal(seen[::factor, ::factor], picture)
    assert frame_grid.legible(plain(400, 800, 7), shortest=96).shape[:2] == (400, 800)


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    frames = np.arange(9, dtype=np.uint8)[:, None, None, None].repeat(3, axis=-1)
    assert [int(frame[0, 0, 0]) for frame in frame_grid.spread(frames, 3)] == [0, 4, 8]
    assert [int(frame[0, 0, 0]) for frame in frame_grid.spread(frames[:2], 4)] == [0, 1]
    assert frame_grid.strip(frames, 3)[0, :, 0].tolist() == [0, 4, 8]


def test_tiles_are_dealt_into_rows() -> None:
    tiles = [Tile(plain(1, 1, level)) for level in range(5)]
    assert [len(row) for row in frame_grid.in_columns(tiles, 2)] == [2, 2, 1]
