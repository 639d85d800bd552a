"""The funnel with both networks whose weights lie inside packages: TransNetV2 beside distances, and open_nsfw."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.catalogue import KINDS
from ops.curation.measuring.scores import ScoreStore
from ops.curation.runs.funnel import clip_funnel, image_funnel
from ops.data.expectations import validate
from ops.runtime.project import Project
from ops.runtime.tables import kept
from ops.steps import CLIP_STEPS, step

RECIPE: dict[str, Any] = {
    "shots": {"scorer": "picture-change", "min_frames": 12},
    "shot_boundaries": {"enabled": True},
    "text_crop": {"scorer": "none"},
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "blur-and-blocks"},
    "safety": {"enabled": True, "frames": 2},
    "rules": [],
}
SOURCES = {"videos": "films", "images": "photos"}
DISSOLVE = (20, 30)
"""Frames that are of two pictures."""


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, videos, recipe, shared_weights: Path, checkout: Path
) -> Iterator[Project]:
    """A film with a dissolve and one without, and two photographs, curated with both networks."""
    root = tmp_path_factory.mktemp("networks")
    shutil.copytree(checkout / "configs", root / "configs")
    before, after = np.stack(videos.panning(20, 30)), np.stack(videos.panning(21, 30))
    share = np.linspace(0, 1, 12)[1:-1, None, None, None]
    blended = ((1 - share) * before[20:] + share * after[:10]).round().astype(np.uint8)
    videos.write(root / "films" / "dissolve.mp4", [*before[:20], *blended, *after[10:]])
    videos.slow_pan(root / "films" / "pan.mp4", 32)
    for name in ("astronaut.png", "chelsea.png"):
        package = importlib.metadata.distribution("scikit-image")
        (root / "photos").mkdir(exist_ok=True)
        shutil.copy(str(package.locate_file(f"skimage/data/{name}")), root / "photos" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        project = recipe(Project(root), RECIPE, **SOURCES)
        for name in (*CLIP_STEPS, "raw_images", "curated_images"):
            step(name).load()(project)
        yield project


@pytest.mark.costly
def test_a_dissolve_is_cut_out_from_end_to_end(seen: Project, helpers) -> None:
    rows = [row for row in helpers["rows_of"](seen, "shots") if row["path"] == "dissolve.mp4"]
    (first, second) = sorted(rows, key=lambda row: row["start_frame"])
    assert DISSOLVE[0] - 1 <= first["end_frame"] <= DISSOLVE[0] + 2
    assert DISSOLVE[1] - 2 <= second["start_frame"] <= DISSOLVE[1] + 1
    for row in rows:
        gaps = len(row["sampled_frames"]) - 1
        assert len(row["cut_distances"]) == len(row["cut_probabilities"]) == gaps
        assert sum(each > 0.5 for each in row["cut_probabilities"]) == 1
        assert json.loads(row["shots_scorer"])["scorer"] == "picture-change"
        told = json.loads(row["shot_boundaries_scorer"])
        assert told["scorer"] == "transnetv2"
        assert set(told["settings"]) == {"seen"}  # what moment and picture a frame is, and nothing of its own
        assert "transnetv2.safetensors" in told["version"]["weights"]
    (pan,) = (row for row in helpers["rows_of"](seen, "shots") if row["path"] == "pan.mp4")
    assert max(pan["cut_probabilities"]) < 0.5


def test_both_series_of_a_slice_are_stored_apart_and_with_one_decoding(seen: Project) -> None:
    with ScoreStore.of(seen) as store:
        costs = store.costs()
        steps = Counter(
            store.identities()[found][0]
            for (found,) in store.database.execute(
                "select digest from scores join identities on identities.id = scores.identity where kind = 'video'"
            )
        )
    assert steps["shot_boundaries"] == steps["shots"] == steps["decoding"] == 2
    assert costs["shot_boundaries"].cpu_seconds > 0
    assert costs["shot_boundaries"].bytes == (50 + 32) * 48 * 27 * 3


def test_every_clip_and_picture_still_in_has_its_safety(seen: Project, helpers) -> None:
    clips, images = (kept(helpers["rows_of"](seen, name)) for name in ("curated_clips", "curated_images"))
    assert len(clips) == 3
    assert {row["path"] for row in images} == {"astronaut.png", "chelsea.png"}
    for row in (*clips, *images):
        assert 0.5 < row["safety"] <= 1
        told = json.loads(row["safety_scorer"])
        assert (told["scorer"], told["version"]["weights"].keys()) == ("open-nsfw", {"open_nsfw.safetensors"})


def test_a_rule_about_safety_measures_nothing_anew(seen: Project, helpers, recipe) -> None:
    tables = ("safety", "curated_images")
    scores = [row["safety"] for name in tables for row in kept(helpers["rows_of"](seen, name))]
    limit = sorted(scores)[len(scores) // 2]
    with ScoreStore.of(seen) as store:
        before = [store.costs(kind) for kind in KINDS]
    rules = [{"score": "safety", "minimum": limit}]
    strict = recipe(seen, {**RECIPE, "rules": rules}, **SOURCES)
    helpers["run"](strict, *tables)
    with ScoreStore.of(seen) as store:
        assert [store.costs(kind) for kind in KINDS] == before
    for row in (row for name in tables for row in helpers["rows_of"](strict, name)):
        assert (row["rejected_by"] == "safety") == (row["safety"] < limit)
        if row["rejected_by"]:
            assert row["reason_code"] == "unsafe"
            assert row["reason"] == f"open-nsfw {row['safety']:.3f} is below {limit:g}"
    assert validate(strict, "safety").failures == validate(strict, "curated_images").failures == []
    assert [row["step"] for row in image_funnel(strict)] == [
        *("raw_images", "min_side", "aesthetics", "technical_quality", "safety")
    ]


def test_what_is_switched_off_is_asked_of_nobody(seen: Project, helpers, recipe) -> None:
    off = {**RECIPE, "shot_boundaries": {"enabled": False}, "safety": {"enabled": False}}
    project = recipe(seen, off, **SOURCES)
    helpers["run"](project, *CLIP_STEPS[2:], "curated_images")
    rows = [row for name in ("curated_clips", "curated_images") for row in helpers["rows_of"](project, name)]
    assert {row["safety"] for row in rows} == {row["safety_scorer"] for row in rows} == {None}
    assert {row.get("cut_probabilities") for row in rows} == {None}
    assert "safety" not in {row["step"] for row in (*clip_funnel(project), *image_funnel(project))}
