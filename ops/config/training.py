"""How a training runs and is launched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from models.geometry import PIXELS_PER_TOKEN
from ops.config.section import Execution, Positive, Section, Share, laid_over, one_plus_four_n
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
    """How long a training runs and what it leaves behind. All numbers count optimizer steps; `samples` in the place of
    `steps` makes as many as there are batches in so many samples."""

    steps: Positive
    batch_size: Positive
    """Samples a step over all ranks."""
    batch_by: Literal["samples", "tokens"] = "samples"
    """By tokens, `batch_size` counts samples of the largest size that `dataset` allows; a batch of smaller ones has as
    many more of them as make up about the same number of tokens, so that every step costs about the same."""
    batch_multiple: Positive | None = None
    """By tokens, each batch is a multiple of so many samples, which must divide `batch_size` and go round the ranks and
    their micro-batches; it is `batch_size` if not given. A smaller one brings the steps nearer to each other."""
    least_batches: Annotated[float, Field(ge=0)] = 0
    """A bucket with fewer samples than so many of its batches is not trained on, rather than shown again and again."""
    checkpoint_every: Positive
    validate_every: Positive
    validate_samples: Positive = 256
    """The most held-out samples that a validation looks at, drawn evenly over the buckets and the same each time."""
    keep_last: Positive = 3
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    optimizer: Optimizer
    clipping: Clipping = Clipping()

    @model_validator(mode="before")
    @classmethod
    def _samples_make_steps(cls, value: object) -> object:
        """`samples` instead of `steps`: as many as so many samples make batches."""
        if not isinstance(value, Mapping) or "samples" not in value:
            return value
        rest = {key: each for key, each in value.items() if key != "samples"}
        samples, size = value["samples"], value.get("batch_size")
        if samples is None:
            return rest
        if rest.get("steps") is not None:
            raise ValueError("steps and samples say the same: leave one of them out (null)")
        if not all(isinstance(each, int) and each > 0 for each in (samples, size)):
            raise ValueError("samples and batch_size must be whole numbers above 0")
        return {**rest, "steps": -(-samples // size)}

    @model_validator(mode="after")
    def _multiple_goes_into_batch(self) -> Schedule:
        if self.batch_multiple and self.batch_by == "samples":
            raise ValueError("batch_multiple is of batches by tokens: say batch_by: tokens, or leave it out")
        if self.batch_multiple and self.batch_size % self.batch_multiple:
            raise ValueError(f"batch_multiple {self.batch_multiple} must divide batch_size, {self.batch_size}")
        return self


class Launch(Execution):
    """`torchrun` starts ranks on this node; `slurm`, `pdsh` and `openmpi` are DeepSpeed's launchers for several. `env`
    starts none: a scheduler has, and has told each its RANK, WORLD_SIZE and LOCAL_RANK."""

    launcher: Literal["torchrun", "slurm", "pdsh", "openmpi", "env"] = "torchrun"
    accelerator: Accelerator = "cuda"
    nodes: Positive = 1
    ranks_per_node: Positive = 1
    hostfile: str | None = None
    port: Annotated[int, Field(ge=1024, le=65535)] = 29500  # DeepSpeed's
    """Of the first node, on which the ranks of several nodes find each other; jobs that share that node need each their
    own."""
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
    loader_workers: Annotated[int, Field(ge=0)] = 4
    """Processes of each rank that decode videos and pictures for it, ahead of the steps that they are for. 0 decodes in
    the rank itself and keeps what it decoded as far as a GiB goes, which is for the few sources of a small dataset."""
    loader_seconds: Positive = 300
    """A sample that is not decoded by then has its worker killed and is begun once more; then it is left out."""
    loader_gib: Annotated[float, Field(gt=0)] = 8.0
    """Of data in one of these processes."""
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
        return laid_over(self, launch)


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
