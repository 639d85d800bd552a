"""DeepSpeed: its start, the engine around a model, and what of it is saved and loaded."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import nn

from ops.config import Optimizer
from ops.training.checkpoints.copying import copied
from ops.training.loop.engine_config import EngineConfig

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

TAG = "state"
MUON = "deepspeed.runtime.zero.muon.muon_optimizer"


def start_distributed() -> None:
    """Join the other ranks.

    DeepSpeed compiles an all-reduce for inference with g++ before it joins a CPU job (a minute, and an error without
    a compiler). Training never calls it, so it is declared incompatible: DeepSpeed then leaves it out.
    """
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(verbose=False)


def adamw(parameters: Sequence[nn.Parameter], settings: Optimizer, on_host: bool = False) -> torch.optim.AdamW:
    """Where the weights lie in the processor's memory, or what it updates of them does (`on_host`), it goes over all at
    once: a seventh of the time, and the same numbers."""
    on_processor = on_host or all(parameter.device.type == "cpu" for parameter in parameters)
    return torch.optim.AdamW(
        parameters,
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        fused=on_processor or None,
    )


def learning_rate(settings: Optimizer, step: int, steps: int) -> float:
    """The rate of a step, counted from 1, of `steps`: after a linear warm-up as `settings.decay` has it."""
    rate = settings.learning_rate * min(1.0, step / max(1, settings.warmup_steps))
    if settings.decay == "none" or step <= settings.warmup_steps:
        return rate
    done = (step - settings.warmup_steps) / (steps - settings.warmup_steps)
    share = settings.final_share + (1 - settings.final_share) * (1 + math.cos(math.pi * done)) / 2
    return rate * share


def wrap(model: nn.Module, config: EngineConfig, optimizer: Optimizer) -> DeepSpeedEngine:
    import deepspeed

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with nullcontext() if config.stage == 3 or config.adds_up_elsewhere else _without_muon():
        engine, *_ = deepspeed.initialize(
            model=model,
            model_parameters=trained,
            optimizer=adamw(trained, optimizer, config.offloads_optimizer),
            config=config.document,
        )
    return engine


@contextmanager
def _without_muon() -> Iterator[None]:
    """DeepSpeed asks whether an optimizer is Muon by importing it, and with it PyTorch's compiler: two seconds of every
    rank. Where it cannot be imported, which is what None among the modules says, ZeRO-1 and 2 go on without it; ZeRO-3
    and `BF16_Optimizer` do not."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    if MUON in modules:
        yield
        return
    modules[MUON] = None
    try:
        yield
    finally:
        del modules[MUON]


def shards(engine: DeepSpeedEngine) -> dict[str, object]:
    """What this rank has to keep of the engine, by the file in which `load` looks for it; every rank calls this. What
    is frozen is not kept.

    DeepSpeed hands each shard to a writer, in whose place here stands one that copies it into the processor's memory.
    """
    copies: dict[str, object] = {}
    writer = engine.checkpoint_engine
    with TemporaryDirectory() as folder:  # for its conversion script, of which there is no need

        def save(state_dict: object, path: str) -> None:
            copies[Path(path).relative_to(folder).as_posix()] = copied(state_dict)

        writer.save = save
        try:
            engine.save_checkpoint(folder, tag=TAG, save_latest=False, exclude_frozen_parameters=True)
        finally:
            del writer.save
    return copies


def load(engine: DeepSpeedEngine, folder: Path) -> None:
    """Called by every rank; `folder` was saved, or converted, for this number of ranks."""
    frozen = any(not parameter.requires_grad for parameter in engine.module.parameters())
    path, _ = engine.load_checkpoint(str(folder), tag=TAG, load_module_strict=not frozen)
    if path is None:
        raise RuntimeError(f"DeepSpeed found nothing to load in {folder}")
