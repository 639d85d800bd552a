"""A stage whose latents and text embeddings are made on the way learns what it would from those that were kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import torch
import yaml

from ops.curation.tables import NEAR_DUPLICATES
from ops.data.frame_windows import windows
from ops.data.latent_making import make_latents
from ops.data.pixels import read_sample
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


def online(project: Project, redraw_windows: bool = False, **launch: Any) -> Project:
    """The project with both modes online, and what a stage needs of them made."""
    latents = {"mode": "online", "redraw_windows": redraw_windows}
    made_on_the_way = {"latents": latents, "text_embeddings": {"mode": "online"}}
    changed = recipe(project, {**made_on_the_way, "launch": CPU | launch, "seed": 5})
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


def test_each_epoch_sees_other_windows_of_its_clips(world, alone: Ranks) -> None:
    """The first sees those of the training set, and a training that goes on from any step what another one saw."""
    project = recipe(world.project, {"seed": 5, "dataset": {"num_frames": 5, "min_frames": 5, "windows_per_clip": 2}})
    told = {row["item_id"]: row for row in training_samples(project, kinds=("video",))}
    drawn = partial(windows, start=0, end=12, fps=8.0, cut=project.settings.dataset, seed=5)
    rows = [
        {**row, "sample_id": f"{item[:10]}-{number}", "frame_indices": indices}
        for item, row in told.items()
        for number, indices in enumerate(drawn(item))
    ]
    tables.write(world.dataset.folder / "samples.parquet", rows, SAMPLES)
    clips: list[Any] = [{"clip_id": item, "start_frame": 0, "end_frame": 12, "fps": 8.0} for item in told]
    tables.write(project.table("curated_clips"), clips, NEAR_DUPLICATES)
    job = job_of(online(project, redraw_windows=True), "denoiser_video")
    by_id = {row["sample_id"]: row for row in rows}
    seen: dict[str, set[str]] = defaultdict(set)
    for steps in (range(1, 9), range(6, 8)):
        session = program.prepared(job, alone, torch.device("cpu"), denoiser.compose)
        assert session.method.data.samples.order.batches_per_epoch == 2
        for step, batch in session.read_ahead(steps):
            (part,) = batch.parts.values()
            for name, pixels in zip(batch.sample_ids, part.clips.pixels, strict=True):
                place = by_id[name]["frame_indices"]
                at = drawn(by_id[name]["item_id"]).index(place)
                wanted = {**by_id[name], "frame_indices": drawn(by_id[name]["item_id"], epoch=(step - 1) // 2)[at]}
                assert torch.equal(pixels, torch.from_numpy(read_sample(project, wanted)))
                seen[name].add(str(wanted["frame_indices"]))
        held_out = session.method.data.read([row["sample_id"] for row in rows if row["split"] == "held_out"], 3)
        assert [read_sample(project, by_id[name]).tolist() for name in held_out.sample_ids] == (
            held_out.clips.pixels.tolist()
        ), "what is held out stays what it is"
        session.method.data.close()
    assert max(map(len, seen.values())) > 1
