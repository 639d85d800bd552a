"""Two steps of every model in bf16 through the engine, as the shipped DeepSpeed file for GPUs asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.control.image_condition import ImageConditionedDenoiser
from models.control.structure import StructureConditionedDenoiser, StructureConfig, StructureController
from models.dit import DenoiserConfig, SkiparseDenoiser
from ops.config import Launch, Optimizer, Schedule
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import engine as deepspeed_engine
from ops.training.loop import loop
from ops.training.loop.engine_config import configuration
from ops.training.methods import denoiser, vae
from ops.training.methods.method import Watch

CPU = torch.device("cpu")
ZERO2 = {"accelerator": "cpu", "deepspeed": "configs/deepspeed/zero2.json"}
SMALL = DenoiserConfig(layers=3, heads=2, head_width=12, in_channels=4, text_width=16)


@pytest.mark.parametrize(("asset", "compose"), [("wfvae", vae.compose), ("denoiser_joint", denoiser.compose)])
def test_trainings_take_steps_and_validate(
    asset: str, compose: Any, make_lab: Callable, alone: Ranks, tmp_path: Path
) -> None:
    """With the critic at work from the first step."""
    lab = make_lab(tmp_path / "lab").with_launch(**ZERO2)
    session = program.prepared(lab.change("vae.losses.discriminator_start", 1).job(asset), alone, CPU, compose)
    assert {parameter.dtype for parameter in session.state.model.parameters()} == {torch.bfloat16}
    for step in (1, 2):
        figures = loop.one_step(session, step, session.read(step))
        assert all(map(math.isfinite, figures.values()))
        session.state.ema.update(session.state.model, step)
    assert ("critic" in figures) == (asset == "wfvae")
    told: list[tuple[int, int]] = []
    figures = session.method.validation.figures(
        session.state.ema.joined(), Watch((), lambda done, of: told.append((done, of)))
    )
    assert math.isfinite(figures[session.method.validation.metric])
    assert told == [(0, 2), (1, 2)], "a validation is silent while it goes on"


def test_a_stage_may_recompute_and_compile_its_blocks(
    make_lab: Callable, alone: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither changes what is learned; what a compiler for this processor would make of a block is not waited for."""
    compiled: list[Any] = []
    compile_ = torch.compile

    def without_machine_code(call: Any, **options: Any) -> Any:
        compiled.append(call)
        return compile_(call, **options, backend="eager")

    monkeypatch.setattr(torch, "compile", without_machine_code)
    lab = make_lab(tmp_path / "lab")
    losses = []
    for switches in ({}, {"gradient_checkpointing": True}, {"compile": True, "gradient_checkpointing": True}):
        described = lab.job("denoiser_joint").model_dump(mode="json")
        described["settings"]["stages"][0] |= switches
        session = program.prepared(Job.model_validate(described), alone, CPU, denoiser.compose)
        assert session.state.model.gradient_checkpointing == ("gradient_checkpointing" in switches)
        losses.append([loop.one_step(session, step, session.read(step))["loss"] for step in (1, 2, 3)])
    assert len(compiled) == len(session.state.model.blocks)
    for other in losses[1:]:
        assert other == pytest.approx(losses[0], rel=1e-5)


def image_controller() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    conditions = {"condition_latent": half(1, 4, 2, 4, 4), "condition_mask": torch.ones(1, 4, 2, 4, 4).bfloat16()}
    model = ImageConditionedDenoiser(SMALL)
    return model, lambda model: model(*latent(), half(1, 3, 16), torch.ones(1, 3), **conditions)


def structure_controller() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    structure = torch.zeros(1, 3, 5, 32, 32).bfloat16()
    model = StructureConditionedDenoiser(
        SkiparseDenoiser(SMALL), StructureController(StructureConfig.of(SMALL, blocks=1, encoder_width=4))
    )
    return model, lambda model: model(*latent(), half(1, 3, 16), torch.ones(1, 3), structure=structure)


def half(*shape: int) -> Tensor:
    return torch.randn(shape).bfloat16()


def latent() -> tuple[Tensor, Tensor]:
    return half(1, 4, 2, 4, 4), torch.tensor([500])


@pytest.mark.parametrize("made", [image_controller, structure_controller])
def test_what_has_no_training_program_yet_could_be_trained(made: Callable, checkout: Path, alone: Ranks) -> None:
    model, run = made()
    optimizer = Optimizer(learning_rate=1e-3)
    schedule = Schedule(steps=2, batch_size=1, checkpoint_every=2, validate_every=2, optimizer=optimizer)
    config = configuration(checkout, Launch(**ZERO2), schedule, 1)
    engine = deepspeed_engine.wrap(model, config, optimizer)
    for _ in range(2):
        output = run(engine)
        assert output.dtype == torch.bfloat16
        engine.backward(output.float().square().mean())
        engine.step()
        assert 0 < float(engine.get_global_grad_norm()) < math.inf
