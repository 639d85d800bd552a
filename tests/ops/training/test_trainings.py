"""The list of trainings, from which assets, jobs and records are drawn."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import yaml

from ops.config import ConfigError
from ops.config.stages import NOT_TRAINED_YET
from ops.runtime.project import Project
from ops.training.trainings import PROCEDURES, UnknownTraining, final, stages, training, trainings


def reads(project: Project, **params: Any) -> Project:
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **params}))
    return Project(project.root)


def test_the_list_of_a_recipe(project: Project) -> None:
    settings = project.settings
    found = trainings(settings)
    assert list(found) == ["wfvae", "denoiser_image", "denoiser_joint", "denoiser_video"]
    assert found["wfvae"].inputs == ("training_set",)
    assert found["denoiser_image"].inputs == ("latents", "text_embeddings")
    assert found["denoiser_video"].inputs == ("denoiser_joint", "latents", "text_embeddings")
    assert [each.name for each in stages(settings)] == ["image", "joint", "video"]
    assert final(settings) == found["denoiser_video"] == training(settings, "denoiser_video")
    assert found["denoiser_video"].schedule == settings.stages[-1].schedule
    assert found["denoiser_video"].description == "The denoiser after 20 steps on video samples, starting from joint."
    with pytest.raises(UnknownTraining, match="preset 'tiny' has no training 'champion'; it has: wfvae, denoiser_im"):
        training(settings, "champion")


def test_an_adopted_vae_is_in_the_list_and_says_so(project: Project) -> None:
    found = trainings(reads(project, vae={"released": "bought"}).settings)["wfvae"]
    assert found.adopted == "bought"
    assert "registered, not trained" in found.description


@pytest.mark.parametrize("kind", PROCEDURES)
def test_programs_measure_what_the_list_says(kind: Any) -> None:
    program, metric = import_module(PROCEDURES[kind].program), PROCEDURES[kind].metric
    classes = [each for each in vars(program).values() if isinstance(getattr(each, "metric", None), str)]
    assert [(each.metric, each.higher_is_better) for each in classes] == [(metric.name, metric.higher_is_better)]


def with_kind(project: Project, kind: str) -> Project:
    return reads(project, stages={"image": {"kind": kind}})


def test_a_stage_says_its_kind_or_is_text_to_video(project: Project) -> None:
    assert {stage.kind for stage in project.settings.stages} == {"text_to_video"}
    assert with_kind(project, "text_to_video").settings == project.settings


@pytest.mark.parametrize("kind", NOT_TRAINED_YET)
def test_a_kind_without_a_training_is_refused_when_the_recipe_loads(project: Project, kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"params\.yaml: stages\.image: kind is '{kind}' .* no training yet: leave"):
        _ = with_kind(project, kind).settings


def test_other_kinds_are_explained(project: Project) -> None:
    with pytest.raises(ConfigError, match="the VAE is trained before all stages: its settings are the section vae"):
        _ = with_kind(project, "vae").settings
    with pytest.raises(ConfigError, match="kind is 'video', but the kinds are: text_to_video, image_condition, lora"):
        _ = with_kind(project, "video").settings
    with pytest.raises(ConfigError, match=r"stages\.image\.schedulee: unknown key \(did you mean 'schedule'\?\)"):
        _ = reads(project, stages={"image": {"schedulee": 1}}).settings
