"""The start from an image VAE, against an image VAE that is written out here."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models import released
from models.causal_vae.image_init import initialise_from_image_vae
from models.released.keys_v1_1 import image_vae_names


class ImageVAE:
    """Stable Diffusion's autoencoder as functions of its state dict, with one residual block an encoder level."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def conv(self, name: str, x: Tensor, **options) -> Tensor:
        kernel = self.state[f"{name}.weight"]
        options = options or {"padding": kernel.shape[-1] // 2}
        return F.conv2d(x, kernel, self.state[f"{name}.bias"], **options)

    def norm(self, name: str, x: Tensor) -> Tensor:
        return F.group_norm(x, 32, self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-6)

    def residual(self, name: str, x: Tensor) -> Tensor:
        h = self.conv(f"{name}.conv1", F.silu(self.norm(f"{name}.norm1", x)))
        h = self.conv(f"{name}.conv2", F.silu(self.norm(f"{name}.norm2", h)))
        return h + (self.conv(f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in self.state else x)

    def middle(self, name: str, x: Tensor) -> Tensor:
        x = self.residual(f"{name}.block_1", x)
        h = self.norm(f"{name}.attn_1.norm", x)
        q, k, v = (self.conv(f"{name}.attn_1.{part}", h).flatten(2) for part in "qkv")
        scores = (q.transpose(1, 2) @ k / q.shape[1] ** 0.5).softmax(dim=-1)
        attended = (v @ scores.transpose(1, 2)).view_as(x)
        return self.residual(f"{name}.block_2", x + self.conv(f"{name}.attn_1.proj_out", attended))

    def encode(self, x: Tensor) -> Tensor:
        x = self.conv("encoder.conv_in", x)
        for level in range(4):
            x = self.residual(f"encoder.down.{level}.block.0", x)
            if level < 3:
                x = self.conv(f"encoder.down.{level}.downsample.conv", F.pad(x, (0, 1, 0, 1)), stride=2)
        x = F.silu(self.norm("encoder.norm_out", self.middle("encoder.mid", x)))
        return self.conv("quant_conv", self.conv("encoder.conv_out", x))

    def decode(self, x: Tensor) -> Tensor:
        x = self.middle("decoder.mid", self.conv("decoder.conv_in", self.conv("post_quant_conv", x)))
        for level in reversed(range(4)):
            for block in range(2):
                x = self.residual(f"decoder.up.{level}.block.{block}", x)
            if level > 0:
                x = self.conv(f"decoder.up.{level}.upsample.conv", F.interpolate(x, scale_factor=2.0))
        return self.conv("decoder.conv_out", F.silu(self.norm("decoder.norm_out", x)))


def image_state(vae) -> dict[str, Tensor]:
    """Random weights with the names and shapes of an image VAE as wide as `vae`."""
    generator = torch.Generator().manual_seed(7)
    own = vae.state_dict()
    state = {}
    for ours, theirs in image_vae_names(vae).items():
        shape = [*own[ours].shape[:2], *own[ours].shape[3:]] if own[ours].ndim == 5 else list(own[ours].shape)
        noise = torch.randn(shape, generator=generator)
        state[theirs] = noise / noise[0].numel() ** 0.5 if len(shape) > 1 else 0.1 * noise + theirs.endswith("weight")
    return state


def started(vae, share: float):
    """The autoencoder started from an image VAE, and that one; `share` is the mix factor of its temporal layers."""
    state = image_state(vae)
    initialise_from_image_vae(vae, state)
    vae.reset_mix_factors(share)
    return vae, ImageVAE(state)


@torch.no_grad()
def test_kernels_go_to_the_last_tap(tiny_vae):
    vae = tiny_vae()
    before = {key: value.clone() for key, value in vae.state_dict().items()}
    state = image_state(vae)
    initialise_from_image_vae(vae, state)
    own, names = vae.state_dict(), image_vae_names(vae)
    assert any(own[key].ndim == 5 and own[key].shape[2] == 3 for key in names)
    for ours, theirs in names.items():
        if own[ours].ndim == 5:
            assert torch.equal(own[ours][:, :, -1], state[theirs])
            assert not own[ours][:, :, :-1].any()
        else:
            assert torch.equal(own[ours], state[theirs])
    rest = own.keys() - names.keys()
    assert len(rest) == 12
    assert all("time_" in key and torch.equal(own[key], before[key]) for key in rest)


@pytest.mark.parametrize("frames", [1, 5, 9])
@torch.no_grad()
def test_a_still_clip_is_the_image(tiny_vae, frames):
    """With the fixed temporal rules alone, which leave equal frames equal: mean and interpolation."""
    vae, image_vae = started(tiny_vae(), share=1e4)
    image = torch.rand(1, 3, 16, 24) * 2 - 1
    moments = image_vae.encode(image)
    posterior = vae.encode(image.unsqueeze(2).expand(-1, -1, frames, -1, -1))
    assert posterior.mean.abs().max() > 0.1
    for latent in range(frames // 4 + 1):
        torch.testing.assert_close(posterior.mean[:, :, latent], moments[:, :4], rtol=0, atol=1e-4)
        torch.testing.assert_close(posterior.log_variance[:, :, latent], moments[:, 4:], rtol=0, atol=1e-4)
    video, restored = vae.decode(posterior.mean), image_vae.decode(moments[:, :4])
    for frame in range(frames):
        torch.testing.assert_close(video[:, :, frame], restored, rtol=0, atol=1e-3)


@torch.no_grad()
def test_learned_temporal_layers_are_all_that_differs(tiny_vae):
    vae, image_vae = started(tiny_vae(), share=2.0)
    image = torch.rand(1, 3, 16, 24)
    assert not torch.allclose(vae.encode(image.unsqueeze(2)).mean[:, :, 0], image_vae.encode(image)[:, :4], atol=1e-4)


def test_names_are_those_of_the_release_without_the_wrapping(tiny_vae):
    vae = tiny_vae()
    names = set(image_vae_names(vae).values())
    assert {
        "encoder.conv_in.weight",
        "encoder.down.0.downsample.conv.weight",
        "encoder.down.2.block.0.conv1.weight",
        "encoder.mid.attn_1.q.weight",
        "decoder.up.3.upsample.conv.weight",
        "decoder.up.1.block.0.nin_shortcut.weight",
        "decoder.conv_out.bias",
        "quant_conv.weight",
    } <= names
    assert "decoder.up.3.upsample.conv.conv.weight" in released.dump(vae)


def test_misfits_are_listed_and_change_nothing(tiny_vae):
    vae = tiny_vae()
    before = {key: value.clone() for key, value in vae.state_dict().items()}
    state = image_state(vae) | {"loss.logvar": torch.zeros(1), "model_ema.decay": torch.zeros(1)}
    del state["quant_conv.bias"]
    state["encoder.conv_in.bias"] = torch.zeros(5)
    with pytest.raises(ValueError, match=r"missing: quant_conv.bias; unexpected: model_ema.decay; another shape: enc"):
        initialise_from_image_vae(vae, state)
    assert all(torch.equal(value, before[key]) for key, value in vae.state_dict().items())
