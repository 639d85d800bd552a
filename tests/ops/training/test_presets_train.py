"""Every shipped preset fits the launch that it names, and trains at a tiny width, in bf16 through the engine."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from models import released
from models.dit import DenoiserConfig, SkiparseDenoiser
from ops.config import presets, resolve
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.runtime.project import Project
from ops.training.base import make_base
from ops.training.job import Job
from ops.training.launching import node_checks, program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import denoiser, vae
from ops.training.planning.planner import plan_of
from ops.training.trainings import trainings

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
NARROW = {
    "text_encoder": {"weights": "minilm-l6", "max_tokens": 8, "width": 384},
    "text_embeddings": {"mode": "cached"},
    "latents": {"mode": "cached"},
    "denoiser": {"model": {"heads": 2, "head_width": 12}},
    "vae": {
        "losses": {"lpips_net": "alex", "discriminator_width": 4},
        "schedule": {"batch_size": 2},
        "launch": {"nodes": 1},
    },
    "launch": {
        "launcher": "torchrun",
        "accelerator": "cpu",
        "model": None,
        "nodes": 1,
        "ranks_per_node": 1,
        "deepspeed": "configs/deepspeed/zero2.json",
    },
}


COMPOSE = {"vae": vae.compose, "text_to_video": denoiser.compose, "lora": denoiser.compose}
NARROW_VAE: dict[str, dict[str, Any]] = {
    "wfvae": {"base_channels": 8, "latent_channels": 4, "encoder_flow_channels": 8, "decoder_flow_channels": 8},
    "causalvae": {"base_channels": 32, "multipliers": [1, 1, 1, 1]},
}


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets(ROOT))
def test_a_preset_fits_the_launch_that_it_names(preset: str, tmp_path: Path) -> None:
    recipe = resolve(ROOT, preset, {})
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for training in trainings(recipe).values():
        plan = plan_of(Project(tmp_path, recipe=recipe), training)
        assert plan.fits is True, plan.obstacle
        assert plan.days is not None
        assert 0 < plan.days < 365, plan.days
        asked = [obstacle.what for obstacle in node_checks.hostfile(training.launch, tmp_path)]
        assert asked == ([] if training.launch.launcher == "torchrun" else ["launch.hostfile is not set"])


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets(ROOT))
def test_a_preset_trains_at_a_tiny_width(preset: str, make_lab: Callable, alone: Ranks, tmp_path: Path) -> None:
    """All of its layers, patterns, losses, clipping and kinds of samples; two steps of each of its trainings."""
    lab = make_lab(tmp_path / "lab")
    recipe = resolve(ROOT, preset, {})
    schedule = {"batch_size": 2, "least_batches": 0}
    stages = {stage.name: {"schedule": schedule, "launch": {"nodes": 1}} for stage in recipe.stages}
    narrow: dict[str, Any] = {"preset": preset, **copy.deepcopy(NARROW), "stages": stages}
    narrow["vae"]["model"] = NARROW_VAE[recipe.vae.architecture]
    (lab.project.root / "params.yaml").write_text(yaml.safe_dump(narrow), encoding="utf-8")
    lab = type(lab)(Project(lab.project.root))
    _cut_for(lab, lab.project.settings.stage_cuts()[0])
    lab.encode_text()
    if recipe.denoiser.released:
        _lay_finished(lab)
    first = lab.job(next(each.asset for each in trainings(lab.project.settings).values() if each.kind != "vae"))
    for asset, training in trainings(lab.project.settings).items():
        if training.adopted:
            continue
        _cut_for(lab, training.cut)
        described = first.model_dump(mode="json") | {"asset": asset, "folder": str(tmp_path / asset)}
        session = program.prepared(Job.model_validate_json(json.dumps(described)), alone, CPU, COMPOSE[training.kind])
        assert {parameter.dtype for parameter in session.state.model.parameters()} == {torch.bfloat16}
        for step in (1, 2):
            figures = loop.one_step(session, step, session.read(step))
            assert all(map(math.isfinite, figures.values())), (asset, figures)


def _lay_finished(lab: Any) -> None:
    """Weights in the place of those that the recipe names."""
    settings = lab.project.settings
    shape = settings.denoiser.model.model_dump()
    model = SkiparseDenoiser(DenoiserConfig(**shape, in_channels=4, text_width=settings.text_encoder.width))
    released.save_pretrained(model, lab.project.root / settings.denoiser.released)
    make_base(lab.project)


def _cut_for(lab: Any, cut: str) -> None:
    """Let all samples be of this cut, and so of the trainings that want it."""
    tables.write(lab.samples, [{**row, "cut": cut} for row in tables.read(lab.samples)], SAMPLES)
