"""The suites of the tables, over what the whole funnel makes of odd and of good films."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ops.data.expectations import validate
from ops.data.table_suites import TABLES
from ops.runtime import tables
from ops.runtime.project import Project

OF_VIDEOS = [name for name in TABLES if not name.endswith("images")]


@pytest.mark.parametrize("name", OF_VIDEOS)
def test_what_the_funnel_makes_passes(curated: Project, name: str) -> None:
    assert validate(curated, name).failures == []


@pytest.fixture
def spoilt(curated: Project, tmp_path: Path) -> Callable[[str, Callable[[list[dict[str, Any]]], Any]], Project]:
    def spoil(name: str, edit: Callable[[list[dict[str, Any]]], Any]) -> Project:
        for folder in ("data", "configs"):
            shutil.copytree(curated.root / folder, tmp_path / folder, dirs_exist_ok=True)
        shutil.copy(curated.root / "params.yaml", tmp_path)
        project = Project(tmp_path)
        rows = tables.read(project.table(name))
        edit(rows)
        tables.write(project.table(name), rows, pq.read_schema(project.table(name)))
        return project

    return spoil


def first_kept(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next(row for row in rows if row["rejected_by"] is None)


SPOILED: list[tuple[str, dict[str, Any], str]] = [
    ("shots", {"cut_distances": [0.1]}, "there is a number between each two sampled frames"),
    ("shots", {"cut_probabilities": [0.1]}, "there is a number between each two sampled frames"),
    ("shots", {"cut_probabilities": [1.1]}, "cut_probabilities is a number"),
    ("safety", {"safety": 0.5}, "safety says who measured it"),
    ("safety", {"safety": -0.5}, "safety is a number"),
    ("motion", {"motion": -0.1}, "motion is a number"),
    ("motion", {"motion_scorer": None}, "motion says who measured it"),
    ("text_crop", {"text_boxes": "[[[1, 2, 3]]]"}, "boxes of text have four sides"),
    ("text_crop", {"crop": [0, 10, 90, 9]}, "the crop lies inside the picture"),
    ("aesthetics", {"aesthetics_scorer": "me"}, "aesthetic says who measured it"),
    ("motion_recheck", {"parent": None}, "parent is there"),
    ("near_duplicates", {"perceptual_hash": ["1x"]}, "a perceptual hash has hexadecimal digits"),
    ("near_duplicates", {"near_duplicates_scorer": None}, "a perceptual hash says who measured it"),
]


@pytest.mark.parametrize(("name", "columns", "expectation"), SPOILED)
def test_what_is_wrong_is_told_with_the_clip(spoilt, name: str, columns: dict[str, Any], expectation: str) -> None:
    project = spoilt(name, lambda rows: first_kept(rows).update(columns))
    offender = first_kept(tables.read(project.table(name)))["clip_id"]
    found = {failure["expectation"]: failure["ids"] for failure in validate(project, name).failures}
    assert found[expectation] == [offender]


@pytest.mark.parametrize("name", ["shots", "motion", "text_crop", "technical_quality"])
def test_a_clip_that_is_neither_kept_nor_rejected_is_told(spoilt, name: str) -> None:
    def forget_a_slice(rows: list[dict[str, Any]]) -> None:
        rows[:] = [row for row in rows if row["parent"] != first_kept(rows)["parent"]]

    project = spoilt(name, forget_a_slice)
    assert "no row of the step before is lost" in {each["expectation"] for each in validate(project, name).failures}
