"""The measurement of the models at the smallest size: that it works, not how fast anything is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.costly

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _benchmarks_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


def test_every_figure_but_memory(monkeypatch, capsys, tmp_path):
    from benchmarks import models
    from benchmarks.report import Report

    pages = []
    monkeypatch.setattr(models, "peak_memory", lambda case, side, place: {"ours": 2**20, "plain": 2**22}[side])
    monkeypatch.setattr(Report, "write", lambda self: pages.append(self))
    monkeypatch.setattr(sys, "argv", ["models", "--quick", "--repeats", "2"])
    models.main()
    assert not pages
    printed = capsys.readouterr().out
    for name in ("WF-VAE-S encode", "decode 9x16x16 in chunks of 1", "training step, k = 4"):
        assert name in " ".join(printed.split())
    found = list(models.measure(models.PARTS, [16], 1, 60, quick=True))
    assert len(found) == 3 + 4 + 2
    assert all(figures.timing.apart < 2e-5 < figures.timing.largest for figures in found if figures.timing.largest)
    inference, training = (
        [figures for figures in found if (figures.kind == models.TRAINING) is of] for of in (False, True)
    )
    section = models.report(inference).section()
    assert "| 0.25 of it | ≤ 0.35 |" in section
    assert "still open" in section
    assert section.count("times as fast | ≥") == 2 + 2 + 2
    assert "training" not in section
    section = models.training_report(training).section()
    assert "(dense and k = 4)" in section
    assert section.count("times as fast |") == 2


@pytest.mark.parametrize("side", ["ours", "plain"])
def test_peak_memory_is_above_what_was_held(side):
    from benchmarks.measuring import peak_memory
    from benchmarks.model_cases import Place, VAECase

    case = VAECase(way="encode", side=128, frames=9, base_channels=16, flow_channels=16)
    activations = 5 * 64 * 64 * 16 * 4
    assert activations < peak_memory(case, side, Place()) < 200 * activations


def test_shares_weights(monkeypatch):
    from benchmarks.model_cases import Place, VAECase, modules

    both = modules(VAECase(way="decode", side=16, frames=5, base_channels=8, flow_channels=8), Place())
    ours, plain = both["ours"].decoder.conv_in.weight, both["plain"].decoder.conv_in.conv.weight
    assert ours.data_ptr() == plain.data_ptr()


def test_gpu_figures(monkeypatch):
    """On the CPU, without the memory of a GPU."""
    from benchmarks import measuring, models_on_gpu

    monkeypatch.setattr(measuring, "_wait", lambda device: None)
    for name in ("peak_memory", "held_memory"):
        monkeypatch.setattr(models_on_gpu, name, lambda case, side, place: 10**9)
    torch.manual_seed(0)
    found = list(models_on_gpu.measure(("vae", "denoiser"), 1, 60, quick=True, device="cpu"))
    assert len(found) == 2 * 2 * 2 * 2 + 2 * 3
    section = models_on_gpu.report(found).section()
    assert "| 11.11 |" in section
    assert "| 2.00 | 2.00 | 7.00 |" in section
