"""Everything that a training changes while it goes on: a checkpoint holds it, and a resume brings it back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor, nn

from ops.training.checkpoints.shard_layout import ShardLayout
from ops.training.clipping.dropping import Dropping
from ops.training.clipping.global_norm import GlobalNorm
from ops.training.data.left_out import LeftOut
from ops.training.loop.ema import Ema

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine


@dataclass
class State:
    """`engine` holds the weights that are trained and their optimizer, `ema` the average that is validated and kept."""

    engine: DeepSpeedEngine
    ema: Ema
    clipping: GlobalNorm | Dropping
    left_out: LeftOut
    layout: ShardLayout
    """Of the engine's shards."""
    step: int = 0
    """The last one that was made."""
    first: float | None = None
    """The held-out metric before the first step."""
    seconds_before: float = 0.0
    """Spent by the attempts that this one resumes."""
    started: float = field(default_factory=time.monotonic)

    @property
    def model(self) -> nn.Module:
        """The bare module that is trained."""
        module: nn.Module = self.engine.module
        return module

    @property
    def parameters(self) -> int:
        """How many numbers are trained, over all ranks."""
        return self.ema.slicing.numbers

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """The state dict of the model that is trained, a tensor at a time, each whole; every rank takes all alike. What
        is frozen in it need not be there."""
        if not self.layout["apart"]:
            return iter(self.model.state_dict().items())
        return self.ema.slicing.entries(self.ema.slicing.of(self.model))

    @property
    def seconds(self) -> float:
        """Spent by all attempts so far."""
        return self.seconds_before + time.monotonic() - self.started
