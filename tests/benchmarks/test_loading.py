"""The measurement of the loader on small windows: that it works, not how fast anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.runtime.project import Project

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_both_sides_decode_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    from benchmarks import loading
    from benchmarks.report import TITLES

    project = Project(tmp_path)
    found = loading.measure(project, loading.windows(project, 3, 5, 32), 1, 2)
    assert len(found.bare) == len(found.loader) == 2
    assert all(turn.wall > 0 and turn.processor > 0 for turn in (*found.bare, *found.loader))
    result = loading.report(found)
    assert result.title in TITLES
    assert [len(row) for row in result.rows] == [len(result.columns)] * 2
