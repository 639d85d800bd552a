"""A stage whose latents and text embeddings are made on the way learns what it would from those that were kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import yaml

from ops.data.latent_making import make_latents
from ops.data.samples import SAMPLES, training_samples
from ops.data.text_embeddings import make_text
from ops.runtime import tables
from ops.runtime.project import Project
from ops.training import assets
from ops.training.data.cached_latents import CachedLatents
from ops.training.data.left_out import LeftOut, LossNotFinite
from ops.training.data.online_latents import OnlineLatents
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.launch import Command, LaunchError
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import denoiser
from ops.training.methods.method import Watch

STEPS = 4
ONLINE = {"latents": {"mode": "online"}, "text_embeddings": {"mode": "online"}}


def recipe(project: Project, changes: Mapping[str, Any]) -> Project:
    path = project.root / "params.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8")) | dict(changes)), encoding="utf-8")
    return Project(project.root)


def job_of(project: Project, asset: str) -> Job:
    commands: list[Command] = []
    with pytest.raises(LaunchError, match=r"results\.json"):
        assets.train(project, asset, commands.append)
    return Job.model_validate_json((commands[0].logs.parent / "job.json").read_text(encoding="utf-8"))


def curve(job: Job, alone: Ranks) -> list[dict[str, float]]:
    """Figures of a few steps, and of a validation before and after them."""
    session = program.prepared(job, alone, torch.device("cpu"), denoiser.compose)
    kind = CachedLatents if job.settings.latents.mode == "cached" else OnlineLatents
    assert isinstance(session.method.data, kind)
    watch = Watch((), lambda done, of: None)
    lines = [session.method.validation.figures(session.state.ema.joined(), watch)]
    for step, batch in session.read_ahead(range(1, STEPS + 1)):
        lines.append(loop.one_step(session, step, batch))
        session.state.ema.update(session.state.model, step)
    lines.append(session.method.validation.figures(session.state.ema.joined(), watch))
    session.method.data.close()
    return lines


CPU = {"accelerator": "cpu", "deepspeed": "configs/deepspeed/zero1_cpu.json"}


def online(project: Project, **launch: Any) -> Project:
    """The project with both modes online, and what a stage needs of them made."""
    changed = recipe(project, {**ONLINE, "launch": CPU | launch, "seed": 5})
    make_latents(changed)
    make_text(changed)
    return changed


def test_a_stage_learns_the_same_from_what_is_made_on_the_way(world, alone: Ranks) -> None:
    """Its pixels come from a worker process."""
    kept = curve(job_of(recipe(world.project, {"launch": CPU, "seed": 5}), "denoiser_video"), alone)
    made = curve(job_of(online(world.project, loader_workers=1), "denoiser_video"), alone)
    assert len({line["loss"] for line in kept[1:-1]}) == STEPS
    for one, other in zip(kept, made, strict=True):
        assert other == pytest.approx(one, rel=1e-5)


def test_a_source_that_is_gone_costs_its_samples_which_are_replaced_and_named(world, alone: Ranks) -> None:
    films = world.project.root / "films"  # of this copy of the world
    rows = [{**row, "root": str(films)} for row in training_samples(world.project)]
    tables.write(world.dataset.folder / "samples.parquet", rows, SAMPLES)
    job = job_of(online(world.project, max_left_out_share=0.5), "denoiser_video")
    session = program.prepared(job, alone, torch.device("cpu"), denoiser.compose)
    gone = films / "film0.mp4"
    lost = {name for name in session.method.data.samples.by_id if session.method.data.samples.source(name) == gone.name}
    gone.unlink()
    for step, batch in session.read_ahead(range(1, STEPS + 1)):
        loop.step_without_unusable(session, step, batch)
    left_out = session.state.left_out.samples
    assert left_out.keys() == lost
    assert all("film0.mp4 is not what was curated" in each["reason"] for each in left_out.values())
    told = {name: each["reason"] for name, each in left_out.items()}
    few = LeftOut(job.launch.model_copy(update={"max_left_out_share": 0.01}), 6)
    with pytest.raises(LossNotFinite, match=rf"2 of 6 samples .* {min(lost)}, step 3: .*film0.mp4"):
        few.add(3, told)
