"""The measurement of batches on a small network: that it works, not how fast anything is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.costly
def test_every_batch_has_its_row(monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import batches
    from benchmarks.report import TITLES, Report

    pages: list[Report] = []
    monkeypatch.setattr(Report, "write", lambda self: pages.append(self))
    monkeypatch.setattr(sys, "argv", ["batches", "--quick"])
    batches.main()
    assert not pages
    printed = " ".join(capsys.readouterr().out.split())
    for row in ("CLIP ViT-L/14, 5 at once", "CLIP ViT-L/14, 10 at once", "LPIPS, AlexNet, 64 at once"):
        assert row in printed
    found = [batches.Found("CLIP", [1, 5, 10], [2.0, 1.0, 0.5]), batches.Found("LPIPS", [1, 2, 4], [1.0, 1.0, 1.0])]
    result = batches.report(found, batches.torch.device("cpu"))
    assert "2.00 times as fast with those of 2 clips" in result.finding
    assert [row[2] for row in result.rows[:3]] == ["0.50", "1.00", "2.00"]
    assert result.title in TITLES
