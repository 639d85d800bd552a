from collections.abc import Callable

import pytest
import torch

from models.wfvae import WFVAE, WFVAEConfig


@pytest.fixture
def tiny_vae() -> Callable[..., WFVAE]:
    """A WF-VAE that runs in milliseconds; keyword arguments change its configuration."""

    def build(**changes) -> WFVAE:
        torch.manual_seed(0)
        small = {
            "base_channels": 8,
            "latent_channels": 4,
            "encoder_flow_channels": 8,
            "decoder_flow_channels": 8,
            "encoder_blocks": 1,
            "decoder_blocks": 1,
        }
        return WFVAE(WFVAEConfig(**(small | changes))).eval()

    return build
