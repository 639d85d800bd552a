"""The measurement of the index of samples on a small one: that it works, and what it counts as memory."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.costly
def test_two_ranks_have_their_rows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import sample_index
    from benchmarks.report import TITLES, Report

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pages: list[Report] = []
    monkeypatch.setattr(Report, "write", lambda self: pages.append(self))
    monkeypatch.setattr(sys, "argv", ["sample_index", "--samples", "70000"])
    sample_index.main()
    assert not pages
    printed = " ".join(capsys.readouterr().out.split())
    assert "A rank opens 70,000 samples in" in printed
    assert "its share of them, of 2 ranks" in printed
    assert sample_index.report(sample_index.Figures(1, 1, 1, 1.0, [sample_index.Rank(*[1] * 7)])).title in TITLES


def test_own_memory_is_what_was_written_to_and_mapped_memory_is_what_was_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.sample_index import index_bytes, own_bytes

    size = 40_000_000
    with mmap.mmap(
        -1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    ) as block:  # what is freed may be given out again
        before = own_bytes()
        for place in range(0, size, mmap.PAGESIZE):
            block[place] = 1
        assert 0.9 * size < own_bytes() - before < 1.5 * size
    (tmp_path / "mapped").write_bytes(bytes(1 << 20))
    with (tmp_path / "mapped").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) == 0
        assert index_bytes(tmp_path) == (1 << 20, 1 << 20)
