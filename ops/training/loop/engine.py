"""DeepSpeed: configuration, start and checkpoint loading."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ops.config import ConfigError, Launch, Optimizer, Schedule
from ops.training.checkpoints.copying import copied
from ops.training.data.data_share import Shares
from ops.training.launching.ranks import Ranks
from ops.training.trainings import Training

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

TAG = "state"
MUON = "deepspeed.runtime.zero.muon.muon_optimizer"
FILLED_IN = (
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "gradient_clipping",
    "optimizer",
    "scheduler",
)


def start_distributed() -> None:
    """Join the other ranks.

    DeepSpeed compiles an all-reduce for inference with g++ before it joins a CPU job (a minute, and an error without
    a compiler). Training never calls it, so it is declared incompatible: DeepSpeed then leaves it out.
    """
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(verbose=False)


def configuration_of(training: Training, root: Path, world_size: int) -> dict[str, Any]:
    """`configuration` for a training of the recipe.

    Raises:
        ConfigError: also for a ZeRO stage under which it cannot be trained.
    """
    launch = training.launch
    config = configuration(root, launch, training.schedule, world_size, training.ranks_of_a_video)
    if zero_stage(config) == 3 and (reason := training.stays_whole):
        raise ConfigError(f"{root / launch.deepspeed}: zero_optimization.stage is 3, but {reason}: use 1 or 2")
    return config


def configuration(
    root: Path, launch: Launch, schedule: Schedule, world_size: int, ranks_of_a_video: int = 1
) -> dict[str, Any]:
    """The JSON file of `launch.deepspeed` with the numbers filled in that belong to the stage.

    DeepSpeed knows nothing of ranks that compute a video together, so its batch counts each of them.

    Raises:
        ConfigError: naming the file and the key, for what the file must not hold, what it asks for and cannot be had,
            or what cannot be divided.
    """
    path = root / launch.deepspeed
    if not path.is_file():
        raise ConfigError(f"launch.deepspeed names {launch.deepspeed}, which is not a file in {root}")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in FILLED_IN:
        if key in config:
            raise ConfigError(f"{path}: '{key}' follows from the stage's schedule; remove it from this file")
    for reason in (*_refused(config), *_not_dropping(config, schedule)):
        raise ConfigError(f"{path}: {reason}")
    accumulation = config.setdefault("gradient_accumulation_steps", 1)
    shares = shares_of(config, schedule, Ranks(0, world_size, 0), ranks_of_a_video)
    return {
        **config,
        "train_batch_size": shares.video.micro_batch * accumulation * world_size,
        "train_micro_batch_size_per_gpu": shares.video.micro_batch,
        "gradient_clipping": schedule.clipping.max_norm,
    }


def _refused(config: dict[str, Any]) -> Iterator[str]:
    """What a file asks for that no training can have, with what it should say."""
    zero = config.get("zero_optimization", {})
    stage = zero.get("stage")
    if config.get("fp16", {}).get("enabled"):
        yield "fp16.enabled is true, but training is in bf16 or float32: use bf16.enabled"
    if stage not in (1, 2, 3):
        yield f"zero_optimization.stage is {stage}; use 1, 2 or 3"
    if zero.get("round_robin_gradients"):
        yield "zero_optimization.round_robin_gradients is true, and shards of it cannot be converted; remove it"
    for key in (key for key in zero if key.startswith("offload_")):
        if key == "offload_param" and stage != 3:
            yield f"zero_optimization.offload_param needs stage 3, but stage is {stage}; remove it, or use 3"
        if (device := zero[key].get("device")) != "cpu":
            yield f"zero_optimization.{key}.device is {device!r}; use 'cpu'"


def _not_dropping(config: dict[str, Any], schedule: Schedule) -> Iterator[str]:
    """Where DeepSpeed does not keep the gradients of each rank for `clipping.method: dropping` to look at."""
    if schedule.clipping.method != "dropping":
        return
    looks = "clipping.method 'dropping' looks at the gradients of each rank, which DeepSpeed does not keep"
    if zero_stage(config) == 3:
        yield f"{looks} whole with zero_optimization.stage 3: use stage 1 or 2, or another method"
    if zero_stage(config) == 1 and _adds_up_elsewhere(config):
        yield (
            f"{looks} with bf16, stage 1 and data_types.grad_accum_dtype 'fp32': remove grad_accum_dtype, or "
            "use stage 2"
        )


def _adds_up_elsewhere(config: dict[str, Any]) -> bool:
    """Whether DeepSpeed wraps the optimizer in one that takes gradients away as they come (its `BF16_Optimizer`)."""
    half = config.get("bf16", {}).get("enabled", False)
    return half and config.get("data_types", {}).get("grad_accum_dtype") in ("fp32", "float32")


def shares_of(config: dict[str, Any], schedule: Schedule, ranks: Ranks, ranks_of_a_video: int) -> Shares:
    """The share of a rank in every batch."""
    accumulation = config["gradient_accumulation_steps"]
    return Shares.of(schedule.batch_size, accumulation, ranks, ranks_of_a_video, schedule.batch_multiple)


def zero_stage(config: dict[str, Any]) -> int:
    return int(config["zero_optimization"]["stage"])


def offloaded(config: dict[str, Any]) -> bool:
    """Whether the optimizer and what it keeps of the weights lie in the memory of the processor."""
    return "offload_optimizer" in config["zero_optimization"]


def precision(config: dict[str, Any]) -> torch.dtype:
    """The type that the engine keeps the weights in."""
    return torch.bfloat16 if config.get("bf16", {}).get("enabled") else torch.float32


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


def wrap(model: nn.Module, config: dict[str, Any], optimizer: Optimizer) -> DeepSpeedEngine:
    import deepspeed

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with _without_muon():
        engine, *_ = deepspeed.initialize(
            model=model, model_parameters=trained, optimizer=adamw(trained, optimizer, offloaded(config)), config=config
        )
    return engine


@contextmanager
def _without_muon() -> Iterator[None]:
    """DeepSpeed asks whether an optimizer is Muon by importing it, and with it PyTorch's compiler: two seconds of every
    rank. Where it cannot be imported, which is what None among the modules says, DeepSpeed goes on without it."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    if MUON in modules:
        yield
        return
    modules[MUON] = None
    try:
        yield
    finally:
        del modules[MUON]


def shards(engine: DeepSpeedEngine) -> dict[str, Any]:
    """What this rank has to keep of the engine, by the file in which `load` looks for it; every rank calls this. What
    is frozen is not kept.

    DeepSpeed hands each shard to a writer, in whose place here stands one that copies it into the processor's memory.
    """
    copies: dict[str, Any] = {}
    writer = engine.checkpoint_engine
    with TemporaryDirectory() as folder:  # for its conversion script, of which there is no need

        def save(state_dict: Any, path: str) -> None:
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
