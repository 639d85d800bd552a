"""DeepSpeed: configuration, start and checkpoint loading."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ops.config import ConfigError, Launch, Optimizer, Schedule
from ops.runtime.files import write_json
from ops.training.data.data_share import DataShare, micro_batch
from ops.training.launching.ranks import Ranks

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

TAG = "state"
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


def configuration(root: Path, launch: Launch, schedule: Schedule, world_size: int) -> dict[str, Any]:
    """The JSON file of `launch.deepspeed` with the numbers filled in that belong to the stage.

    Raises:
        ConfigError: naming the file and the key, for what the file must not hold or what cannot be divided.
    """
    path = root / launch.deepspeed
    if not path.is_file():
        raise ConfigError(f"launch.deepspeed names {launch.deepspeed}, which is not a file in {root}")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in FILLED_IN:
        if key in config:
            raise ConfigError(f"{path}: '{key}' follows from the stage's schedule; remove it from this file")
    stage = config.get("zero_optimization", {}).get("stage")
    if stage not in (1, 2):
        raise ConfigError(f"{path}: zero_optimization.stage is {stage}; use 1 or 2 (a rank holds all weights)")
    if schedule.clipping.method == "dropping" and stage == 1 and _adds_up_elsewhere(config):
        raise ConfigError(
            f"{path}: clipping.method 'dropping' looks at the gradients of each rank, which DeepSpeed does not keep "
            "with bf16, stage 1 and data_types.grad_accum_dtype 'fp32': remove grad_accum_dtype, or use stage 2"
        )
    accumulation = config.setdefault("gradient_accumulation_steps", 1)
    return {
        **config,
        "train_batch_size": schedule.batch_size,
        "train_micro_batch_size_per_gpu": micro_batch(schedule.batch_size, world_size, accumulation),
        "gradient_clipping": schedule.clipping.max_norm,
    }


def _adds_up_elsewhere(config: dict[str, Any]) -> bool:
    """Whether DeepSpeed wraps the optimizer in one that takes gradients away as they come (its `BF16_Optimizer`)."""
    half = config.get("bf16", {}).get("enabled", False)
    return half and config.get("data_types", {}).get("grad_accum_dtype") in ("fp32", "float32")


def data_share(config: dict[str, Any], ranks: Ranks) -> DataShare:
    """The share of this rank in every batch."""
    return DataShare.of(config["train_batch_size"], config["gradient_accumulation_steps"], ranks)


def precision(config: dict[str, Any]) -> torch.dtype:
    """The type that the engine keeps the weights in."""
    return torch.bfloat16 if config.get("bf16", {}).get("enabled") else torch.float32


def adamw(parameters: Iterable[nn.Parameter], settings: Optimizer) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        parameters,
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
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
    engine, *_ = deepspeed.initialize(
        model=model, model_parameters=trained, optimizer=adamw(trained, optimizer), config=config
    )
    return engine


def save(engine: DeepSpeedEngine, folder: Path) -> None:
    """Called by every rank; `folder/state` then holds the shards."""
    engine.save_checkpoint(str(folder), tag=TAG, save_latest=False)
    if engine.global_rank == 0:
        for script in folder.glob("zero_to_*.py"):  # DeepSpeed's conversion scripts; the released form is beside
            script.unlink()


def load(engine: DeepSpeedEngine, folder: Path) -> None:
    """Called by every rank; `folder` was saved, or converted, for this number of ranks."""
    path, _ = engine.load_checkpoint(str(folder), tag=TAG)
    if path is None:
        raise RuntimeError(f"DeepSpeed found nothing to load in {folder}")


def convert(folder: Path, target: Path) -> None:
    """Turn shards of any number of ranks into DeepSpeed's universal form, which every number can load."""
    (target / TAG).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", "--inject_missing_state"]
    command += ["--input_folder", str(folder / TAG), "--output_folder", str(target / TAG)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        raise RuntimeError(f"converting {folder} for another number of ranks failed:\n{done.stderr[-2000:]}")
    write_json(target / "converted.json", {"from": str(folder)})
