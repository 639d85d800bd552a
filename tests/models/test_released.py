"""Released files in and out: round trips, the forms found in the wild, and refusals that list what is wrong."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models import released
from models.causal_vae import CausalVAEConfig, CausalVideoVAE
from models.control import ImageConditionedDenoiser
from models.dit import DenoiserConfig, SkiparseDenoiser
from models.latte import LatteConfig, LatteDenoiser
from models.released.config import ConfigError
from models.wfvae import WFVAE, PatchDiscriminator3D, WFVAEConfig

DENOISER = DenoiserConfig(layers=6, heads=4, head_width=24, in_channels=8, text_width=32, sparse_ratio=2)
VAE = WFVAEConfig(
    base_channels=16,
    latent_channels=8,
    encoder_flow_channels=16,
    decoder_flow_channels=32,
    encoder_blocks=1,
    decoder_blocks=3,
    flow_blocks=2,
)
MODELS = {
    "wfvae": lambda: WFVAE(VAE),
    "wfvae without attention": lambda: WFVAE(WFVAEConfig(base_channels=8, encoder_flow_channels=8, attention=False)),
    "wfvae with groupnorm": lambda: WFVAE(WFVAEConfig(base_channels=32, norm="groupnorm")),
    "denoiser": lambda: SkiparseDenoiser(DENOISER),
    "dense denoiser": lambda: SkiparseDenoiser(DenoiserConfig(layers=2, heads=1, head_width=6, sparse_ratio=1)),
    "denoiser of our own": lambda: SkiparseDenoiser(
        DenoiserConfig(layers=2, heads=1, head_width=6, absolute_positions=True)
    ),
    "image condition": lambda: ImageConditionedDenoiser(DENOISER),
    "causal vae": lambda: CausalVideoVAE(CausalVAEConfig(base_channels=32, multipliers=(1, 1, 2, 1), blocks=1)),
    "latte": lambda: LatteDenoiser(LatteConfig(layers=2, heads=2, head_width=12, text_width=16, latent_frames=57)),
}


def assert_same(module: nn.Module, other: nn.Module) -> None:
    assert type(module) is type(other)
    assert module.config == other.config
    first, second = module.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", MODELS)
def test_state_dict_round_trip(name):
    module = MODELS[name]()
    config = released.config_of(module)
    other = released.build(config["_class_name"], config)
    released.load(other, released.dump(module))
    assert_same(module, other)


@pytest.mark.parametrize("name", MODELS)
def test_folder_round_trip(name, tmp_path):
    module = MODELS[name]()
    released.save_pretrained(module, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "diffusion_pytorch_model.safetensors"]
    assert_same(module, released.from_pretrained(tmp_path))


@torch.no_grad()
def test_loaded_vae_runs_and_agrees(tmp_path):
    vae = WFVAE(VAE).eval()
    released.save_pretrained(vae, tmp_path)
    video = torch.rand(1, 3, 5, 8, 8)
    assert torch.equal(released.from_pretrained(tmp_path).encode(video).mean, vae.encode(video).mean)


def test_sparse_ratio_of_the_moment_is_saved(tmp_path):
    model = SkiparseDenoiser(DENOISER)
    model.sparse_ratio = 4
    released.save_pretrained(model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["sparse_n"] == 4
    assert released.from_pretrained(tmp_path).sparse_ratio == 4


def test_half_precision_folder(tmp_path):
    released.save_pretrained(SkiparseDenoiser(DENOISER).bfloat16(), tmp_path)
    assert released.from_pretrained(tmp_path).project_out.weight.dtype == torch.float32
    assert released.from_pretrained(tmp_path, torch.bfloat16).project_out.weight.dtype == torch.bfloat16


def test_scale_and_shift_are_noted_beside_the_weights(tmp_path):
    released.save_pretrained(WFVAE(VAE), tmp_path, scale=[0.5] * 8, shift=[0.1] * 8)
    config = released.read_config(tmp_path)
    assert (config["scale"], config["shift"]) == ([0.5] * 8, [0.1] * 8)
    with pytest.raises(ConfigError, match=r"latent_dim: only scale, shift may be noted"):
        released.save_pretrained(WFVAE(VAE), tmp_path, latent_dim=4)


def test_parts_of_a_large_model(tmp_path):
    model = SkiparseDenoiser(DENOISER)
    released.save_pretrained(model, tmp_path)
    whole = tmp_path / released.WEIGHTS_FILE
    tensors = list(load_file(whole).items())
    whole.unlink()
    for i, part in enumerate((tensors[:9], tensors[9:])):
        save_file(dict(part), tmp_path / f"diffusion_pytorch_model-0000{i + 1}-of-00002.safetensors")
    assert_same(model, released.from_pretrained(tmp_path))


WRAPPINGS = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state},
    "generator beside discriminator": lambda state: {"state_dict": {"gen_model": state, "dics_model": {}}},
    "distributed": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
    "average": lambda state: {
        "ema_state_dict": {f"module.{key}": value for key, value in state.items()},
        "state_dict": {"gen_model": {key: value * 0 for key, value in state.items()}},
    },
    "empty average": lambda state: {"ema_state_dict": {}, "state_dict": {"gen_model": state}},
    "earlier spelling": lambda state: {
        key.replace("transform_l", "tranform_l"): value
        for key, value in state.items()
        if "transform_in" not in key and "transform_out" not in key
    },
    "without filters": lambda state: {key: value for key, value in state.items() if "wavelet" not in key},
}


@pytest.mark.parametrize("suffix", [".ckpt", ".bin"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_checkpoints_in_the_wild(wrapping, suffix, tmp_path):
    vae = WFVAE(VAE)
    (tmp_path / "config.json").write_text(json.dumps(released.config_of(vae)))
    torch.save(WRAPPINGS[wrapping](released.dump(vae)), tmp_path / f"model{suffix}")
    assert_same(vae, released.from_pretrained(tmp_path))


def test_what_is_no_tensor_is_named():
    with pytest.raises(released.StateDictError, match="not a tensor: epoch"):
        released.unwrapped({"state_dict": {"weight": torch.ones(2), "epoch": 3}})


def test_another_network_is_no_vae(tmp_path):
    released.save_pretrained(
        SkiparseDenoiser(DenoiserConfig(layers=2, heads=1, head_width=6, sparse_ratio=1)), tmp_path
    )
    with pytest.raises(ValueError, match="holds a SkiparseDenoiser, which is no VAE"):
        released.vae_from_pretrained(tmp_path)


class Planted:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_code_in_a_checkpoint_does_not_run(tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps(released.config_of(WFVAE(VAE))))
    torch.save({"state_dict": Planted()}, tmp_path / "model.ckpt")
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        released.from_pretrained(tmp_path)
    assert capsys.readouterr().out == ""


def test_weights_must_be_there_and_unambiguous(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(released.config_of(WFVAE(VAE))))
    with pytest.raises(FileNotFoundError, match=r"exactly one .ckpt or .bin; found: none"):
        released.from_pretrained(tmp_path)
    for name in ("a.ckpt", "b.ckpt"):
        torch.save({}, tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"found: a.ckpt, b.ckpt"):
        released.from_pretrained(tmp_path)


def broken(state: dict[str, Tensor]) -> dict[str, Tensor]:
    state = dict(state)
    del state["proj_out.bias"]
    state["proj_out.extra"] = torch.zeros(1)
    state["scale_shift_table"] = torch.zeros(3, 96)
    state["pos_embed.proj.bias"] = torch.full((96,), float("nan"))
    return state


def test_every_misfit_is_listed_in_one_error():
    model = SkiparseDenoiser(DENOISER)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(released.StateDictError) as caught:
        released.load(model, broken(released.dump(model)))
    for part in (
        "SkiparseDenoiser",
        "missing: proj_out.bias",
        "unexpected: proj_out.extra",
        "another shape: scale_shift_table is [3, 96] instead of [2, 96]",
        "not finite: pos_embed.proj.bias",
    ):
        assert part in str(caught.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_other_wavelets_are_refused():
    vae = WFVAE(VAE)
    state = released.dump(vae)
    state["encoder.wavelet_transform_l1.ad"] = -state["encoder.wavelet_transform_l1.ad"]
    with pytest.raises(released.StateDictError, match=r"not the Haar filter: encoder.wavelet_transform_l1.ad"):
        released.load(vae, state)


@pytest.mark.parametrize(
    ("class_name", "config", "message"),
    [
        ("CausalVAE", {}, r"class 'CausalVAE' is not one of: WFVAEModel"),
        ("WFVAEModel", {"latent_dims": 8}, r"latent_dims is not a field of WFVAEModel; did you mean latent_dim\?"),
        ("WFVAEModel", {"_class_name": "OpenSoraT2V_v1_3"}, r"_class_name is 'OpenSoraT2V_v1_3', but must be 'WFVAEM"),
        ("WFVAEModel", {"dropout": 0.1}, r"dropout is 0.1, but must be 0.0"),
        (
            "WFVAEModel",
            {"l1_dowmsample_block": "Spatial2xTime2x3DDownsample"},
            r"l1_dowmsample_block is .* but must be 'Downsample'",
        ),
        ("OpenSoraT2V_v1_3", {"num_layers": 2}, r"caption_channels, in_channels: missing"),
        (
            "OpenSoraT2V_v1_3",
            {"in_channels": 8, "caption_channels": 8, "attention_head_dim": 24, "cross_attention_dim": 48},
            r"cross_attention_dim is 48, but must be 384",
        ),
        ("OpenSoraT2V_v1_3", {"in_channels": 8, "patch_size": 4}, r"patch_size is 4, but must be 2"),
        ("NLayerDiscriminator3D", {"input_nc": 1}, r"input_nc is 1, but must be 3"),
    ],
)
def test_configuration_refused(class_name, config, message):
    with pytest.raises(ConfigError, match=message):
        released.build(class_name, config)


def test_sizes_may_be_pairs_and_missing_fields_have_the_published_defaults():
    vae = released.build("WFVAEModel", {})
    assert (vae.config.norm, vae.config.temporal_upsampling, vae.config.encoder_flow_channels) == (
        "groupnorm",
        "nearest",
        64,
    )
    config = released.config_of(SkiparseDenoiser(DENOISER)) | {"sample_size_h": [44, 80], "sample_size_w": [44, 80]}
    assert released.build("OpenSoraT2V_v1_3", config).config == DENOISER


def test_config_without_a_class(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"config.json: _class_name is missing; it is one of: WFVAEModel"):
        released.from_pretrained(tmp_path)


def test_only_networks_with_released_names():
    with pytest.raises(TypeError, match="Linear is not a network with released names"):
        released.dump(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="PatchDiscriminator3D has no released class with a config"):
        released.config_of(PatchDiscriminator3D(8, 2))


def test_a_released_config_says_nothing_of_what_only_ours_have():
    shape = {"layers": 1, "heads": 1, "head_width": 6}
    published = SkiparseDenoiser(DenoiserConfig(**shape))
    own = SkiparseDenoiser(DenoiserConfig(**shape, absolute_positions=True))
    assert "absolute_positions" not in released.config_of(published)
    assert released.config_of(own)["absolute_positions"]
