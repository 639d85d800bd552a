"""Sizes, shapes, causality and refusals of the CausalVideoVAE."""

import pytest
import torch

from models.causal_vae import CausalVAEConfig, CausalVideoVAE
from models.wfvae import Posterior


def video(frames: int, height: int = 16, width: int = 24, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, frames, height, width) * 2 - 1


def size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_sizes():
    """97.35M and 149.51M count the encoder and the decoder, without the 1×1×1 convolutions between them."""
    with torch.device("meta"):
        vae = CausalVideoVAE(CausalVAEConfig())
    assert (size(vae.encoder), size(vae.decoder)) == (97_349_258, 149_510_149)
    assert (size(vae.quant_conv), size(vae.post_quant_conv)) == (8 * 8 + 8, 4 * 4 + 4)


def test_stages():
    with torch.device("meta"):
        vae = CausalVideoVAE(CausalVAEConfig())
    down, up = vae.encoder.levels, vae.decoder.levels
    kinds = [[type(block.conv1).__name__ for block in level.blocks] for level in down]
    assert kinds == [["Conv2d"] * 2] * 2 + [["CausalConv3d"] * 2] * 2
    assert all([type(block.conv1).__name__ for block in level.blocks] == ["CausalConv3d"] * 3 for level in up)
    identity = torch.nn.Identity
    assert [not isinstance(level.downsample, identity) for level in down] == [True, True, True, False]
    assert [not isinstance(level.time_downsample, identity) for level in down] == [False, True, True, False]
    assert [not isinstance(level.upsample, identity) for level in up] == [False, True, True, True]
    assert [not isinstance(level.time_upsample, identity) for level in up] == [False, False, True, True]
    assert [level.blocks[-1].conv2.out_channels for level in down] == [128, 256, 512, 512]


def test_normalisation():
    vae = CausalVideoVAE(CausalVAEConfig(base_channels=32, multipliers=(1, 1, 1, 1)))
    norms = [layer for layer in vae.modules() if isinstance(layer, torch.nn.GroupNorm)]
    assert {(norm.num_groups, norm.eps, norm.affine) for norm in norms} == {(32, 1e-6, True)}


@pytest.mark.parametrize("frames", [1, 5, 17])
@torch.no_grad()
def test_shapes(tiny_vae, frames):
    vae, x = tiny_vae(), video(frames, batch=2)
    posterior = vae.encode(x)
    assert isinstance(posterior, Posterior)
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 4, frames // 4 + 1, 2, 3)
    assert vae.decode(posterior.mode()).shape == x.shape


@torch.no_grad()
def test_forward_decodes_a_sample(tiny_vae):
    vae, x = tiny_vae(), video(5)
    restored, posterior = vae(x, torch.Generator().manual_seed(1))
    sample = posterior.sample(torch.Generator().manual_seed(1))
    torch.testing.assert_close(restored, vae.decode(sample))


@torch.no_grad()
def test_convolutions_of_the_encoder_do_not_look_ahead(unnormalised):
    x = video(17)
    before = unnormalised.encode(x).mean
    for latent in range(4):
        changed = x.clone()
        changed[:, :, 4 * latent + 1 :] = video(17)[:, :, 4 * latent + 1 :]
        after = unnormalised.encode(changed).mean
        torch.testing.assert_close(after[:, :, : latent + 1], before[:, :, : latent + 1], rtol=0, atol=1e-5)
        assert (after[:, :, latent + 1] - before[:, :, latent + 1]).abs().max() > 1e-5


@torch.no_grad()
def test_first_frame_is_the_image_but_for_the_normalisation(unnormalised, tiny_vae):
    x = video(9)
    alone, within = unnormalised.encode(x[:, :, :1]).mean, unnormalised.encode(x).mean
    torch.testing.assert_close(within[:, :, :1], alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        unnormalised.decode(within)[:, :, :1], unnormalised.decode(within[:, :, :1]), rtol=0, atol=1e-5
    )
    normalised = tiny_vae()
    assert not torch.allclose(normalised.encode(x).mean[:, :, :1], normalised.encode(x[:, :, :1]).mean, atol=1e-4)


@torch.no_grad()
def test_attention_stays_in_its_frame(tiny_vae):
    attention = tiny_vae().encoder.middle.attention
    attention.norm = torch.nn.Identity()
    x = torch.randn(2, 64, 3, 2, 3)
    changed = x.clone()
    changed[:, :, 1] += 1
    before, after = attention(x), attention(changed)
    torch.testing.assert_close(after[:, :, [0, 2]], before[:, :, [0, 2]])
    assert not torch.allclose(after[:, :, 1], before[:, :, 1] + 1, atol=1e-3)


@pytest.mark.parametrize("autocast", [False, True])
@torch.no_grad()
def test_bfloat16_stays_near(tiny_vae, autocast):
    vae, x = tiny_vae(), video(5)
    exact = vae.encode(x).mean
    latent = exact.clone()
    video_exact = vae.decode(latent)
    if not autocast:
        vae, x, latent = vae.bfloat16(), x.bfloat16(), latent.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        rounded, video_rounded = vae.encode(x).mean, vae.decode(latent)
    assert (rounded.float() - exact).abs().max() < 0.1 * exact.abs().max()
    assert (video_rounded.float() - video_exact).abs().max() < 0.1 * video_exact.abs().max()


def test_training_reaches_every_weight(tiny_vae):
    vae = tiny_vae().train()
    restored, posterior = vae(video(5), torch.Generator().manual_seed(1))
    (restored.square().mean() + posterior.kl().mean()).backward()
    assert [name for name, p in vae.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []


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
def test_video_refused(tiny_vae, shape, message):
    with pytest.raises(ValueError, match=message):
        tiny_vae().encode(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 8, 2, 2, 2), (4, 2, 2, 2), (1, 4, 0, 2, 2)])
def test_latent_refused(tiny_vae, shape):
    with pytest.raises(ValueError, match=r"latent has shape .* must be \[B, 4, T, H, W\]"):
        tiny_vae().decode(torch.zeros(shape))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks": 0}, "blocks is 0, but must be at least 1"),
        ({"base_channels": 48}, "base_channels is 48, but must be a multiple of 32"),
        ({"multipliers": (1, 2, 4)}, r"multipliers is \(1, 2, 4\), but must be 4 numbers"),
        ({"multipliers": (1, 2, 4, 0)}, r"multipliers is \(1, 2, 4, 0\)"),
    ],
)
def test_configuration_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CausalVAEConfig(**change)
