"""Adapters beside the recipe's own model are released and gated like any, under a name of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from models import adapters
from ops.data.latent_making import make_latents
from ops.evaluation import checkpoint_scores, samples, truth, vbench
from ops.release.acceptance import accept
from ops.release.champion import release_candidate
from ops.release.comparison.comparison import compare
from ops.release.comparison.release_pages import release_pages
from ops.release.generate import generate
from ops.release.history import reigns
from ops.release.packaging import lay_out
from ops.release.registry import Registry
from ops.release.rollback import rollback
from ops.release.served_model import ServedModel
from ops.release.trace import trace
from ops.runtime.artifacts import current
from ops.runtime.files import sha256
from ops.runtime.project import Project
from ops.sampling.request import Request
from ops.training import base
from ops.training.results import Trained

MINE = "lora_mine"
STAGE = {"name": "mine", "kinds": ["video"], "lora": {"rank": 2, "alpha": 2.0}}


def score(project: Project) -> None:
    for make in (samples.make_samples, vbench.score, truth.score, checkpoint_scores.score):
        make(project)


def cat(project: Project) -> Request:
    return Request.of(project.settings.evaluation, "a cat", 0, steps=1)


def aliases(project: Project) -> dict[str, int]:
    return {alias: version.number for version in Registry(project).versions() for alias in version.aliases}


@pytest.fixture
def lines(scored: Any, adapt: Callable[[Any], None]) -> tuple[Any, Project]:
    """The world, whose own model is champion, and the line of adapters, which are scored."""
    release_candidate(scored.project)
    adapt(scored)
    mine = scored.project.of_line(MINE)
    score(mine)
    return scored, mine


@pytest.mark.slow
def test_adapters_have_a_champion_of_their_own(lines: tuple[Any, Project], tmp_path: Path) -> None:
    world, mine = lines
    released = release_candidate(mine)
    assert (released.asset, released.results.registered_model) == ("lora_mine_champion", "squares-lora_mine")
    assert released.results.decision.startswith("version 1 is the first champion: there is no champion yet")
    assert aliases(world.project) == aliases(mine) == {"champion": 1}
    version = Registry(mine).version("champion")
    assert version.tags["stage"] == "lora_mine, step 4"
    assert version.parts.adapters

    found = trace(world.project, "lora_mine@champion")
    nodes = {node.asset for node in found.root.walk()}
    assert found.root.asset == "lora_mine_champion"
    assert {
        "lora_mine_checkpoint_scores",
        "lora_mine_samples",
        MINE,
        "denoiser_video",
        "wfvae",
        "curated_clips",
    } <= nodes
    assert [each.asset for each in found.trainings][-3:] == ["denoiser_image", "denoiser_video", MINE]
    assert found.sources
    assert {node.asset for node in trace(world.project, "champion").root.walk()}.isdisjoint({MINE})

    compared = compare(world.project, ["champion", "lora_mine@champion"])
    assert [each.label for each in compared.subjects] == ["squares version 1", "squares-lora_mine version 1"]
    own, adapted = (each.samples for each in compared.subjects)
    assert own
    assert adapted
    assert own.version != adapted.version, "each with the samples of its own line"
    assert adapted.scores.keys() == own.scores.keys()
    assert compared.settings["checkpoint.asset"] == ["denoiser_video", MINE]
    assert list(release_pages(mine, released)) == ["card"]
    assert [(each.version, each.value) for each in reigns(Registry(mine), "held_out_loss")] == [(1, 0.3)]

    made = generate(world.project, cat(world.project), tmp_path / "v.mp4", "lora_mine@champion")
    assert made.model == "squares-lora_mine version 1"

    tree = world.project.settings.model_copy(
        update={"release": world.project.settings.release.model_copy(update={"copy_weights": True})}
    )
    assert lay_out(Project(mine.root, recipe=tree, line=MINE), version, tmp_path / "copy") is None
    assert (tmp_path / "copy" / "model" / "adapters" / "1" / adapters.WEIGHTS_FILE).is_file()
    assert len(ServedModel(tmp_path / "copy" / "model").predict(["a cat"], {"steps": 1})) == 1


@pytest.mark.slow
def test_adapters_of_finished_weights_lead_back_to_these(scored: Any, tmp_path: Path) -> None:
    """Where no stage of text to video is listed they are the recipe's own model, and its champion."""
    project, video = scored.project, current(scored.project, "denoiser_video", Trained)
    path = project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["denoiser"]["released"] = str(video.folder / video.results.released)
    recipe["stages"] = [{**STAGE, "schedule": recipe["stages"][-1]["schedule"]}]
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    scored.project = project = Project(project.root)
    made = base.make_base(project)
    make_latents(project, scored.dataset.hash)
    scored.train_denoiser("mine", {2: 0.3})
    score(project)
    assert release_candidate(project).results.promoted
    found = trace(project, "champion")
    (adopted,) = found.adopted
    assert (adopted.asset, adopted.version, adopted.source) == (made.asset, made.version, made.results.source)
    assert made.asset in {node.asset for node in found.root.walk()}
    assert f"adopted from {made.results.source}" in Registry(project).download(
        Registry(project).version("champion"), "model_card.md"
    ).read_text(encoding="utf-8")
    alone = generate(project, cat(project), tmp_path / "alone.mp4", "denoiser_released")
    whole = generate(project, cat(project), tmp_path / "whole.mp4")
    again = generate(project, cat(project), tmp_path / "again.mp4", lora=["lora_mine"])
    assert again.model.endswith(" with lora_mine at 1")
    assert sha256(again.path) == sha256(whole.path) != sha256(alone.path)


@pytest.mark.slow
def test_a_gate_of_their_own_compares_adapters_with_adapters(lines: tuple[Any, Project]) -> None:
    world, mine = lines
    release_candidate(mine)
    world.train_denoiser("mine", {2: 0.6, 4: 0.5}, seed=1)
    score(mine)
    worse = release_candidate(mine)
    assert "held_out_loss 0.5 is 66.67% worse than 0.3 of champion version 1" in worse.results.decision
    assert aliases(mine) == {"champion": 1, "candidate": 2}
    assert aliases(world.project) == {"champion": 1}, "better than its own 0.4, adapters do not take its place"
    accept(world.project, "lora_mine@2", "I like it")
    assert aliases(mine) == {"champion": 2, "previous": 1}
    assert rollback(mine) == (1, 2)
    assert aliases(world.project) == {"champion": 1}
