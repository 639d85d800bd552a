"""How fast a training goes and what it holds, told of every step."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

from ops.runtime.device import held_bytes
from ops.training.planning.plan import Plan

CLOCKED = (*("step_seconds", "data_seconds", "samples_per_second", "tokens_per_second", "mfu", "memory_gib"),)
"""The figures of a step that differ each time it is made."""


@dataclass
class Meter:
    """`plan` says how many tokens and FLOPs a sample has; without one these are not told, and without a peak neither is
    the utilisation."""

    device: torch.device
    plan: Plan | None
    _asked: float = field(default_factory=time.perf_counter)
    _began: float = 0.0

    def ask(self) -> None:
        """The batch of the next step is waited for from now on."""
        self._asked = time.perf_counter()

    def begin(self) -> None:
        """It is there, and the step begins."""
        self._began = time.perf_counter()

    def figures(self, bucket: str, samples: int) -> dict[str, float]:
        """Of the step that is made now, whose batch has so many samples of a bucket. The memory is this rank's: what
        its process holds of a CPU's, and the most that tensors held of an accelerator's in the step."""
        own, waited = time.perf_counter() - self._began, self._began - self._asked
        whole = own + waited
        found = {"step_seconds": own, "data_seconds": waited, "samples_per_second": samples / whole}
        if self.plan and bucket in self.plan.flops:
            found["tokens_per_second"] = samples * self.plan.tokens[bucket] / whole
            if self.plan.hardware.tflops:
                peak = self.plan.ranks * self.plan.hardware.tflops * 1e12
                found["mfu"] = samples * self.plan.flops[bucket] / (whole * peak)
        return {**found, "memory_gib": held_bytes(self.device) / 2**30}
