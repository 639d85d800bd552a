from __future__ import annotations

import numpy as np
import pytest

from ops.curation.scorers.fragments import CELLS, PATCH, SIDE, FragmentGrid, segment_frames


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def coordinates(height: int, width: int) -> np.ndarray:
    """A picture whose red and green say where a pixel is, in steps of 4."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows // 4, columns // 4, rows * 0], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("frames", [193, 240, 480, 512])
def test_long_segments_start_anywhere(frames: int) -> None:
    segments = segment_frames(frames, seeded())
    length = frames // 3
    for number, segment in enumerate(segments):
        assert len(segment) == 32
        assert segment == list(range(segment[0], segment[0] + 64, 2))
        assert number * length <= segment[0] < (number + 1) * length
    if length > 65:
        starts = {tuple(each[0] for each in segment_frames(frames, seeded(seed))) for seed in range(20)}
        assert len(starts) > 5
    assert max(max(segment) for segment in segments) < frames


@pytest.mark.parametrize("frames", [192, 120, 90, 33, 2, 1])
def test_short_segments_start_at_their_beginning_and_go_round(frames: int) -> None:
    expected = [[(part * (frames // 3) + 2 * number) % frames for number in range(32)] for part in range(3)]
    assert segment_frames(frames, seeded(1)) == segment_frames(frames, seeded(2)) == expected


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (270, 480), (225, 225), (224, 1000)])
def test_patches_are_pixels_of_their_cells(height: int, width: int) -> None:
    """Each patch lies inside its cell, or begins with it where the cell is smaller than a patch."""
    grid = FragmentGrid.draw(height, width, seeded())
    assert (grid.height, grid.width) == (height, width)
    picture = coordinates(height, width)
    cut = grid.cut(picture)
    assert cut.shape == (SIDE, SIDE, 3)
    for row in range(CELLS):
        for column in range(CELLS):
            top, left = grid.rows[row, column], grid.columns[row, column]
            expected = picture[top : top + PATCH, left : left + PATCH]
            found = cut[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
            assert np.array_equal(found, expected)
            for place, side, cell in ((top, height, row), (left, width, column)):
                begin = side // CELLS * cell
                assert begin <= place <= max(begin, begin + side // CELLS - PATCH)
                assert place + PATCH <= side


def test_places_are_drawn_for_each_cell() -> None:
    grid = FragmentGrid.draw(1080, 1920, seeded(3))
    assert len(np.unique(grid.rows - grid.rows.min(axis=1, keepdims=True))) > 10
    again, other = FragmentGrid.draw(1080, 1920, seeded(3)), FragmentGrid.draw(1080, 1920, seeded(4))
    assert np.array_equal(grid.rows, again.rows)
    assert np.array_equal(grid.columns, again.columns)
    assert not np.array_equal(grid.rows, other.rows)


@pytest.mark.parametrize(
    ("height", "width", "enlarged"), [(96, 128, (224, 299)), (200, 100, (448, 224)), (223, 223, (224, 224))]
)
def test_small_pictures_are_enlarged_and_the_grid_is_laid_on_the_new_size(height, width, enlarged) -> None:
    grid = FragmentGrid.draw(height, width, seeded())
    assert (grid.height, grid.width) == enlarged
    assert grid.rows.max() + PATCH <= enlarged[0]
    assert grid.columns.max() + PATCH <= enlarged[1]
    # patches reach over the whole of it
    assert grid.rows.max() > 0.7 * enlarged[0]
    assert grid.columns.max() > 0.7 * enlarged[1]
    assert grid.cut(np.full((height, width, 3), 77, np.uint8)).tolist() == np.full((SIDE, SIDE, 3), 77).tolist()
