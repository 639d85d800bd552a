"""How a training runs and is launched."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from models.geometry import PIXELS_PER_TOKEN
from ops.config.section import Execution, Positive, Section, Share, one_plus_four_n
from ops.runtime.accelerator_models import ModelName
from ops.runtime.device import Accelerator


class Optimizer(Section):
    learning_rate: Annotated[float, Field(gt=0)]
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-2
    eps: float = 1e-15
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    decay: Literal["none", "cosine"] = "none"
    """After the warm-up the rate stays, or falls along half a cosine to `final_share` of it at the last step."""
    final_share: Share = 0.02


class Clipping(Section):
    """What is done about gradients that are too large.

    `fixed` scales the gradient down to the norm `max_norm`. `ema` scales it down to mean + 3σ of its own running
    statistics (Open-Sora Plan v1.5), which begin no higher than `max_norm`. `dropping` (Open-Sora Plan v1.3,
    arXiv 2412.00131) looks at each rank's gradient before they are averaged, drops those above mean + 3σ of the largest
    one, and scales the average of the others down to `max_norm`.
    """

    method: Literal["fixed", "ema", "dropping"] = "ema"
    max_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Of the running statistics of `ema` and `dropping`."""
    patience: Positive = 10
    """Of `ema` and `dropping`: an abnormal norm does not move the statistics. At this many steps in a row that
    have one (of all steps, or of those of one bucket) a person is told, and from then on they do."""


class Schedule(Section):
    """How long a training runs and what it leaves behind. All numbers count optimizer steps."""

    steps: Positive
    batch_size: Positive
    """Samples a step over all ranks."""
    checkpoint_every: Positive
    validate_every: Positive
    validate_samples: Positive = 256
    """The most held-out samples that a validation looks at, drawn evenly over the buckets and the same each time."""
    keep_last: Positive = 3
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    optimizer: Optimizer
    clipping: Clipping = Clipping()


class Launch(Execution):
    """`torchrun` starts ranks on this node; the others are DeepSpeed's launchers for several nodes."""

    launcher: Literal["torchrun", "slurm", "pdsh", "openmpi"] = "torchrun"
    accelerator: Accelerator = "cuda"
    nodes: Positive = 1
    ranks_per_node: Positive = 1
    hostfile: str | None = None
    model: ModelName | None = None
    """Of accelerator that the ranks will have, where it is not in this machine: a plan counts with its data sheet."""
    peak_tflops: Annotated[float, Field(gt=0)] | None = None
    """The most that an accelerator computes, in 10¹² floating point operations a second, where `model` says another
    number or none."""
    memory_gib: Annotated[float, Field(gt=0)] | None = None
    """Of an accelerator (of the node, where the accelerator is `cpu`), likewise."""
    utilisation: Annotated[float, Field(gt=0, le=1)] = 0.35
    """The share of the peak that a plan expects of a training, from which it reckons days."""
    deepspeed: str = "configs/deepspeed/zero2.json"
    sequence_parallel: Positive = 1
    """So many consecutive ranks, of one node, compute each video of a denoiser stage together. Images and the VAE are
    trained without."""
    heartbeat_seconds: Positive = 1800
    """A training job silent for longer is ended and reported."""
    max_restarts: Annotated[int, Field(ge=0)] = 0
    max_left_out_share: Share = 0.01
    """Of its samples, a training goes on without those that are not finite, up to this share; one may always be left
    out, unless this is 0."""

    def may_leave_out(self, among: int) -> int:
        """How many of so many samples may be left out."""
        return max(int(self.max_left_out_share * among), 1) if self.max_left_out_share else 0

    @model_validator(mode="after")
    def _nodes_fit_launcher(self) -> Launch:
        if self.launcher == "torchrun" and self.nodes > 1:
            raise ValueError(f"launcher 'torchrun' is for one node, but nodes is {self.nodes}: use slurm or pdsh")
        return self

    @model_validator(mode="after")
    def _sequences_fit_nodes(self) -> Launch:
        if self.ranks_per_node % self.sequence_parallel:
            raise ValueError(
                f"sequence_parallel is {self.sequence_parallel}, but must divide ranks_per_node, "
                f"{self.ranks_per_node}: use {common_divisors(self.ranks_per_node)}"
            )
        return self


class OwnLaunch(Execution):
    """What a training says of its launch that the recipe's `launch` does not: the same keys, as many as differ."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def over(self, launch: Launch) -> Launch:
        """Both together.

        Raises:
            ValidationError: a key or a value that no launch has, or that does not go with the others.
        """
        own: dict[str, Any] = self.model_extra or {}
        return Launch.model_validate({**launch.model_dump(), **own})


def common_divisors(*numbers: int) -> str:
    """In words, such as `1, 2 or 4`."""
    most = math.gcd(*numbers)
    *smaller, last = (str(number) for number in range(1, most + 1) if most % number == 0)
    return f"{', '.join(smaller)} or {last}" if smaller else last


class Pictures(Execution):
    """What a denoiser makes of held-out captions, drawn at every validation. They change no training."""

    prompts: Annotated[int, Field(ge=0)] = 4
    """How many captions; 0 draws none, and then no VAE is loaded either."""
    steps: Positive = 10
    frames: Annotated[Positive, AfterValidator(one_plus_four_n)] = 17
    """At most, as is `side`; the held-out samples' own sizes where they are smaller."""
    side: Annotated[int, Field(ge=PIXELS_PER_TOKEN)] = 256
    seconds: Positive = 60
    """What has not begun by then is left out."""
