"""DeepSpeed's configuration: a JSON file of the project, with the numbers filled in that belong to a training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ops.config import ConfigError, Launch, Schedule
from ops.runtime.files import Document, read_json
from ops.training.data.data_share import Shares
from ops.training.launching.ranks import Ranks
from ops.training.trainings import Training

FILLED_IN = (
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "gradient_clipping",
    "optimizer",
    "scheduler",
)


@dataclass(frozen=True)
class EngineConfig:
    """What an engine is asked for. `document` is what DeepSpeed is given; where a key is absent, its default holds."""

    document: Document

    @property
    def stage(self) -> int:
        """Of ZeRO: 1, 2 or 3."""
        return int(self._zero["stage"])

    @property
    def precision(self) -> torch.dtype:
        """The type that the engine keeps the weights in."""
        return torch.bfloat16 if self.document.get("bf16", {}).get("enabled") else torch.float32

    @property
    def accumulation(self) -> int:
        """Micro-batches of a step."""
        return int(self.document.get("gradient_accumulation_steps", 1))

    @property
    def offloads_optimizer(self) -> bool:
        """Whether the optimizer and what it keeps of the weights lie in the memory of the processor."""
        return "offload_optimizer" in self._zero

    @property
    def offloads_weights(self) -> bool:
        return "offload_param" in self._zero

    @property
    def bucket(self) -> int:
        """Gradients that are brought together at once."""
        return int(self._zero.get("reduce_bucket_size", 5e8))

    @property
    def overlaps(self) -> bool:
        """Whether gradients travel while others are computed."""
        return bool(self._zero.get("overlap_comm"))

    @property
    def sends_wide(self) -> bool:
        """Whether they travel in float32."""
        return self.document.get("communication_data_type") == "fp32"

    @property
    def gathered(self) -> int:
        """Weights that ZeRO-3 brings together at once, at most."""
        return int(self._zero.get("stage3_max_live_parameters", 1e9))

    @property
    def sub_group(self) -> int:
        """Numbers that ZeRO-3 steps over at once."""
        return int(self._zero.get("sub_group_size", 1e9))

    @property
    def _zero(self) -> Document:
        found: Document = self.document.get("zero_optimization", {})
        return found

    def shares(self, schedule: Schedule, ranks: Ranks, ranks_of_a_video: int) -> Shares:
        """The share of a rank in every batch."""
        return Shares.of(schedule.batch_size, self.accumulation, ranks, ranks_of_a_video, schedule.batch_multiple)

    def with_keys(self, **keys: object) -> EngineConfig:
        """The same with these keys in place of its own or beside them."""
        return EngineConfig({**self.document, **keys})

    def refused(self) -> Iterator[str]:
        """What it asks for that no training can have, with what it should say."""
        stage = self._zero.get("stage")
        if self.document.get("fp16", {}).get("enabled"):
            yield "fp16.enabled is true, but training is in bf16 or float32: use bf16.enabled"
        if stage not in (1, 2, 3):
            yield f"zero_optimization.stage is {stage}; use 1, 2 or 3"
        if self._zero.get("round_robin_gradients"):
            yield "zero_optimization.round_robin_gradients is true, and shards of it cannot be converted; remove it"
        for key in (key for key in self._zero if key.startswith("offload_")):
            if key == "offload_param" and stage != 3:
                yield f"zero_optimization.offload_param needs stage 3, but stage is {stage}; remove it, or use 3"
            if (device := self._zero[key].get("device")) != "cpu":
                yield f"zero_optimization.{key}.device is {device!r}; use 'cpu'"

    def not_dropping(self, schedule: Schedule) -> Iterator[str]:
        """Where DeepSpeed does not keep the gradients of each rank for `clipping.method: dropping` to look at."""
        if schedule.clipping.method != "dropping":
            return
        looks = "clipping.method 'dropping' looks at the gradients of each rank, which DeepSpeed does not keep"
        if self.stage == 3:
            yield f"{looks} whole with zero_optimization.stage 3: use stage 1 or 2, or another method"
        if self.stage == 1 and self.adds_up_elsewhere:
            yield (
                f"{looks} with bf16, stage 1 and data_types.grad_accum_dtype 'fp32': remove grad_accum_dtype, or "
                "use stage 2"
            )

    @property
    def adds_up_elsewhere(self) -> bool:
        """Whether DeepSpeed wraps the optimizer in its `BF16_Optimizer`, which takes gradients away as they come."""
        half = self.precision is torch.bfloat16
        return half and self.document.get("data_types", {}).get("grad_accum_dtype") in ("fp32", "float32")


def configuration_of(training: Training, root: Path, world_size: int) -> EngineConfig:
    """`configuration` for a training of the recipe.

    Raises:
        ConfigError: also for a ZeRO stage under which it cannot be trained.
    """
    launch = training.launch
    config = configuration(root, launch, training.schedule, world_size, training.ranks_of_a_video)
    if config.stage == 3 and (reason := training.stays_whole):
        raise ConfigError(f"{root / launch.deepspeed}: zero_optimization.stage is 3, but {reason}: use 1 or 2")
    return config


def configuration(
    root: Path, launch: Launch, schedule: Schedule, world_size: int, ranks_of_a_video: int = 1
) -> EngineConfig:
    """The JSON file of `launch.deepspeed` with the numbers filled in that belong to the stage.

    DeepSpeed knows nothing of ranks that compute a video together, so its batch counts each of them.

    Raises:
        ConfigError: naming the file and the key, for what the file must not hold, what it asks for and cannot be had,
            or what cannot be divided.
    """
    path = root / launch.deepspeed
    if not path.is_file():
        raise ConfigError(f"launch.deepspeed names {launch.deepspeed}, which is not a file in {root}")
    asked = EngineConfig(read_json(path))
    for key in FILLED_IN:
        if key in asked.document:
            raise ConfigError(f"{path}: '{key}' follows from the stage's schedule; remove it from this file")
    for reason in (*asked.refused(), *asked.not_dropping(schedule)):
        raise ConfigError(f"{path}: {reason}")
    micro_batch = asked.shares(schedule, Ranks(0, world_size, 0), ranks_of_a_video).video.micro_batch
    return asked.with_keys(
        gradient_accumulation_steps=asked.accumulation,
        train_batch_size=micro_batch * asked.accumulation * world_size,
        train_micro_batch_size_per_gpu=micro_batch,
        gradient_clipping=schedule.clipping.max_norm,
    )
