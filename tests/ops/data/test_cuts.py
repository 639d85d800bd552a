"""Each training may have samples of its own, cut out of the same curated items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ops.config import DEFAULT_CUT, ConfigError, Settings, resolve
from ops.data.captions import captions
from ops.data.expectations import validate
from ops.data.sample_index import SampleIndex
from ops.data.samples import training_samples
from ops.data.training_set import EmptyTrainingSet, training_set
from ops.runtime import tables
from ops.runtime.project import Project
from ops.training.trainings import training

SetParams = Callable[[str], Project]
SMALL = "num_frames=9 max_area=1024 ratios=1:1"


@pytest.fixture
def captioned(curated: Project) -> Project:
    captions(curated)
    return curated


def of_tiny(checkout: Any, overrides: dict[str, Any]) -> Settings:
    return resolve(checkout, "tiny", overrides)


def test_cuts_are_named_by_what_they_set_otherwise(checkout: Any) -> None:
    own = {"num_frames": 9, "ratios": ["1:1", "3:4"], "where": [{"score": "aesthetic", "minimum": 5}]}
    settings = of_tiny(checkout, {"vae": {"dataset": own}, "stages": {"video": {"dataset": {"num_frames": 17}}}})
    name = "num_frames=9 ratios=1:1,3:4 where=5<=aesthetic"
    assert set(settings.cuts()) == {name, DEFAULT_CUT}
    assert settings.stage_cuts() == (DEFAULT_CUT,), "17 frames are what the recipe has anyway"
    assert training(settings, "wfvae").cut == name
    assert training(settings, "wfvae").dataset.num_frames == 9
    assert training(settings, "denoiser_video").cut == DEFAULT_CUT


def test_a_cut_is_of_the_kinds_of_its_trainings(checkout: Any) -> None:
    own = {"dataset": {"fps": 4.0}}
    settings = of_tiny(checkout, {"stages": {"image": own}})
    assert settings.cuts()["fps=4"].kinds == {"image"}
    assert settings.cuts()[DEFAULT_CUT].kinds == {"image", "video"}
    both = of_tiny(checkout, {"stages": {"image": own, "video": own}})
    assert both.cuts()["fps=4"].kinds == {"image", "video"}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"num_frames": 10}, r"vae\.dataset: num_frames: is 10, but the VAE takes 1 \+ 4n frames: use 9 or 13"),
        ({"held_out_share": 0.5}, r"vae\.dataset: held_out_share"),
        ({"min_frames": 93}, r"min_frames 93 exceeds num_frames 17"),
        ({"where": [{"score": "beauty", "minimum": 1}]}, r"vae\.dataset: where"),
    ],
)
def test_what_no_cut_can_have_is_named(checkout: Any, own: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        of_tiny(checkout, {"vae": {"dataset": own}})


def test_each_training_finds_its_own_samples(captioned: Project, set_params: SetParams) -> None:
    training_set(captioned)
    before = training_samples(captioned)
    project = set_params('vae: {dataset: {num_frames: 9, max_area: 1024, ratios: ["1:1"]}}')
    training_set(project)
    rows = training_samples(project)
    assert [row for row in rows if row["cut"] == DEFAULT_CUT] == before
    own = [row for row in rows if row["cut"] == SMALL]
    assert {row["bucket"] for row in own if row["kind"] == "video"} == {"9x32x32"}
    assert {row["item_id"] for row in own} == {row["item_id"] for row in before}
    assert len({row["sample_id"] for row in rows}) == len(rows)
    splits = {row["sha256"]: row["split"] for row in before}
    assert all(row["split"] == splits[row["sha256"]] for row in own), "a source is in one split, whatever the cut"
    assert validate(project, "training_set").failures == validate(project, "buckets").failures == []

    index = SampleIndex(project.data / "training_set" / "samples.parquet")
    assert {*index.members("train", ("video",), SMALL)} == {"9x32x32"}
    assert {*index.members("train", ("video",))} == {row["bucket"] for row in before if row["kind"] == "video"}
    beside = index.beside(own[0]["sample_id"])
    assert {row["cut"] for row in beside} == {SMALL}, "nothing of another size is read with it"
    assert training_samples(project, cuts=project.settings.stage_cuts()) == before


def test_a_stage_may_choose_among_what_was_curated(captioned: Project, set_params: SetParams) -> None:
    clips = tables.read(captioned.table("curated_clips"))
    scores = sorted(row["aesthetic"] for row in clips if row["rejected_by"] is None)
    limit = scores[len(scores) // 2]
    where = f"where: [{{score: aesthetic, minimum: {limit!r}}}]"
    project = set_params(f"stages: {{video: {{dataset: {{{where}}}}}}}")
    training_set(project)
    (name,) = set(project.settings.cuts()) - {DEFAULT_CUT}
    chosen = {row["item_id"] for row in training_samples(project, cuts=(name,))}
    assert chosen == {row["clip_id"] for row in clips if row["rejected_by"] is None and row["aesthetic"] >= limit}
    left = [row for row in tables.read(project.data / "training_set" / "buckets.parquet") if row["reason"]]
    assert [(row["cut"], row["reason"]) for row in left] == [(name, "dataset.where asks for another aesthetic")]


def test_a_choice_of_nothing_is_an_error_that_names_it(captioned: Project, set_params: SetParams) -> None:
    project = set_params("stages: {video: {dataset: {where: [{score: aesthetic, minimum: 1000}]}}}")
    with pytest.raises(EmptyTrainingSet, match="no curated item is chosen of the trainings whose dataset has where="):
        training_set(project)
