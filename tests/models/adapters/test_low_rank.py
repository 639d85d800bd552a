"""Adapters beside frozen weights: nothing before they have learned, the same when they are merged, in a small file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models import adapters, released
from models.adapters import AdapterError, LowRank
from models.dit import DenoiserConfig, SkiparseDenoiser
from models.latte import LatteConfig, LatteDenoiser

BASE = "b" * 64


def skiparse() -> nn.Module:
    small = {"layers": 5, "heads": 2, "head_width": 12, "in_channels": 4, "text_width": 16, "sparse_ratio": 2}
    return SkiparseDenoiser(DenoiserConfig(**small)).eval()


def latte() -> nn.Module:
    small = {"layers": 2, "heads": 2, "head_width": 12, "in_channels": 4, "text_width": 16, "latent_side": 8}
    return LatteDenoiser(LatteConfig(**small)).eval()


Make = Callable[[], nn.Module]
both = pytest.mark.parametrize("make", [skiparse, latte])


def said(model: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    latent, text = torch.randn(1, 4, 2, 4, 6, generator=generator), torch.randn(1, 5, 16, generator=generator)
    with torch.no_grad():
        return model(latent, torch.tensor([400]), text)


def low_rank(*targets: str, rank: int = 3, alpha: float = 6.0) -> LowRank:
    return LowRank(rank, alpha, targets or ("attention", "feed_forward"), BASE)


def learned(model: nn.Module, settings: LowRank | None = None) -> nn.Module:
    """With adapters that have learned something."""
    adapters.add_adapters(model, settings or low_rank())
    for parameter in model.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.1)
    return model


@both
def test_untrained_they_are_the_base_and_alone_are_trained(make: Make) -> None:
    model = make()
    before, weights = said(model), copy.deepcopy(model.state_dict())
    adapters.add_adapters(model, low_rank())
    assert torch.equal(said(model), before)
    assert {name.split(".lora_")[1] for name, each in model.named_parameters() if each.requires_grad} == {
        "A.default.weight",
        "B.default.weight",
    }
    model(torch.randn(1, 4, 1, 4, 4), torch.tensor([5]), torch.randn(1, 2, 16)).sum().backward()
    torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1).step()
    assert not torch.equal(said(model), before)
    now = {name.replace(".base_layer", ""): each for name, each in model.state_dict().items() if ".lora_" not in name}
    assert all(torch.equal(now[name], each) for name, each in weights.items()), "the base stays as it is"


@both
def test_merged_they_are_the_same_network_without_them(make: Make) -> None:
    model = learned(make())
    wanted, keys = said(model), make().state_dict().keys()
    adapters.merge_adapters(model)
    assert model.state_dict().keys() == keys
    assert adapters.adapters_of(model) is None
    torch.testing.assert_close(said(model), wanted, rtol=0, atol=1e-5)


def test_a_scale_is_of_what_they_add_to_each_weight() -> None:
    """W + scale · (alpha / rank) · B·A, by hand."""
    base, model = skiparse(), learned(skiparse(), low_rank("self_attention"))
    base.load_state_dict({k.replace(".base_layer", ""): v for k, v in model.state_dict().items() if ".lora_" not in k})
    layer = model.get_submodule("blocks.1.self_attention.key")
    added = 6.0 / 3 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    for scale in (0.0, 0.5, 1.0, -2.0):
        merged = copy.deepcopy(model)
        adapters.merge_adapters(merged, scale)
        expected = base.blocks[1].self_attention.key.weight + scale * added
        torch.testing.assert_close(merged.blocks[1].self_attention.key.weight, expected)
        assert scale or torch.equal(said(merged), said(base)), "0 is the base to the bit"


@pytest.mark.parametrize(
    ("targets", "per_block"),
    [(("attention",), 8), (("self_attention",), 4), (("cross_attention", "self_attention"), 8), (("feed_forward",), 2)],
)
def test_targets_are_linear_layers_of_blocks(targets: tuple[str, ...], per_block: int) -> None:
    layers = adapters.layers_of(skiparse(), targets)
    assert len(layers) == 5 * per_block
    assert all(name.startswith("blocks.") for name in layers)
    spatial, temporal = 8, 4
    assert len(adapters.layers_of(latte(), ("attention",))) == 2 * (spatial + temporal)


@both
def test_a_file_holds_them_alone_and_loads_on_the_base(make: Make, tmp_path: Path) -> None:
    model = learned(make())
    wanted, base = said(model), make()
    base.load_state_dict({k.replace(".base_layer", ""): v for k, v in model.state_dict().items() if ".lora_" not in k})
    adapters.save_adapter(model, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [adapters.CONFIG_FILE, adapters.WEIGHTS_FILE]
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    assert sum(each.numel() for each in load_file(tmp_path / adapters.WEIGHTS_FILE).values()) == trained
    assert adapters.read_settings(tmp_path) == low_rank()
    random = torch.get_rng_state()
    adapters.merge(base, adapters.read_adapter(tmp_path))
    assert torch.equal(torch.get_rng_state(), random)
    torch.testing.assert_close(said(base), wanted, rtol=0, atol=1e-5)


class Published(nn.Module):
    """Layers under their released names, as the published implementation has them; a name with dots is a path."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        names = released.names_of(model)
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Linear):
                *path, last = names[f"{name}.weight"].removesuffix(".weight").split(".")
                place: nn.Module = self
                for part in path:
                    if part not in dict(place.named_children()):
                        place.add_module(part, nn.Module())
                    place = place.get_submodule(part)
                place.add_module(last, copy.deepcopy(layer))


def test_peft_lays_them_onto_layers_of_the_released_names(tmp_path: Path) -> None:
    from peft import PeftModel

    model = skiparse()
    theirs = Published(model)
    adapters.save_adapter(learned(model), tmp_path)
    loaded = PeftModel.from_pretrained(theirs, str(tmp_path)).base_model.model
    x = torch.randn(2, 24)
    for ours, name in (
        ("blocks.3.cross_attention.out", "transformer_blocks.3.attn2.to_out.0"),
        ("blocks.0.feed_forward.hidden", "transformer_blocks.0.ff.net.0.proj"),
    ):
        torch.testing.assert_close(loaded.get_submodule(name)(x), model.get_submodule(ours)(x))


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"holds no adapters: there is no adapter_config\.json"):
        adapters.read_adapter(tmp_path)
    adapters.save_adapter(learned(skiparse(), low_rank("cross_attention")), tmp_path)
    with pytest.raises(AdapterError, match=r"fit this LatteDenoiser: unexpected: .*transformer_blocks\.2\.attn2"):
        adapters.merge(latte(), adapters.read_adapter(tmp_path))
    file = tmp_path / adapters.WEIGHTS_FILE
    tensors = load_file(file)
    name = next(iter(tensors))
    save_file({**tensors, name: torch.full_like(tensors[name], torch.nan)}, file)
    with pytest.raises(AdapterError, match=f"not finite: {name}"):
        adapters.read_adapter(tmp_path)
    told = json.loads((tmp_path / adapters.CONFIG_FILE).read_text())
    del told["soraflow"]
    (tmp_path / adapters.CONFIG_FILE).write_text(json.dumps(told))
    with pytest.raises(AdapterError, match=r"adapter_config\.json does not say what soraflow writes"):
        adapters.read_adapter(tmp_path)
    with pytest.raises(ValueError, match=r"targets: \['query'\]; they are among: attention"):
        low_rank("query")
    with pytest.raises(ValueError, match="rank is 0"):
        low_rank("attention", rank=0)
