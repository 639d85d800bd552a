"""The plan of a training: what each rank will hold, what a step computes, how long it all takes, and whether it fits.

It lies in the training's folder, for the ranks to tell and to be held against.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ops.training.planning.hardware import Hardware
from ops.training.planning.memory import Memory

FILE = "plan.json"


class Plan(BaseModel):
    """Of one training of a recipe under its launch. Memory and disk are in bytes, times in seconds unless they say
    otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asset: str
    preset: str
    launch: str
    engine: str
    ranks: int
    ranks_per_node: int
    steps: int
    batch_size: int
    bucket: str
    """The largest, of which memory is told."""
    micro_batch: int
    """Samples that a rank computes at once of it."""
    parameters: int
    memory: Memory
    """Of a rank."""
    activations_kept: int | None
    """What the passes hold without gradient checkpointing; None where only the launch's own way was measured."""
    activations_recomputed: int | None
    """With it, likewise; None also for a model that has none."""
    uncounted: tuple[str, ...]
    """What will take memory, too, and nobody can say how much."""
    hardware: Hardware
    fits: bool | None
    """None where nobody knows how much memory there is."""
    remedy: str | None
    """The setting with which it fits, where it does not."""
    samples: int | None
    """Of the training set; None before there is one."""
    tokens: dict[str, int]
    """Bucket → latent tokens of a sample."""
    flops: dict[str, int]
    """Bucket → model FLOPs of a sample, forward and backward (`ops.training.planning.flops`)."""
    tokens_a_step: int
    flops_a_step: int
    utilisation: float
    """The share of the peak that is expected."""
    days: float | None
    """None where no peak is known."""
    disk: dict[str, int]
    """What it writes and what is cached for it; caches only when the training set is known."""

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be trained so, with what helps."""
        if self.fits is not False:
            return None
        needed, limit = self.needed / 2**30, self.hardware.memory_gib
        helps = f"use {self.remedy}" if self.remedy else "use more ranks or smaller samples (dataset.max_area)"
        return (
            f"{self.asset} needs {needed:.3g} GiB on each of {self.ranks} rank(s), but {limit:.3g} GiB of "
            f"{self.hardware.name} are there for one: {helps}"
        )

    @property
    def needed(self) -> int:
        """Bytes of a rank, of the memory that `hardware` tells."""
        return self.hardware.needed(self.memory)


def planned(folder: Path) -> Plan | None:
    """The plan that lies in the folder of a training; None where its job was not written by `ops.training.assets`."""
    path = folder / FILE
    return Plan.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None
