"""The page about models: its example runs, and its picture shows the distances that the code gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models import released
from models.dit import DenoiserConfig, SkiparseDenoiser

ROOT = Path(__file__).resolve().parents[3]


def test_the_example_runs(tmp_path, monkeypatch):
    shape = {"layers": 5, "heads": 1, "head_width": 6, "in_channels": 4, "text_width": 8}
    released.save_pretrained(SkiparseDenoiser(DenoiserConfig(**shape)), tmp_path / "weights" / "denoiser")
    (example,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "models.md").read_text(), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert released.from_pretrained(tmp_path / "mine" / "denoiser").sparse_ratio == 2


@pytest.mark.costly
def test_the_picture_is_drawn_from_the_published_distances(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import attention_patterns

    shown = {
        (name, label): attention_patterns.three_places(value)
        for name, values in attention_patterns.distances()
        for label, value in values
    }
    assert shown == {
        ("Full 3D", ""): "1.000",
        ("2+1D", ""): "1.957",
        ("Skip + window", "k = 2"): "1.500",
        ("Skip + window", "k = 4"): "1.750",
        ("Skip + window", "k = 8"): "1.875",
        ("Skiparse", "k = 2"): "1.250",
        ("Skiparse", "k = 4"): "1.563",
        ("Skiparse", "k = 8"): "1.766",
    }
    attention_patterns.draw(tmp_path / "patterns.png")
    assert (tmp_path / "patterns.png").stat().st_size > 50_000
    assert attention_patterns.PICTURE.is_file()


@pytest.mark.parametrize("name", ["causal_vae", "control", "dit", "latte", "wfvae"])
def test_every_package_of_models_is_on_the_page(name):
    assert f"`models/{name}`" in (ROOT / "docs" / "models.md").read_text()
