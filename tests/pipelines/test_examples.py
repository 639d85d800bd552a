"""The examples do what they say, on the finished project and on films made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ops.evaluation.checkpoint_scores import ScoresResults
from ops.runtime import tables
from ops.runtime.artifacts import current
from ops.runtime.mp4 import read_mp4

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TESTED = {"curate_a_folder", "generate_from_the_champion", "scores_from_mlflow", "add_a_rule"}


@pytest.fixture
def example(module_at: Callable[[Path], ModuleType]) -> Callable[[str], ModuleType]:
    return lambda name: module_at(EXAMPLES / f"{name}.py")


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == TESTED


@pytest.mark.costly
def test_a_folder_is_curated_without_weights(
    example: Callable[[str], ModuleType], videos: ModuleType, tmp_path: Path
) -> None:
    films = tmp_path / "films"
    videos.slow_pan(films / "pan.mp4")
    videos.still(films / "still.mp4")
    videos.truncated(films / "torn.mp4")
    found = example("curate_a_folder").curate(films, tmp_path / "work")
    assert found == {"kept": 1, "still": 1}  # a file that cannot be decoded has no clips
    torn = [row for row in tables.read(tmp_path / "work" / "data" / "raw_videos.parquet") if row["rejected_by"]]
    assert [row["path"] for row in torn] == ["torn.mp4"]


def test_a_champion_is_asked_under_several_seeds(
    example: Callable[[str], ModuleType], finished: Any, tmp_path: Path
) -> None:
    made = example("generate_from_the_champion").variations(finished.project, "a bicycle", tmp_path, seeds=2, steps=1)
    assert [each.path.name for each in made] == ["00-a-bicycle-seed_0.mp4", "00-a-bicycle-seed_1.mp4"]
    first, second = (read_mp4(each.path) for each in made)
    assert first.shape == second.shape
    assert (first != second).any()


def test_scores_are_those_of_the_checkpoints(example: Callable[[str], ModuleType], finished: Any) -> None:
    (checkpoints,) = example("scores_from_mlflow").scores(finished.project).values()
    best = current(finished.project, "checkpoint_scores", ScoresResults)
    assert len(checkpoints) == finished.project.settings.evaluation.checkpoints
    assert all("held_out_loss" in values for values in checkpoints.values()), best.folder


def test_a_rule_is_tried_before_it_is_taken_over(example: Callable[[str], ModuleType], finished: Any) -> None:
    before = (finished.project.root / "params.yaml").read_text(encoding="utf-8")
    with_rule = example("add_a_rule").with_rule
    now, same = with_rule(finished.project, "aesthetic.minimum=9.0")  # what the recipe says
    assert now == same
    assert now["kept"] > 0
    _, stricter = with_rule(finished.project, "aesthetic.minimum=1000")
    assert stricter["kept"] == 0
    assert stricter["aesthetics"] > now["aesthetics"]
    assert (finished.project.root / "params.yaml").read_text(encoding="utf-8") == before
