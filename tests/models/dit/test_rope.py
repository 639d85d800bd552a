"""Rotary positions: relative, one axis a third of a head, in float32."""

import pytest
import torch

from models.dit import DenoiserConfig, denoiser
from models.dit.rope import rotary_table, rotate

CPU = torch.device("cpu")
GRID = (3, 4, 5)


def positions() -> torch.Tensor:
    t, h, w = torch.meshgrid(*(torch.arange(size) for size in GRID), indexing="ij")
    return torch.stack([t, h, w], dim=-1).flatten(0, 2)


def plain(x: torch.Tensor, where: torch.Tensor, scales=(1.0, 1.0, 1.0)) -> torch.Tensor:
    """The rule of the sheet for one head [S, E], an axis at a time, in float64."""
    width = x.shape[-1] // 3
    out = []
    for axis in range(3):
        block = x[:, axis * width : (axis + 1) * width].double()
        frequencies = 10000.0 ** (-2 * torch.arange(width // 2, dtype=torch.float64) / width)
        angle = (where[:, axis].double() / scales[axis])[:, None] * frequencies
        angle = torch.cat([angle, angle], dim=1)
        first, second = block.chunk(2, dim=1)
        out.append(block * angle.cos() + torch.cat([-second, first], dim=1) * angle.sin())
    return torch.cat(out, dim=1).float()


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (2.0, 0.5, 4.0)])
def test_rotation_is_the_rule(scales):
    x = torch.randn(2, 60, 3, 24)
    turned = rotate(x, rotary_table(GRID, scales, 24, CPU))
    for sample in range(2):
        for head in range(3):
            expected = plain(x[sample, :, head], positions(), scales)
            torch.testing.assert_close(turned[sample, :, head], expected, rtol=0, atol=1e-5)


def test_axes_of_one_length_keep_their_own_scale():
    table = rotary_table((1, 4, 4), (1.0, 1.0, 2.0), 12, CPU)
    angles_h, angles_w = table.sine[4 * 2, 0, 1], table.sine[2, 0, 2]
    assert torch.allclose(angles_h[0], torch.tensor(2.0).sin())
    assert torch.allclose(angles_w[0], torch.tensor(1.0).sin())


def test_scores_depend_on_the_distance_alone():
    table = rotary_table((1, 1, 12), (1.0, 1.0, 1.0), 24, CPU)
    q, k = torch.randn(24), torch.randn(24)
    turned_q = rotate(q.expand(1, 12, 1, 24), table)[0, :, 0]
    turned_k = rotate(k.expand(1, 12, 1, 24), table)[0, :, 0]
    scores = turned_q @ turned_k.T
    for distance in range(-11, 12):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-4)


def test_half_precision_keeps_exact_angles_unless_rounding_is_asked_for():
    grid = (1, 1, 300)
    exact = rotary_table(grid, (1.0, 1.0, 8.0), 24, CPU)
    rounded = rotary_table(grid, (1.0, 1.0, 8.0), 24, CPU, rounding=torch.bfloat16)
    assert exact.cosine.dtype == rounded.cosine.dtype == torch.float32
    angle = torch.tensor(299 / 8)
    assert torch.allclose(exact.cosine[299, 0, 2, 0], angle.cos(), atol=1e-5)
    assert torch.equal(rounded.cosine[299, 0, 2, 0], angle.bfloat16().cos().float())
    assert (exact.cosine - rounded.cosine).abs().max() > 0.05
    assert rotate(torch.randn(1, 300, 1, 24, dtype=torch.bfloat16), exact).dtype == torch.bfloat16


@pytest.mark.parametrize("rounded", [False, True])
@torch.no_grad()
def test_a_forward_pass_makes_one_table(monkeypatch, rounded):
    """For all layers, with the scale of each axis, and rounded only where the configuration asks for it."""
    made = []

    def spy(*arguments):
        made.append((arguments, rotary_table(*arguments)))
        return made[-1][1]

    monkeypatch.setattr(denoiser, "rotary_table", spy)
    scales = {"position_scale_t": 1.0, "position_scale_h": 2.0, "position_scale_w": 4.0}
    shape = {"layers": 6, "heads": 1, "head_width": 12, "in_channels": 4, "text_width": 8, "sparse_ratio": 2}
    model = denoiser.SkiparseDenoiser(DenoiserConfig(**shape, **scales, rounded_positions=rounded)).bfloat16()
    latent, text = torch.randn(1, 4, 2, 4, 6).bfloat16(), torch.randn(1, 3, 8).bfloat16()
    for passes in (1, 2):
        model(latent, torch.tensor([500]), text)
        assert len(made) == passes
    arguments, table = made[0]
    assert arguments[:3] == ((2, 2, 3), (1.0, 2.0, 4.0), 12)
    assert arguments[4] == (torch.bfloat16 if rounded else torch.float32)
    assert table.cosine.dtype == table.sine.dtype == torch.float32
