"""What is planned of memory is what an engine allocates: every tensor of real steps is counted, on a CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ops.training.data.cached_latents import CachedBatch
from ops.training.data.clips import Clips
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.loop.engine_config import configuration_of
from ops.training.loop.session import Batch
from ops.training.methods import denoiser, vae
from ops.training.planning.cases import DenoiserCase, VaeCase
from ops.training.planning.live_bytes import LiveBytes
from ops.training.planning.memory import memory_of
from ops.training.planning.passes import measured

CPU = torch.device("cpu")
PROGRAM = Path(__file__).with_name("counted_ranks.py")
SAMPLES = 2
TEXT_TOKENS = 4
"""Of the longest caption."""
BUCKET = 100_000
"""Numbers; the shipped files' would be far more than all else here."""


@dataclass(frozen=True)
class Recipe:
    """What differs. Sizes are in units of a latent: a frame is four, a side is eight pixels."""

    name: str
    zero: int
    half: bool
    heads: int = 4
    layers: int = 6
    latent: tuple[int, int, int] = (3, 16, 16)
    accumulation: int = 1
    stage: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)
    asset: str = "denoiser_joint"

    @property
    def micro_batch(self) -> int:
        return SAMPLES // self.accumulation


RECOMPUTED = {"gradient_checkpointing": True}
OFFLOADED = {"offload_optimizer": {"device": "cpu"}}
RECIPES = [
    Recipe("plain", 1, half=False),
    Recipe("half", 2, half=True),
    Recipe("deep", 1, half=True, layers=10, heads=2),
    Recipe("wide", 2, half=True, heads=8, stage=RECOMPUTED, file={"overlap_comm": True}),
    Recipe("long", 2, half=False, latent=(6, 16, 16)),
    Recipe("long, recomputed", 1, half=False, latent=(6, 16, 16), stage=RECOMPUTED),
    Recipe("accumulated", 2, half=True, accumulation=2),
    Recipe("dropping", 2, half=True, latent=(3, 8, 8)),
    Recipe("offloaded", 2, half=True, file=OFFLOADED),
    Recipe("apart", 3, half=True, latent=(3, 8, 8)),
    Recipe("vae", 1, half=False, latent=(2, 8, 8), asset="wfvae"),
    Recipe("vae, half", 2, half=True, latent=(2, 6, 4), asset="wfvae"),
]
EVERY_TIME = {"half"}


@pytest.fixture
def lab(make_lab: Callable, tmp_path: Path) -> Any:
    return make_lab(tmp_path / "lab")


def job_of(lab: Any, recipe: Recipe) -> Job:
    zero = {"stage": recipe.zero, "reduce_bucket_size": BUCKET, **recipe.file}
    shipped = json.loads((lab.project.root / "configs/deepspeed/zero2_offload.json").read_text(encoding="utf-8"))
    content = {**shipped, "zero_optimization": zero, "bf16": {"enabled": recipe.half}}
    content["gradient_accumulation_steps"] = recipe.accumulation
    (lab.project.root / "file.json").write_text(json.dumps(content), encoding="utf-8")
    changed = lab.with_launch(accelerator="cpu", deepspeed="file.json")
    changed = changed.change("denoiser.model", {"layers": recipe.layers, "heads": recipe.heads, "head_width": 24})
    described = changed.change("vae.losses.discriminator_start", 1).job(recipe.asset).model_dump(mode="json")
    described["settings"]["stages"][0] |= recipe.stage
    if recipe.name == "dropping":
        described["settings"]["stages"][0]["schedule"]["clipping"] = {"method": "dropping"}
    return Job.model_validate(described)


def sized(batch: Batch[Any], recipe: Recipe) -> Batch[Any]:
    """The same samples at another size."""

    def part(of: Any) -> Any:
        t, h, w = recipe.latent
        if isinstance(of, Clips):
            return Clips(of.sample_ids, torch.zeros(recipe.micro_batch, 4 * t - 3, 8 * h, 8 * w, 3, dtype=torch.uint8))
        mean, spread = (torch.zeros(recipe.micro_batch, 4, *recipe.latent) for _ in range(2))
        return CachedBatch(of.sample_ids, mean, spread)

    return replace(batch, parts={place: part(each) for place, each in batch.parts.items()})


def allocated(job: Job, recipe: Recipe, alone: Ranks) -> int:
    """The most bytes at once in the second step, when the optimizer has all that it keeps."""
    with LiveBytes() as live:
        session = program.prepared(job, alone, CPU, vae.compose if recipe.asset == "wfvae" else denoiser.compose)
        for step in (1, 2):
            batch = sized(session.read(step), recipe)
            live.take_peak()
            loop.one_step(session, step, batch)
            session.state.ema.update(session.state.model, step)
        return live.peak


def planned(job: Job, recipe: Recipe, ranks: int = 1) -> int:
    settings, (t, h, w) = job.settings, recipe.latent
    size = {"samples": recipe.micro_batch // ranks, "frames": 4 * t - 3, "height": 8 * h, "width": 8 * w}
    precision: Any = "bfloat16" if recipe.half else "float32"
    case: DenoiserCase | VaeCase
    if recipe.asset == "wfvae":
        vae = settings.vae
        case = VaeCase(
            **size, precision=precision, model=vae.model, losses=vae.losses, views=vae.views, adversarial=True
        )
    else:
        case = DenoiserCase(
            **size,
            precision=precision,
            model=settings.denoiser.model,
            channels=4,
            text_tokens=TEXT_TOKENS,
            text_width=settings.text_encoder.width,
            recomputed=job.denoiser_stage.gradient_checkpointing,
        )
    config = configuration_of(job.training, job.root, ranks)
    memory = memory_of(config, measured(case), ranks, "cpu", dropping=recipe.name == "dropping")
    return memory.on_host + max(most for phase, most in memory.peaks.items() if phase != "validation")


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.costly if each.name in EVERY_TIME else pytest.mark.slow)
        for each in RECIPES
    ],
)
def test_a_plan_is_within_a_tenth_of_what_is_allocated(recipe: Recipe, lab: Any, alone: Ranks) -> None:
    job = job_of(lab, recipe)
    assert planned(job, recipe) == pytest.approx(allocated(job, recipe, alone), rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("zero", [1, 2, 3])
def test_what_two_ranks_hold_is_divided_as_the_engine_does(zero: int, lab: Any, tmp_path: Path) -> None:
    recipe = Recipe("two ranks", zero, half=True, latent=(3, 8, 8))
    described = job_of(lab, recipe).model_dump(mode="json") | {"folder": str(tmp_path / "job")}
    described["settings"]["launch"]["ranks_per_node"] = 2
    job = Job.model_validate(described)
    job.folder.mkdir()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(PROGRAM)]
    environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([*command, str(job.write()), *map(str, recipe.latent)], env=environment, check=True)
    held = [int((job.folder / f"bytes{rank}.txt").read_text(encoding="utf-8")) for rank in range(2)]
    assert planned(job, recipe, ranks=2) == pytest.approx(max(held), rel=0.1)
