"""The `config.json` of the v1.1 models, in the same three groups of fields as `models.released.config`."""

from __future__ import annotations

from models.causal_vae.config import CausalVAEConfig
from models.latte.config import LatteConfig
from models.released.config import Config, ConfigError, check, check_derived, our_fields

CAUSAL_VAE_CLASS = "CausalVAEModel"
LATTE_CLASS = "LatteT2V"

# Published name → (our name, the value that a config without the field stands for).
CAUSAL_VAE_FIELDS: dict[str, tuple[str, object]] = {
    "hidden_size": ("base_channels", 128),
    "hidden_size_mult": ("multipliers", (1, 2, 4, 4)),
    "z_channels": ("latent_channels", 4),
    "num_res_blocks": ("blocks", 2),
}
LATTE_FIELDS: dict[str, tuple[str, object]] = {
    "num_layers": ("layers", 1),
    "num_attention_heads": ("heads", 16),
    "attention_head_dim": ("head_width", 88),
    "in_channels": ("in_channels", None),
    "caption_channels": ("text_width", None),
    "sample_size": ("latent_side", None),
    "video_length": ("latent_frames", None),
}
CAUSAL_VAE_FIXED: dict[str, object] = {
    "attn_resolutions": [],
    "double_z": True,
    "dropout": 0.0,
    "q_conv": "CausalConv3d",
    "encoder_conv_in": "Conv2d",
    "encoder_conv_out": "CausalConv3d",
    "encoder_attention": "AttnBlock3DFix",
    "encoder_mid_resnet": "ResnetBlock3D",
    "encoder_resnet_blocks": ["ResnetBlock2D", "ResnetBlock2D", "ResnetBlock3D", "ResnetBlock3D"],
    "encoder_spatial_downsample": ["Downsample", "Downsample", "Downsample", ""],
    "encoder_temporal_downsample": ["", "TimeDownsampleRes2x", "TimeDownsampleRes2x", ""],
    "decoder_conv_in": "CausalConv3d",
    "decoder_conv_out": "CausalConv3d",
    "decoder_attention": "AttnBlock3DFix",
    "decoder_mid_resnet": "ResnetBlock3D",
    "decoder_resnet_blocks": ["ResnetBlock3D", "ResnetBlock3D", "ResnetBlock3D", "ResnetBlock3D"],
    "decoder_spatial_upsample": ["", "SpatialUpsample2x", "SpatialUpsample2x", "SpatialUpsample2x"],
    "decoder_temporal_upsample": ["", "", "TimeUpsampleRes2x", "TimeUpsampleRes2x"],
}
LATTE_FIXED: dict[str, object] = {
    "dropout": 0.0,
    "attention_bias": True,
    "attention_type": "default",
    "patch_size": 2,
    "patch_size_t": 1,
    "activation_fn": "gelu-approximate",
    "norm_type": "ada_norm_single",
    "norm_elementwise_affine": False,
    "norm_eps": 1e-6,
    "only_cross_attention": False,
    "double_self_attention": False,
    "upcast_attention": False,
    "use_linear_projection": False,
    "num_vector_embeds": None,
    "use_rope": False,
    "compress_kv_factor": 1,
}
# What training used, and switches that change how, not what, is computed.
CAUSAL_VAE_UNSEEN = {"resolution", "lr", "loss_type", "loss_params"}
LATTE_UNSEEN = {"attention_mode", "model_max_length", "norm_num_groups", "num_embeds_ada_norm", "rope_scaling_type"}


def read_causal_vae(config: Config) -> CausalVAEConfig:
    known = {*CAUSAL_VAE_FIELDS, *CAUSAL_VAE_FIXED, *CAUSAL_VAE_UNSEEN, "embed_dim"}
    check(CAUSAL_VAE_CLASS, config, known, CAUSAL_VAE_FIXED)
    values = our_fields(config, CAUSAL_VAE_FIELDS)
    check_derived(CAUSAL_VAE_CLASS, config, {"embed_dim": values["latent_channels"]})
    return CausalVAEConfig(**{**values, "multipliers": tuple(values["multipliers"])})


def write_causal_vae(config: CausalVAEConfig) -> dict[str, object]:
    fields = {theirs: getattr(config, ours) for theirs, (ours, _) in CAUSAL_VAE_FIELDS.items()}
    fields |= {"hidden_size_mult": list(config.multipliers), "embed_dim": config.latent_channels}
    return {"_class_name": CAUSAL_VAE_CLASS, **fields, **CAUSAL_VAE_FIXED}


def read_latte(config: Config) -> LatteConfig:
    known = {*LATTE_FIELDS, *LATTE_FIXED, *LATTE_UNSEEN, "out_channels", "cross_attention_dim"}
    check(LATTE_CLASS, config, known, LATTE_FIXED)
    values = our_fields(config, LATTE_FIELDS)
    read = LatteConfig(**{**values, "latent_side": _height(values["latent_side"])})
    check_derived(LATTE_CLASS, config, {"out_channels": read.out_channels, "cross_attention_dim": read.width})
    return read


def write_latte(config: LatteConfig) -> dict[str, object]:
    fields = {theirs: getattr(config, ours) for theirs, (ours, _) in LATTE_FIELDS.items()}
    # The reference scales positions by the height alone, so a square stands for every width.
    fields |= {"sample_size": [config.latent_side, config.latent_side]}
    fields |= {"out_channels": config.out_channels, "cross_attention_dim": config.width}
    return {"_class_name": LATTE_CLASS, **fields, **LATTE_FIXED}


def _height(sample_size: object) -> int:
    if isinstance(sample_size, (list, tuple)) and len(sample_size) == 2:
        sample_size = sample_size[0]
    if not isinstance(sample_size, int):
        raise ConfigError(f"sample_size is {sample_size!r}, but must be a side or a pair [height, width], in latents")
    return sample_size
