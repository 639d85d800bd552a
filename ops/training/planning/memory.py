"""What a rank holds in memory while it trains, by the engine's rules of who holds what.

N numbers are trained on R ranks, in weights of w bytes. The rules are those of DeepSpeed's ZeRO (arXiv 1910.02054) as
its optimizers for stages 1 to 3 allocate them, and of `Ema`; `Passes` are measured. Tests hold the sum against what an
engine really allocates.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from ops.runtime.device import Accelerator
from ops.training.loop.engine_config import EngineConfig
from ops.training.planning.cases import Passes

WIDE = 4
"""Bytes of a float32 number: the optimizer's weights, its moments, the average."""


class Memory(BaseModel):
    """Of one rank, in bytes. `held` is what stays from step to step on the accelerator, `host` in the processor's
    memory, each by its name; `peaks` is the most that the accelerator holds at once in each part of a step."""

    model_config = ConfigDict(frozen=True)

    held: dict[str, int]
    host: dict[str, int]
    gradients: int
    """The most that they come to, with the buffers that they are brought together in."""
    activations: int
    peaks: dict[str, int]

    @property
    def most(self) -> int:
        return max(self.peaks.values())

    @property
    def on_host(self) -> int:
        return sum(self.host.values())


@dataclass(frozen=True)
class Encoders:
    """Frozen networks that make latents and texts on the way to a denoiser. In bytes."""

    weights: int = 0
    encoding: int = 0
    """The most that lives while a sample is encoded."""


def memory_of(
    config: EngineConfig,
    passes: Passes,
    ranks: int,
    accelerator: Accelerator,
    dropping: bool = False,
    loader: int = 0,
    encoders: Encoders = Encoders(),
) -> Memory:
    """Of one of so many ranks, under a configuration of the engine that is filled in (`configuration_of`). `dropping`
    is the clipping that looks at each rank's gradients, `loader` the bytes of batches that wait to be computed,
    `encoders` what stands beside the model."""
    count, width, stage, off = passes.parameters, config.precision.itemsize, config.stage, config.offloads_optimizer
    own = -(-count // ranks)
    weights = width * (own if stage == 3 else count)
    optimizer = {"optimizer": 3 * WIDE * own, "ema": WIDE * own}
    held, host = {"weights": weights}, {"loader": loader}
    if stage == 3 and config.offloads_weights:
        host["weights"] = held.pop("weights")
    if off:  # gradients in float32, weights on their way back, and a parameter's gradient on its way
        optimizer["gradients"] = WIDE * own
        optimizer["buffers"] = width * (own + passes.largest)
    (host if off else held).update(optimizer)
    if encoders.weights:
        held["encoders"] = encoders.weights
    if passes.frozen or passes.companions:
        held["companions"] = passes.frozen + passes.companions
    if stage == 3:  # it keeps its share of the gradients, and the buffer for their way, from step to step
        held["gradients"] = width * own + WIDE * config.bucket
    resident = sum(held.values())
    gathered = _gathered(config, count, ranks, width) if stage == 3 else 0
    live = [moment.live + _gradients(config, passes, own, moment.gradients, dropping) for moment in passes.moments]
    live.append(passes.moments[-1].live + _reduced(config, passes, own, dropping))
    temporary = (0 if off else _step(own, accelerator)) + (width * count if dropping else 0)
    peaks = {
        "passes": resident + gathered + max(live),
        "optimizer": resident + temporary,
        "average": resident + (WIDE * own if width < WIDE and stage < 3 else 0),
        "validation": resident + (WIDE * count if ranks > 1 else 0),
    }
    if encoders.encoding:
        peaks["encoding"] = resident + encoders.encoding + _gradients(config, passes, own, 0, dropping)
    if passes.companions:
        peaks["companions"] = resident + passes.companions_live
    return Memory(
        held=held,
        host=host,
        gradients=held.get("gradients", 0) + _reduced(config, passes, own, dropping),
        activations=passes.activations,
        peaks=peaks,
    )


def _gradients(config: EngineConfig, passes: Passes, own: int, made: int, dropping: bool) -> int:
    """What gradients take once so many bytes of them are made in the last micro-batch of a step."""
    width, stage, earlier = config.precision.itemsize, config.stage, config.accumulation > 1
    if stage == 3:
        return 0  # held
    if stage == 1 or dropping:
        return width * passes.parameters if earlier else made
    buffers = _buffers(config) + (width * own if earlier else 0)
    return buffers + (width * own + _sent(config, passes) if made > width * config.bucket else 0)


def _reduced(config: EngineConfig, passes: Passes, own: int, dropping: bool) -> int:
    """The same when all are made and the last of them are brought together."""
    width, stage = config.precision.itemsize, config.stage
    if stage == 3:
        return 0
    made = width * passes.parameters if stage == 1 or dropping else 0
    earlier = width * own if stage == 2 and config.accumulation > 1 else 0
    return made + earlier + width * own + _sent(config, passes) + (_buffers(config) if stage == 2 else 0)


def _buffers(config: EngineConfig) -> int:
    """Those in which ZeRO-2 gathers gradients for their way."""
    return config.precision.itemsize * config.bucket * (2 if config.overlaps else 1)


def _sent(config: EngineConfig, passes: Passes) -> int:
    """A bucket on its way to other ranks, in the type that it travels in where that is another one."""
    if config.precision.itemsize == WIDE or not config.sends_wide:
        return 0
    return WIDE * min(config.bucket, passes.parameters)


def _gathered(config: EngineConfig, count: int, ranks: int, width: int) -> int:
    """The weights that ZeRO-3 brings together at once, at most."""
    return 0 if ranks == 1 else width * min(count, config.gathered)


def _step(own: int, accelerator: Accelerator) -> int:
    """What AdamW takes for its own share: gradients in float32 and, but on a CPU, where it is fused, what it computes
    from the second moments."""
    return WIDE * own * (1 if accelerator == "cpu" else 2)
