"""The `config.json` of released v1.3 models, read into our configurations and written back.

Each class lists its fields once: those that shape the network under our names, those that a released model always
holds at one value, and those that a forward pass does not see.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from models.dit.config import DenoiserConfig
from models.wfvae.config import WFVAEConfig

WFVAE_CLASS = "WFVAEModel"
T2V_CLASS = "OpenSoraT2V_v1_3"
INPAINT_CLASS = "OpenSoraInpaint_v1_3"
DISCRIMINATOR_CLASS = "NLayerDiscriminator3D"

Config = Mapping[str, Any]
"""A `config.json`. Which value has which type, its class alone knows."""

# Published name → (our name, the value that a config without the field stands for).
WFVAE_FIELDS: dict[str, tuple[str, object]] = {
    "base_channels": ("base_channels", 128),
    "latent_dim": ("latent_channels", 8),
    "encoder_energy_flow_hidden_size": ("encoder_flow_channels", 64),
    "decoder_energy_flow_hidden_size": ("decoder_flow_channels", 128),
    "encoder_num_resblocks": ("encoder_blocks", 2),
    "decoder_num_resblocks": ("decoder_blocks", 2),
    "connect_res_layer_num": ("flow_blocks", 1),
    "use_attention": ("attention", True),
    "norm_type": ("norm", "groupnorm"),
    "t_interpolation": ("temporal_upsampling", "nearest"),
}
DENOISER_FIELDS: dict[str, tuple[str, object]] = {
    "num_layers": ("layers", 1),
    "num_attention_heads": ("heads", 16),
    "attention_head_dim": ("head_width", 88),
    "in_channels": ("in_channels", None),
    "caption_channels": ("text_width", None),
    "interpolation_scale_t": ("position_scale_t", 1.0),
    "interpolation_scale_h": ("position_scale_h", 1.0),
    "interpolation_scale_w": ("position_scale_w", 1.0),
}
WFVAE_FIXED: dict[str, object] = {
    "attention_type": "AttnBlock3DFix",
    "dropout": 0.0,
    "l1_dowmsample_block": "Downsample",
    "l1_downsample_wavelet": "HaarWaveletTransform2D",
    "l1_upsample_block": "Upsample",
    "l1_upsample_wavelet": "InverseHaarWaveletTransform2D",
    "l2_dowmsample_block": "Spatial2xTime2x3DDownsample",
    "l2_downsample_wavelet": "HaarWaveletTransform3D",
    "l2_upsample_block": "Spatial2xTime2x3DUpsample",
    "l2_upsample_wavelet": "InverseHaarWaveletTransform3D",
}
DENOISER_FIXED: dict[str, object] = {
    "dropout": 0.0,
    "attention_bias": True,
    "patch_size": 2,
    "patch_size_t": 1,
    "activation_fn": "gelu-approximate",
    "only_cross_attention": False,
    "double_self_attention": False,
    "upcast_attention": False,
    "norm_elementwise_affine": False,
    "norm_eps": 1e-6,
}
DENOISER_OWN = {"absolute_positions": False}
"""Fields of ours that no released model has, with the value that those stand for. Written only where they differ."""
WFVAE_UNSEEN = {"scale", "shift"}
DENOISER_UNSEEN = {"sample_size_t", "sample_size_h", "sample_size_w", "vae_scale_factor_t"}
LATENT_SCALE = 0.18215


class ConfigError(ValueError):
    """A released configuration that our networks do not fit; the message names the field and what it must be."""


def read_wfvae(config: Config) -> WFVAEConfig:
    check(WFVAE_CLASS, config, {*WFVAE_FIELDS, *WFVAE_FIXED, *WFVAE_UNSEEN}, WFVAE_FIXED)
    return WFVAEConfig(**our_fields(config, WFVAE_FIELDS))


def read_denoiser(class_name: str, config: Config) -> DenoiserConfig:
    derived = {"out_channels", "cross_attention_dim", "sparse1d", "sparse_n"}
    check(
        class_name,
        config,
        {*DENOISER_FIELDS, *DENOISER_FIXED, *DENOISER_UNSEEN, *DENOISER_OWN, *derived},
        DENOISER_FIXED,
    )
    ratio = int(config.get("sparse_n", 1)) if config.get("sparse1d", False) else 1
    own = {name: config.get(name, default) for name, default in DENOISER_OWN.items()}
    read = DenoiserConfig(**our_fields(config, DENOISER_FIELDS), **own, sparse_ratio=ratio)
    check_derived(class_name, config, {"out_channels": read.in_channels, "cross_attention_dim": read.width})
    return read


def read_discriminator(config: Config) -> dict[str, int]:
    """The arguments of `PatchDiscriminator3D`."""
    check(DISCRIMINATOR_CLASS, config, {"input_nc", "ndf", "n_layers"}, {"input_nc": 3})
    return {"width": config.get("ndf", 64), "layers": config.get("n_layers", 4)}


def write_wfvae(config: WFVAEConfig) -> dict[str, object]:
    fields = {theirs: getattr(config, ours) for theirs, (ours, _) in WFVAE_FIELDS.items()}
    scaling = {"scale": [LATENT_SCALE] * config.latent_channels, "shift": [0.0] * config.latent_channels}
    return {"_class_name": WFVAE_CLASS, **fields, **WFVAE_FIXED, **scaling}


def write_denoiser(class_name: str, config: DenoiserConfig, sparse_ratio: int) -> dict[str, object]:
    fields = {theirs: getattr(config, ours) for theirs, (ours, _) in DENOISER_FIELDS.items()}
    derived = {
        "out_channels": config.in_channels,
        "cross_attention_dim": config.width,
        "sparse1d": sparse_ratio > 1,
        "sparse_n": sparse_ratio,
    }
    # The reference cannot be constructed without sizes, although its forward pass ignores them.
    sizes = {"sample_size_t": 24, "sample_size_h": 44, "sample_size_w": 80}
    inpaint = {"vae_scale_factor_t": 4} if class_name == INPAINT_CLASS else {}
    own = {name: getattr(config, name) for name, default in DENOISER_OWN.items() if getattr(config, name) != default}
    return {"_class_name": class_name, **fields, **derived, **DENOISER_FIXED, **sizes, **inpaint, **own}


def check(class_name: str, config: Config, known: set[str], fixed: Mapping[str, object]) -> None:
    """Raises ConfigError for another class, a field that is not `known`, or one that is not at its `fixed` value."""
    found = config.get("_class_name", class_name)
    if found != class_name:
        raise ConfigError(f"_class_name is {found!r}, but must be {class_name!r}")
    for key, value in config.items():
        if key.startswith("_"):  # diffusers' own notes: class, version, origin
            continue
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise ConfigError(f"{key} is not a field of {class_name}" + (f"; did you mean {near[0]}?" if near else ""))
        if key in fixed and (list(value) if isinstance(value, tuple) else value) != fixed[key]:
            raise ConfigError(f"{key} is {value!r}, but must be {fixed[key]!r}: no other {class_name} is supported")


def check_derived(class_name: str, config: Config, derived: Mapping[str, object]) -> None:
    """Raises ConfigError for a field that is there and is not what the others make it."""
    for field, expected in derived.items():
        if config.get(field) not in (None, expected):
            raise ConfigError(f"{field} is {config[field]!r}, but must be {expected} in a {class_name} of this shape")


def our_fields(config: Config, fields: Mapping[str, tuple[str, object]]) -> Config:
    """The fields under our names, defaults filled in. Raises ConfigError for absent ones that have none."""
    values = {ours: config.get(theirs, default) for theirs, (ours, default) in fields.items()}
    missing = sorted(theirs for theirs, (ours, _) in fields.items() if values[ours] is None)
    if missing:
        raise ConfigError(f"{', '.join(missing)}: missing, and without a default")
    return values
