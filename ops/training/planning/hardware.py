"""The accelerator that a training will have: its memory and peak, by the recipe, by data sheet, or as found here."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ops.config import Launch
from ops.runtime.accelerator_models import MODELS
from ops.runtime.device import Accelerator, accelerator, available, busy_seconds, memory_here
from ops.training.planning.memory import Memory

if TYPE_CHECKING:
    import torch

USABLE = 0.9
"""Of an accelerator's memory: the rest is for kernels, communication and what fragments."""
PROCESS = 2**30
"""Bytes of Python and its libraries in a rank, in the processor's memory."""
SIDE, PRODUCTS = 1024, 8


class Hardware(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    shared: bool
    """The accelerator is the processor: its memory is the node's, and also the host's."""
    memory_gib: float | None
    """For one rank; None where nobody knows."""
    tflops: float | None
    """The peak of one rank in 10¹² a second; None where nobody knows."""
    peak_source: str

    def needed(self, memory: Memory) -> int:
        return memory.most + (memory.on_host + PROCESS if self.shared else 0)

    def fits(self, memory: Memory, ranks_per_node: int) -> bool | None:
        if self.memory_gib is None:
            return None
        return self.needed(memory) <= USABLE * self.memory_gib * 2**30


def hardware_of(launch: Launch, dtype: torch.dtype) -> Hardware:
    sheet = MODELS[launch.model] if launch.model else None
    shared = launch.accelerator == "cpu"
    sharing = launch.ranks_per_node if shared else 1
    memory = launch.memory_gib or (sheet.memory_gib if sheet else memory_here(launch.accelerator))
    tflops, source = launch.peak_tflops, "launch.peak_tflops"
    if tflops is None and sheet:
        tflops, source = sheet.tflops, sheet.source
    elif tflops is None and launch.accelerator in available():
        tflops, source = reached_tflops(launch.accelerator, dtype) / sharing, "products of large matrices here"
    return Hardware(
        name=launch.model or launch.accelerator,
        shared=shared,
        memory_gib=memory / sharing if memory else None,
        tflops=tflops,
        peak_source=source if tflops else "set launch.model or launch.peak_tflops",
    )


@cache
def reached_tflops(name: Accelerator, dtype: torch.dtype) -> float:
    """What this machine's accelerator reaches on products of square matrices, the best of a few, in 10¹² a second."""
    import torch

    device = accelerator(name)
    one = torch.ones(SIDE, SIDE, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(PRODUCTS):
        started = time.perf_counter()
        torch.mm(one, one)
        best = min(best, busy_seconds(device, started) or time.perf_counter() - started)
    return 2 * SIDE**3 / best / 1e12
