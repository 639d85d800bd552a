from collections.abc import Callable

import pytest
import torch

from models.latte import LatteConfig, LatteDenoiser


@pytest.fixture
def tiny() -> Callable[..., LatteDenoiser]:
    """A Latte denoiser that runs in milliseconds; keyword arguments change its configuration."""

    def build(**changes) -> LatteDenoiser:
        torch.manual_seed(0)
        small = {"layers": 2, "heads": 2, "head_width": 12, "in_channels": 4, "text_width": 16, "latent_side": 8}
        return LatteDenoiser(LatteConfig(**(small | changes)))

    return build
