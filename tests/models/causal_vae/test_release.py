"""The autoencoder under its released names."""

import json

import pytest
import torch

from models import released
from models.causal_vae import CausalVAEConfig, CausalVideoVAE
from models.released.config import ConfigError


def layers_of(block: str, conv: str, shortcut: bool) -> list[str]:
    """The layers of a residual block; `conv` is what its convolutions end in."""
    names = [f"{block}.{layer}" for layer in ("norm1", f"conv1{conv}", "norm2", f"conv2{conv}")]
    return [*names, f"{block}.nin_shortcut{conv}"] if shortcut else names


def test_names_at_full_size():
    with torch.device("meta"):
        shapes = {name: list(value.shape) for name, value in released.dump(CausalVideoVAE(CausalVAEConfig())).items()}
    layers = ["encoder.conv_in", "decoder.conv_in.conv", "quant_conv.conv", "post_quant_conv.conv"]
    for side in ("encoder", "decoder"):
        layers += [f"{side}.norm_out", f"{side}.conv_out.conv", f"{side}.mid.attn_1.norm"]
        layers += [f"{side}.mid.attn_1.{part}.conv" for part in ("q", "k", "v", "proj_out")]
        layers += [name for i in (1, 2) for name in layers_of(f"{side}.mid.block_{i}", ".conv", False)]
    for i in range(4):
        for j in range(2):
            conv = "" if i < 2 else ".conv"
            layers += layers_of(f"encoder.down.{i}.block.{j}", conv, shortcut=j == 0 and i in (1, 2))
        for j in range(3):
            layers += layers_of(f"decoder.up.{i}.block.{j}", ".conv", shortcut=j == 0 and i in (0, 1))
    layers += [f"encoder.down.{i}.downsample.conv" for i in (0, 1, 2)]
    layers += [f"decoder.up.{i}.upsample.conv.conv" for i in (1, 2, 3)]
    layers += [f"encoder.down.{i}.time_downsample.conv" for i in (1, 2)]
    layers += [f"decoder.up.{i}.time_upsample.conv.conv" for i in (2, 3)]
    expected = {f"{layer}.{leaf}" for layer in layers for leaf in ("weight", "bias")}
    expected |= {f"encoder.down.{i}.time_downsample.mix_factor" for i in (1, 2)}
    expected |= {f"decoder.up.{i}.time_upsample.mix_factor" for i in (2, 3)}
    assert shapes.keys() == expected
    assert shapes["encoder.conv_out.conv.weight"] == [8, 512, 3, 3, 3]
    assert shapes["decoder.up.3.upsample.conv.conv.weight"] == [512, 512, 1, 3, 3]
    assert shapes["encoder.down.1.block.0.nin_shortcut.weight"] == [256, 128, 1, 1]
    assert shapes["encoder.down.1.time_downsample.mix_factor"] == [1]


def test_losses_are_passed_over(tiny_vae, tmp_path):
    vae = tiny_vae()
    (tmp_path / "config.json").write_text(json.dumps(released.config_of(vae) | {"lr": 1e-5, "loss_type": "lpips"}))
    state = released.dump(vae) | {"loss.logvar": torch.zeros(()), "loss.discriminator.main.0.weight": torch.ones(3)}
    torch.save({"state_dict": state}, tmp_path / "model.ckpt")
    other = released.from_pretrained(tmp_path)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in vae.state_dict().items())
    with pytest.raises(released.StateDictError, match=r"unexpected: losses.logvar"):
        released.load(vae, state | {"losses.logvar": torch.zeros(())})


def test_published_config():
    with torch.device("meta"):
        assert released.build("CausalVAEModel", {}).config == CausalVAEConfig()
    small = {"hidden_size": 32, "hidden_size_mult": [1, 1, 1, 2], "z_channels": 8, "embed_dim": 8, "num_res_blocks": 1}
    config = CausalVAEConfig(base_channels=32, multipliers=(1, 1, 1, 2), latent_channels=8, blocks=1)
    assert released.build("CausalVAEModel", small).config == config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hiden_size": 32}, r"hiden_size is not a field of CausalVAEModel; did you mean hidden_size\?"),
        ({"embed_dim": 8}, r"embed_dim is 8, but must be 4 in a CausalVAEModel"),
        (
            {"decoder_temporal_upsample": ["", "", "Spatial2xTime2x3DUpsample", "Spatial2xTime2x3DUpsample"]},
            r"decoder_temporal_upsample is .* no other CausalVAEModel is supported",
        ),
        ({"_class_name": "WFVAEModel"}, r"_class_name is 'WFVAEModel', but must be 'CausalVAEModel'"),
    ],
)
def test_configuration_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        released.build("CausalVAEModel", config)
