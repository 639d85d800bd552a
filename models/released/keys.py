"""Names of our state-dict entries in released files.

A name is translated by its longest known beginning and then part by part;
layers that the release wraps (a causal convolution, a layer normalisation) end in the name of the wrapped child.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from models.causal_vae.resampling import FlatConv3d
from models.dit.config import DenoiserConfig
from models.wfvae.config import WFVAEConfig
from models.wfvae.convolutions import CausalConv3d, PointwiseConv3d
from models.wfvae.normalization import ChannelNorm
from models.wfvae.wavelets import Axes, filters

WRAPPED: dict[type[nn.Module], str] = {
    CausalConv3d: "conv",
    PointwiseConv3d: "conv",
    FlatConv3d: "conv",
    ChannelNorm: "norm",
}
WFVAE_PARTS = {"shortcut": "nin_shortcut", "query": "q", "key": "k", "value": "v", "project": "proj_out"}
DENOISER_PARTS = {
    "patch_embed": "0.proj",
    "inject": "1",
    "modulation": "scale_shift_table",
    "self_attention": "attn1",
    "cross_attention": "attn2",
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "out": "to_out.0",
}
DENOISER_BEGINNINGS = {
    "patch_embed": "pos_embed.proj",
    "condition_embed": "pos_embed_masked_hidden_states",
    "mask_embed": "pos_embed_mask",
    "timestep.hidden": "adaln_single.emb.timestep_embedder.linear_1",
    "timestep.embed": "adaln_single.emb.timestep_embedder.linear_2",
    "timestep.modulate": "adaln_single.linear",
    "text_projection.hidden": "caption_projection.linear_1",
    "text_projection.out": "caption_projection.linear_2",
    "modulation_out": "scale_shift_table",
    "project_out": "proj_out",
}
# Sub-bands in the order of `wavelets.filters`.
BANDS: dict[Axes, tuple[str, ...]] = {
    "thw": ("h", "g", "hh", "gh", "h_v", "g_v", "hh_v", "gh_v"),
    "hw": ("aa", "ad", "da", "dd"),
}


def released_names(module: nn.Module, beginnings: Mapping[str, str], parts: Mapping[str, str]) -> dict[str, str]:
    """Our state-dict key → its released key, for every entry of `module`."""
    layers = dict(module.named_modules())
    names = {}
    for key in module.state_dict():
        path, _, leaf = key.rpartition(".")
        wrapped = next((child for kind, child in WRAPPED.items() if isinstance(layers[path], kind)), None)
        names[key] = _translate(f"{path}.{wrapped}.{leaf}" if wrapped else key, beginnings, parts)
    return names


def _translate(name: str, beginnings: Mapping[str, str], parts: Mapping[str, str]) -> str:
    known = [b for b in beginnings if name == b or name.startswith(b + ".")]
    if not known:
        return ".".join(parts.get(part, part) for part in name.split("."))
    longest = max(known, key=len)
    rest = name[len(longest) :].split(".")
    return beginnings[longest] + ".".join(parts.get(part, part) for part in rest)


def wfvae_beginnings(config: WFVAEConfig) -> dict[str, str]:
    """The release numbers the layers of a level in one sequence; ours have names."""
    names = {
        "encoder.flow2": "encoder.connect_l1",
        "encoder.flow3": "encoder.connect_l2",
        "decoder.tail": "decoder.layer",
    }
    for ours, theirs in (("level1", "down1"), ("level2", "down2")):
        layers = ["conv", *(f"blocks.{i}" for i in range(config.encoder_blocks)), "downsample"]
        names |= {f"encoder.{ours}.{layer}": f"encoder.{theirs}.{i}" for i, layer in enumerate(layers)}
    for ours, theirs in (("level1", "up1"), ("level2", "up2")):
        layers = [*(f"blocks.{i}" for i in range(config.decoder_blocks)), "upsample", "last"]
        names |= {f"decoder.{ours}.{layer}": f"decoder.{theirs}.{i}" for i, layer in enumerate(layers)}
    for ours, theirs in (("flow2", "connect_l1"), ("flow3", "connect_l2")):
        layers = [*(f"blocks.{i}" for i in range(config.flow_blocks)), "conv"]
        names |= {f"decoder.{ours}.{layer}": f"decoder.{theirs}.{i}" for i, layer in enumerate(layers)}
    middle = ["block1", "attention", "block2"] if config.attention else ["block1", "block2"]
    for side in ("encoder", "decoder"):
        names |= {f"{side}.middle.{layer}": f"{side}.mid.{i}" for i, layer in enumerate(middle)}
    return names


def denoiser_beginnings(config: DenoiserConfig) -> dict[str, str]:
    blocks = {f"blocks.{i}": f"transformer_blocks.{i}" for i in range(config.layers)}
    return DENOISER_BEGINNINGS | blocks | feed_forward_beginnings(blocks)


def feed_forward_beginnings(blocks: Mapping[str, str]) -> dict[str, str]:
    """The layers of each block's feed-forward; their names tell them from those of its attention."""
    return {
        f"{ours}.feed_forward.{layer}": f"{theirs}.ff.net.{name}"
        for ours, theirs in blocks.items()
        for layer, name in (("hidden", "0.proj"), ("out", "2"))
    }


def wavelet_entries() -> dict[str, Tensor]:
    """The Haar filters that a released WF-VAE keeps in its state dict, under the names of its later code."""
    entries = {}
    places: tuple[tuple[str, Axes], ...] = (("in", "thw"), ("l1", "hw"), ("l2", "thw"))
    for place, axes in places:
        for name, band in zip(BANDS[axes], filters(axes), strict=True):
            filter_ = band[None, None] if axes == "thw" else band[None]
            wrapped = f"{name}_conv.conv.weight" if axes == "thw" else name
            entries[f"encoder.wavelet_transform_{place}.{wrapped}"] = filter_
            outwards = "out" if place == "in" else place
            # a copy: safetensors refuses tensors that share memory
            entries[f"decoder.inverse_wavelet_transform_{outwards}.{name}"] = filter_.clone()
    return entries


def spelled_out(key: str) -> str:
    """A wavelet key of the earlier code ("tranform") as the later one spells it; other keys unchanged."""
    return re.sub(r"wavelet_tranform_", "wavelet_transform_", key)
