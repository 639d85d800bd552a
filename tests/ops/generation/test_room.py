"""What a forward pass is taken to hold, against what is counted of it."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from models.geometry import latent_size, tokens
from models.latte.config import LatteConfig
from models.latte.denoiser import LatteDenoiser
from ops.generation.room import NUMBERS
from ops.training.planning.live_bytes import LiveBytes


@pytest.mark.parametrize(("sparse_ratio", "samples"), [(1, 1), (4, 3), (None, 2)])
def test_no_pass_holds_more_than_it_is_taken_to(sparse_ratio: int | None, samples: int) -> None:
    """At the published widths; more layers hold no more, for nothing is kept of them. Without a ratio it is latte."""
    video = (93, 352, 640)
    with FakeTensorMode(), torch.no_grad():
        model = (
            SkiparseDenoiser(DenoiserConfig(layers=6, sparse_ratio=sparse_ratio))
            if sparse_ratio
            else LatteDenoiser(LatteConfig(layers=2))
        )
        latent = torch.zeros(samples, model.config.in_channels, *latent_size(*video))
        text, mask = torch.zeros(samples, 512, 4096), torch.ones(samples, 512, dtype=torch.bool)
        with LiveBytes() as live:
            model(latent, torch.zeros(samples, dtype=torch.long), text, mask)
    taken = 4 * NUMBERS * model.config.width * tokens(*video) * samples
    assert taken / 3 < live.peak <= taken
