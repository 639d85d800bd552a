"""Names of our state-dict entries in released v1.1 files, translated by `models.released.keys`.

The release named its autoencoder after the image VAE that it started from: the layers of the two have the same names,
but for the child that holds the weights of a 3D convolution.
"""

from __future__ import annotations

from torch import nn

from models.causal_vae.config import LEVELS
from models.latte.config import LatteConfig
from models.released.keys import DENOISER_BEGINNINGS, WFVAE_PARTS, feed_forward_beginnings, released_names

CAUSAL_VAE_PARTS = WFVAE_PARTS | {"block1": "block_1", "attention": "attn_1", "block2": "block_2", "blocks": "block"}
LATTE_UNUSED = ("caption_projection.y_embedding",)
"""The embedding of no caption, a buffer: v1.1 drops no captions in training, and its sampler embeds an empty one."""
CAUSAL_VAE_UNUSED = ("loss.",)
"""What training measured with: a perceptual network and a discriminator."""


def causal_vae_beginnings() -> dict[str, str]:
    names = {"encoder.middle": "encoder.mid", "decoder.middle": "decoder.mid"}
    for side, direction in (("encoder", "down"), ("decoder", "up")):
        names |= {f"{side}.levels.{i}": f"{side}.{direction}.{i}" for i in range(LEVELS)}
    return names


def image_vae_names(vae: nn.Module) -> dict[str, str]:
    """Our key → the key of the image VAE's entry, for every entry of a CausalVideoVAE that has one there."""
    names = released_names(vae, causal_vae_beginnings(), CAUSAL_VAE_PARTS)
    own = vae.state_dict()
    causal = {key.rpartition(".")[0] for key, value in own.items() if value.ndim == 5}
    return {
        ours: theirs.replace(".conv.weight", ".weight").replace(".conv.bias", ".bias")
        if ours.rpartition(".")[0] in causal
        else theirs
        for ours, theirs in names.items()
        if "time_" not in ours
    }


def latte_beginnings(config: LatteConfig) -> dict[str, str]:
    kinds = {"spatial_blocks": "transformer_blocks", "temporal_blocks": "temporal_transformer_blocks"}
    blocks = {f"{ours}.{i}": f"{theirs}.{i}" for ours, theirs in kinds.items() for i in range(config.layers)}
    return DENOISER_BEGINNINGS | blocks | feed_forward_beginnings(blocks)
