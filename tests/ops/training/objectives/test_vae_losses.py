from __future__ import annotations

import pytest
import torch
from torch import nn

from ops.training.objectives import vae_losses


def test_sums_are_divided_by_frames_or_samples() -> None:
    video, output = torch.zeros(2, 3, 5, 8, 8), torch.full((2, 3, 5, 8, 8), 0.5)
    assert float(vae_losses.reconstruction(video, output)) == pytest.approx(0.5 * 3 * 64)
    encoded = [torch.ones(2, 12, 3, 2, 2), torch.ones(2, 24, 2, 1, 1)]
    decoded = [torch.zeros(2, 12, 3, 2, 2), torch.full((2, 24, 2, 1, 1), 3.0)]
    assert float(vae_losses.wavelet(encoded, decoded)) == pytest.approx(12 * 3 * 4 + 2 * 24 * 2)


def test_lpips_counts_for_each_pixel_and_colour() -> None:
    class Distance(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return (x - y).abs().mean(dim=(1, 2, 3), keepdim=True)

    video = torch.zeros(2, 3, 5, 8, 16)
    output = torch.stack([torch.zeros(3, 5, 8, 16), torch.ones(3, 5, 8, 16)])
    mean, term = vae_losses.perceptual(Distance(), video, output)
    assert float(mean) == pytest.approx(0.5)
    # element by element as published: the distance is added to every |x − x̂|, then all is summed over N frames
    x, y = vae_losses.frames_of(video), vae_losses.frames_of(output)
    published = ((x - y).abs() + Distance()(x, y)).sum() / len(x)
    assert float(vae_losses.reconstruction(video, output) + term) == pytest.approx(float(published))


def test_frames_keep_their_order() -> None:
    video = torch.arange(2 * 3 * 4).view(2, 3, 4, 1, 1)
    assert vae_losses.frames_of(video)[5].flatten().tolist() == video[1, :, 1].flatten().tolist()


def test_hinge_and_adaptive_weight() -> None:
    assert float(vae_losses.hinge(torch.tensor([2.0, 0.0]), torch.tensor([-2.0, 1.0]))) == pytest.approx(0.75)
    weight = vae_losses.adaptive_weight(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 2.0]), 1e-6, 1e6)
    assert float(weight) == pytest.approx(2.5)
    assert float(vae_losses.adaptive_weight(torch.ones(1) * 5, torch.zeros(1), 1e-6, 1e6)) == pytest.approx(1e6)


def test_the_square_pulls_at_a_thing_that_the_median_leaves_out() -> None:
    """One pixel in ten is a thing: the absolute error is least without it, the squared one at the mean."""
    video = torch.zeros(1, 3, 1, 10, 10)
    video[..., 0] = 1.0
    levels = torch.linspace(0, 0.5, 51)
    outputs = [torch.full_like(video, float(level)) for level in levels]
    absolute = [float(vae_losses.reconstruction(video, output)) for output in outputs]
    squared = [float(vae_losses.squared(video, output)) for output in outputs]
    assert float(levels[absolute.index(min(absolute))]) == 0.0
    assert float(levels[squared.index(min(squared))]) == pytest.approx(0.1)
    assert squared[0] == pytest.approx(3 * 10)
