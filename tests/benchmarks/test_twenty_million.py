"""The page on 20 million clips: it quotes what its script works out, and that is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def script(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(checkout)
    from benchmarks import twenty_million

    return twenty_million


def test_the_page_quotes_what_the_figures_give(script: ModuleType) -> None:
    text = script.PAGE.read_text()
    assert script.page(text, script.figures_here()) == text, "run: python -m benchmarks.twenty_million"


def test_the_arithmetic(script: ModuleType) -> None:
    """By hand: 8 core-seconds a clip are 44,444 core-hours, 694 node-hours, 69 hours of ten nodes."""
    sizes = {name.lower(): 10.0 for name in script.COPIES}
    figures = replace(script.figures_here(), curation=8.0, scorers={"a": 5.0, "b": 2.0}, table_bytes=sizes)
    text = "\n".join(script.worked_out(figures))
    assert "| core-hours | 44,444 |" in text
    assert "| node-hours | 694 |" in text
    assert "| hours with 10 nodes | 69 (3 days) |" in text
    assert "| everything else: decoding twice, making pictures smaller, tables | 1.00 |" in text
    assert "| tables of curation, all 10 | 100 | 20,000,000 | 2.0 GB | 10 |" in text
    assert "| latents (mean and log-variance, float32) | 5,406,720 | 8,400,000 | 45.4 TB | 131,250 |" in text
    assert "| scores of clips made a second by all nodes | 80 |" in text


def test_a_table_and_a_store_are_measured(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "ROWS", 200)
    of_tables, of_scores = script._of_tables(tmp_path), script._of_scores(tmp_path)
    assert of_tables["table_bytes"].keys() == {name.lower() for name in script.COPIES}
    assert 0 < of_tables["table_bytes"]["clips"] < of_tables["table_bytes"]["near_duplicates"]
    assert of_tables["row_read"] > 0
    assert of_scores["score_bytes"] > 1000
    assert of_scores["score_written"] > of_scores["score_read"] > 0
