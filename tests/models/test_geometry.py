import pytest
import torch

from models.geometry import (
    fits_latents,
    fitting_frames,
    latent_frames,
    latent_size,
    nearest_fitting,
    video_frames,
    video_size,
)
from models.wfvae.config import WFVAEConfig
from models.wfvae.vae import WFVAE


@pytest.mark.parametrize("frames", range(1, 40))
def test_frames_and_latents_measure_each_other(frames: int) -> None:
    below, above = nearest_fitting(frames)
    assert fits_latents(below)
    assert fits_latents(above)
    assert below == fitting_frames(frames) <= frames < above == below + 4
    assert fits_latents(frames) == (frames == below)
    assert video_frames(latent_frames(frames)) == below


def test_no_frames_have_no_latent() -> None:
    assert not any(fits_latents(frames) for frames in (0, -3, 2, 4))
    assert nearest_fitting(-2) == (1, 5)


def test_a_vae_does_what_the_geometry_says() -> None:
    widths = {"base_channels": 8, "latent_channels": 4, "encoder_flow_channels": 8, "decoder_flow_channels": 8}
    vae = WFVAE(WFVAEConfig(**widths)).eval()
    with torch.inference_mode():
        latent = vae.encode(torch.zeros(1, 3, 9, 16, 24)).mode()
        assert latent.shape[2:] == latent_size(9, 16, 24) == (3, 2, 3)
        assert vae.decode(latent).shape[2:] == video_size(3, 2, 3) == (9, 16, 24)
