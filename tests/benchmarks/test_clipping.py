"""The measurement of dropping on the smallest denoiser: that it works, not what it costs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_what_dropping_adds_has_its_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import clipping
    from benchmarks.report import TITLES, Report

    pages: list[Report] = []
    monkeypatch.setattr(Report, "write", lambda self: pages.append(self))
    monkeypatch.setattr(sys, "argv", ["clipping", "--quick", "--pairs", "2"])
    clipping.main()
    assert not pages
    assert "norm, message, decision, scaling" in capsys.readouterr().out
    result = clipping.report(clipping.Figures(step=[100.0, 50.0, 80.0], added=[0.5, 0.5, 0.8]))
    assert "adds 1.00% to a training step" in result.finding
    assert result.title in TITLES
