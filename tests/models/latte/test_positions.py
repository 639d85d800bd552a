"""Position embeddings against their formulas, written out place by place."""

import math

import pytest
import torch

from models.latte.positions import spatial_positions, temporal_positions

CPU = torch.device("cpu")


def one_axis(position: float, width: int) -> list[float]:
    angles = [position / 10000 ** (j / (width // 2)) for j in range(width // 2)]
    return [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]


@pytest.mark.parametrize(
    ("latent_side", "base", "scale"), [(64, 32, 1), (32, 16, 1), (8, 4, 1), (65, 32, 1), (128, 64, 2), (200, 100, 3)]
)
@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (32, 2)])
def test_places(latent_side, base, scale, grid):
    height, width = grid
    expected = [
        one_axis(x / (width / base) / scale, 8) + one_axis(y / (height / base) / scale, 8)
        for y in range(height)
        for x in range(width)
    ]
    torch.testing.assert_close(spatial_positions(grid, 16, latent_side, CPU), torch.tensor(expected))


def test_the_grid_that_the_model_was_made_for_has_whole_positions():
    table = spatial_positions((32, 32), 16, 64, CPU)
    torch.testing.assert_close(table[5 * 32 + 7], torch.tensor(one_axis(7.0, 8) + one_axis(5.0, 8)))


@pytest.mark.parametrize(
    ("latent_frames", "scale"), [(1, 1), (5, 1), (16, 1), (17, 1), (31, 1), (32, 2), (33, 2), (56, 3), (57, 3)]
)
def test_moments(latent_frames, scale):
    expected = torch.tensor([one_axis(t / scale, 12) for t in range(20)])
    torch.testing.assert_close(temporal_positions(20, 12, latent_frames, CPU), expected)
