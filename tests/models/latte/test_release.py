"""The denoiser under its released names."""

import pytest
import torch

from models import released
from models.latte import LatteConfig, LatteDenoiser
from models.released.config import ConfigError


def test_names_at_full_size():
    with torch.device("meta"):
        names = released.dump(LatteDenoiser(LatteConfig()))
    shapes = {name: list(value.shape) for name, value in names.items()}
    attention = [f"to_{part}" for part in ("q", "k", "v", "out.0")]
    forward = ["ff.net.0.proj", "ff.net.2"]
    expected = {"scale_shift_table"}
    layers = ["pos_embed.proj", "adaln_single.linear", "proj_out"]
    layers += [f"adaln_single.emb.timestep_embedder.linear_{i}" for i in (1, 2)]
    layers += [f"caption_projection.linear_{i}" for i in (1, 2)]
    for i in range(28):
        spatial, temporal = f"transformer_blocks.{i}", f"temporal_transformer_blocks.{i}"
        expected |= {f"{spatial}.scale_shift_table", f"{temporal}.scale_shift_table"}
        layers += [f"{spatial}.{kind}.{part}" for kind in ("attn1", "attn2") for part in attention]
        layers += [f"{temporal}.attn1.{part}" for part in attention]
        layers += [f"{block}.{part}" for block in (spatial, temporal) for part in forward]
    expected |= {f"{layer}.{leaf}" for layer in layers for leaf in ("weight", "bias")}
    assert shapes.keys() == expected
    assert shapes["pos_embed.proj.weight"] == [1152, 4, 2, 2]
    assert shapes["proj_out.weight"] == [2 * 2 * 8, 1152]
    assert shapes["temporal_transformer_blocks.27.ff.net.0.proj.weight"] == [4608, 1152]


def test_the_embedding_of_no_caption_is_passed_over(tiny):
    model = tiny()
    state = released.dump(model) | {"caption_projection.y_embedding": torch.full((120, 16), float("nan"))}
    released.load(tiny(), state)
    with pytest.raises(released.StateDictError, match=r"unexpected: caption_projection.other"):
        released.load(model, state | {"caption_projection.other": torch.zeros(1)})


PUBLISHED = {"in_channels": 4, "caption_channels": 4096, "attention_head_dim": 72, "video_length": 17}


def test_published_config():
    config = PUBLISHED | {"num_layers": 28, "sample_size": [64, 64], "out_channels": 8, "attention_mode": "math"}
    with torch.device("meta"):
        assert released.build("LatteT2V", config).config == LatteConfig()
        assert released.build("LatteT2V", config | {"sample_size": 32}).config == LatteConfig(latent_side=32)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (PUBLISHED, r"sample_size: missing"),
        (PUBLISHED | {"sample_size": "64x64"}, r"sample_size is '64x64', but must be a side or a pair"),
        (PUBLISHED | {"sample_size": 64, "out_channels": 4}, r"out_channels is 4, but must be 8 in a LatteT2V"),
        (PUBLISHED | {"sample_size": 64, "use_rope": True}, r"use_rope is True, but must be False"),
        (PUBLISHED | {"num_layer": 28}, r"num_layer is not a field of LatteT2V; did you mean num_layers\?"),
    ],
)
def test_configuration_refused(config, message):
    with pytest.raises(ConfigError, match=message), torch.device("meta"):
        released.build("LatteT2V", config)
