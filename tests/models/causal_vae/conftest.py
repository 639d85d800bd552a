from collections.abc import Callable

import pytest
import torch

from models.causal_vae import CausalVAEConfig, CausalVideoVAE


@pytest.fixture(scope="session")
def tiny_config() -> CausalVAEConfig:
    return CausalVAEConfig(base_channels=32, multipliers=(1, 1, 2, 2), blocks=1)


@pytest.fixture
def tiny_vae(tiny_config) -> Callable[[], CausalVideoVAE]:
    """A CausalVideoVAE that runs in milliseconds, the same every time."""

    def build() -> CausalVideoVAE:
        torch.manual_seed(0)
        return CausalVideoVAE(tiny_config).eval()

    return build


@pytest.fixture
def unnormalised(tiny_vae) -> CausalVideoVAE:
    """Without group normalisation, whose statistics cover all frames, only the convolutions are left to look ahead."""
    vae = tiny_vae()
    for path, layer in list(vae.named_modules()):
        if isinstance(layer, torch.nn.GroupNorm):
            parent, _, name = path.rpartition(".")
            setattr(vae.get_submodule(parent), name, torch.nn.Identity())
    return vae
