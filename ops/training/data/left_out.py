"""Samples that a training goes on without: what is stored of them, or what becomes of them, is not finite.

Which they are is found on all ranks alike and kept in every checkpoint, so a resumed training leaves out the same ones
from the same step on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from ops.config.training import Launch


class UnusableSamples(Exception):
    """Samples that a step or a validation cannot go on with: their ids, each with what is wrong with it."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{sample_id} ({reason})" for sample_id, reason in sorted(reasons.items())))
        self.reasons = dict(reasons)


class LossNotFinite(FloatingPointError):
    """Training cannot go on; the message names the samples or the file that does."""


class Absence(TypedDict):
    """Since which step a sample is left out, and why."""

    step: int
    reason: str


@dataclass
class LeftOut:
    """`samples` holds those that were left out, by their ids.

    `among` counts the samples that the training looks at; `launch` says how many of them may be left out.
    """

    launch: Launch
    among: int
    samples: dict[str, Absence] = field(default_factory=dict)

    @property
    def allowed(self) -> int:
        return self.launch.may_leave_out(self.among)

    def add(self, step: int, reasons: Mapping[str, str]) -> None:
        """Leave out more.

        Raises:
            LossNotFinite: when that is too many, for then the fault is not the samples'.
        """
        self.samples |= {name: {"step": step, "reason": reason} for name, reason in sorted(reasons.items())}
        if len(self.samples) > self.allowed:
            share = self.launch.max_left_out_share
            listed = "; ".join(
                f"{name}, step {entry['step']}: {entry['reason']}" for name, entry in self.samples.items()
            )
            raise LossNotFinite(
                f"{len(self.samples)} of {self.among} samples cannot be trained on, and launch.max_left_out_share "
                f"{share:g} lets {self.allowed} be left out: {listed}. Mend what they are made from, lower "
                "schedule.optimizer.learning_rate if they look sound, or raise launch.max_left_out_share"
            )


def require_finite(values: Mapping[str, Sequence[float]], defects: Mapping[str, str], what: str) -> None:
    """Check what a validation has found for each sample.

    Raises:
        UnusableSamples: `defects`, and the samples with a value that is not finite.
        LossNotFinite: when no sample has finite values, so that it is the model.
    """
    reasons = {name: f"its {what} is not finite" for name, each in values.items() if not all(map(math.isfinite, each))}
    if reasons and len(reasons) == len(values):
        raise LossNotFinite(f"the {what} is not finite for any held-out sample: the weights have diverged")
    if reasons or defects:
        raise UnusableSamples({**reasons, **defects})
