"""Several ranks write a model in parts, and it is read as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from models import released
from models.dit import DenoiserConfig, SkiparseDenoiser
from models.wfvae import WFVAE, WFVAEConfig
from ops.training.checkpoints import released_form, store
from ops.training.launching.ranks import Ranks


def denoiser() -> nn.Module:
    torch.manual_seed(0)
    return SkiparseDenoiser(DenoiserConfig(layers=6, heads=2, head_width=12, in_channels=4, text_width=8))


def vae() -> nn.Module:
    torch.manual_seed(0)
    return WFVAE(WFVAEConfig(base_channels=8, latent_channels=4, encoder_flow_channels=8, decoder_flow_channels=8))


def written(model: nn.Module, folder: Path, ranks: int) -> list[list[str]]:
    """Write it as so many ranks would; the files of each."""
    each = []
    for rank in range(ranks):
        made = released_form.files("ema", model.state_dict().items(), model, Ranks(rank, ranks, rank))
        each.append(sorted(store.write(folder, made)))
    return each


@pytest.mark.parametrize("make", [denoiser, vae])
def test_ranks_write_whole_tensors_in_about_equal_parts(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(released_form, "SMALLEST_PART", 2**10)
    model = make()
    each = written(model, tmp_path, ranks=3)
    name = "ema/diffusion_pytorch_model-0000{}-of-00003.safetensors"
    index = "ema/diffusion_pytorch_model.safetensors.index.json"
    assert each == [["ema/config.json", name.format(1), index], [name.format(2)], [name.format(3)]]
    whole = released.dump(model)
    index_of = json.loads((tmp_path / index).read_text(encoding="utf-8"))
    assert index_of["weight_map"].keys() == whole.keys()
    for number in (1, 2, 3):
        part = load_file(tmp_path / name.format(number))
        assert {key for key, file in index_of["weight_map"].items() if f"ema/{file}" == name.format(number)} == {*part}
        share = sum(value.numel() for value in part.values()) / sum(value.numel() for value in whole.values())
        assert share == pytest.approx(1 / 3, abs=0.15)
    read = released.dump(released.from_pretrained(tmp_path / "ema"))
    assert all(torch.equal(read[key], value) for key, value in whole.items())


def test_a_small_model_is_one_file_as_ever(tmp_path: Path) -> None:
    model = denoiser()
    assert written(model, tmp_path / "ours", ranks=4)[1:] == [[], [], []]
    released.save_pretrained(model, tmp_path / "theirs")
    ours, theirs = tmp_path / "ours" / "ema", tmp_path / "theirs"
    assert sorted(file.name for file in ours.iterdir()) == sorted(file.name for file in theirs.iterdir())
    assert all((ours / file.name).read_bytes() == file.read_bytes() for file in theirs.iterdir())


def test_writers_are_spread_over_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(released_form, "SMALLEST_PART", sum(4 * p.numel() for p in denoiser().parameters()) // 2)
    assert set(released_form.writers(denoiser(), 16).values()) == {0, 8}
