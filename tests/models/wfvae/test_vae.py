"""Shapes, causality and refusals of the autoencoder; its posterior; its discriminator."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from models.wfvae import WFVAE, PatchDiscriminator3D, Posterior, WFVAEConfig


def video(frames: int, height: int = 16, width: int = 24, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, frames, height, width) * 2 - 1


@pytest.fixture(scope="module")
def vae() -> WFVAE:
    torch.manual_seed(0)
    return WFVAE(
        WFVAEConfig(
            base_channels=8,
            latent_channels=4,
            encoder_flow_channels=8,
            decoder_flow_channels=16,
            encoder_blocks=1,
            decoder_blocks=2,
            flow_blocks=2,
        )
    ).eval()


@pytest.mark.parametrize("frames", [1, 5, 17])
@torch.no_grad()
def test_shapes(vae, frames):
    x = video(frames, batch=2)
    posterior, encoded = vae.encode(x, return_coefficients=True)
    restored, decoded = vae.decode(posterior.mode(), return_coefficients=True)
    n = frames // 4
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 4, n + 1, 2, 3)
    assert restored.shape == x.shape
    for coefficients in (encoded, decoded):
        assert coefficients.level2.shape == (2, 12, 2 * n + 1, 4, 6)
        assert coefficients.level3.shape == (2, 24, n + 1, 2, 3)


@given(st.integers(0, 4), st.integers(0, 2**31 - 1))
@settings(max_examples=15, deadline=None)
@torch.no_grad()
def test_latents_do_not_depend_on_later_frames(vae, latent, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(1, 3, 17, 8, 8, generator=generator)
    changed = x.clone()
    changed[:, :, 4 * latent + 1 :] = torch.rand(changed[:, :, 4 * latent + 1 :].shape, generator=generator)
    before, after = vae.encode(x).mean, vae.encode(changed).mean
    torch.testing.assert_close(after[:, :, : latent + 1], before[:, :, : latent + 1], rtol=0, atol=1e-6)
    if latent < 4:
        assert (after[:, :, latent + 1 :] - before[:, :, latent + 1 :]).abs().max() > 1e-4


@torch.no_grad()
def test_first_frame_is_the_image(vae):
    x = video(9)
    torch.testing.assert_close(vae.encode(x).mean[:, :, :1], vae.encode(x[:, :, :1]).mean, rtol=0, atol=1e-6)


def test_training_reaches_every_weight(vae):
    restored, posterior = vae(video(5), torch.Generator().manual_seed(1))
    (restored.square().mean() + posterior.kl().mean()).backward()
    assert [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []


def test_group_normalisation_averages_over_time():
    vae = WFVAE(WFVAEConfig(base_channels=32, encoder_flow_channels=32, decoder_flow_channels=32, norm="groupnorm"))
    with torch.no_grad():
        x = video(5)
        assert not torch.allclose(vae.encode(x).mean[:, :, :1], vae.encode(x[:, :, :1]).mean, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 4, 16, 16), r"video has 4 frames, but must have 1 \+ 4n"),
        ((1, 3, 0, 16, 16), r"video has 0 frames"),
        ((1, 3, 5, 12, 16), r"video is 12x16, but both sides must be multiples of 8"),
        ((1, 3, 5, 16, 0), r"video is 16x0"),
        ((1, 4, 5, 16, 16), r"video has shape \[1, 4, 5, 16, 16\], but must be \[B, 3, T, H, W\]"),
        ((3, 5, 16, 16), r"video has shape \[3, 5, 16, 16\]"),
    ],
)
def test_video_refused(vae, shape, message):
    with pytest.raises(ValueError, match=message):
        vae.encode(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 8, 2, 2, 2), (4, 2, 2, 2), (1, 4, 0, 2, 2)])
def test_latent_refused(vae, shape):
    with pytest.raises(ValueError, match=r"latent has shape .* must be \[B, 4, T, H, W\]"):
        vae.decode(torch.zeros(shape))


@pytest.mark.parametrize("chunk", [0, -4, 2, 6])
def test_chunk_refused(vae, chunk):
    with pytest.raises(ValueError, match=f"chunk_frames is {chunk}, but must be a positive multiple of 4"):
        vae.encode(video(9), chunk_frames=chunk)
    with pytest.raises(ValueError, match="chunk_latents is 0, but must be a positive multiple of 1"):
        vae.decode(torch.zeros(1, 4, 2, 2, 2), chunk_latents=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_channels": 0}, "base_channels is 0, but must be at least 1"),
        ({"norm": "batchnorm"}, "norm is 'batchnorm', but must be one of: layernorm, groupnorm"),
        ({"temporal_upsampling": "cubic"}, "temporal_upsampling is 'cubic'"),
        ({"norm": "groupnorm", "base_channels": 48}, "base_channels is 48, but groupnorm needs a multiple of 32"),
    ],
)
def test_configuration_refused(change, message):
    with pytest.raises(ValueError, match=message):
        WFVAEConfig(**change)


def test_posterior():
    parameters = torch.randn(2, 8, 3, 2, 2) * 3
    posterior = Posterior(parameters)
    torch.testing.assert_close(posterior.mode(), parameters[:, :4])
    normal = Normal(posterior.mean, torch.exp(posterior.log_variance / 2))
    expected = kl_divergence(normal, Normal(0.0, 1.0)).flatten(1).sum(1)
    torch.testing.assert_close(posterior.kl(), expected)
    first, second = (posterior.sample(torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    noise = torch.randn(first.shape, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(first, posterior.mean + normal.scale * noise)


def test_posterior_clamps_the_log_variance():
    extremes = Posterior(torch.tensor([0.0, 0.0, -99.0, 99.0]).view(1, 4, 1, 1, 1))
    assert extremes.log_variance.flatten().tolist() == [-30.0, 20.0]


@pytest.mark.parametrize(("width", "layers", "patches"), [(8, 4, (3, 4, 4)), (8, 2, (3, 16, 16)), (8, 1, (5, 32, 32))])
def test_discriminator(width, layers, patches):
    critic = PatchDiscriminator3D(width, layers)
    assert critic(video(9, 64, 64, batch=2)).shape == (2, 1, *patches)
    convolution = critic.layers[0]
    assert 0.01 < convolution.weight.std() < 0.03
