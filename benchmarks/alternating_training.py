"""A training program in which every step is followed, or preceded, by the same step of a bare PyTorch loop.

Started by the launcher in place of a program of `ops.training.methods`, with the same job; it leaves
`alternating.json` in the job's folder. On a machine that does other things too, both loops suffer alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from ops.runtime.files import write_json
from ops.training.job import Job
from ops.training.launching import program
from ops.training.loop import engine, loop
from ops.training.loop.session import Batch, Session
from ops.training.methods import denoiser, vae
from ops.training.methods.method import Draw, Method, Setup

FILE = "alternating.json"


class BareLoop:
    """Forward, loss, backward, clipping, AdamW: what a training step is without anything around it."""

    def __init__(self, method: Method[Any], job: Job) -> None:
        self._objective, self._job, self._schedule = method.objective, job, job.schedule
        self._model = method.model.train()
        self._optimizer = engine.adamw([*self._model.parameters()], job.schedule.optimizer)

    def step(self, step: int, batch: Any) -> float:
        """Take a step; the seconds that it took."""
        started = time.perf_counter()
        draw = Draw(self._job.settings.seed, step, 0, self._schedule.batch_size)
        loss, _ = self._objective.loss(_AsEngine(self._model), batch, draw)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._schedule.clipping.max_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return time.perf_counter() - started


class _AsEngine(nn.Module):
    """A model where an objective expects DeepSpeed's engine."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.module = model

    def forward(self, *arguments: Any, **options: Any) -> Any:
        return self.module(*arguments, **options)


class Alternation:
    """Stands in for the loop's `one_step`: does it, and a bare step first or last in turn."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.bare: BareLoop | None = None
        self._one_step: Callable[..., dict[str, float]] = loop.one_step
        self._entered: list[float] = []
        self._steps: list[float] = []
        self._bare_steps: list[float] = []

    def __call__(self, session: Session[Any], step: int, batch: Batch[Any]) -> dict[str, float]:
        assert self.bare is not None
        (part,) = batch.parts.values()
        self._entered.append(time.perf_counter())
        if step % 2:
            self._bare_steps.append(self.bare.step(step, part))
        started = time.perf_counter()
        figures = self._one_step(session, step, batch)
        self._steps.append(time.perf_counter() - started)
        if not step % 2:
            self._bare_steps.append(self.bare.step(step, part))
        return figures

    def write(self) -> None:
        """`turn` is a whole turn of the program's loop, from step to step, less the bare step within it."""
        turns = [
            later - earlier - bare
            for (earlier, later), bare in zip(pairwise(self._entered), self._bare_steps, strict=False)
        ]
        whole = {"step": self._steps, "bare": self._bare_steps}
        figures = {name: values[: len(turns)] for name, values in whole.items()}  # after the last step comes the end
        write_json(self.job.folder / FILE, {**figures, "turn": turns})


def main() -> None:
    alternation = Alternation(Job.from_arguments())
    kind = alternation.job.training.kind
    compose: Callable[[Setup], Method[Any]] = vae.compose if kind == "vae" else denoiser.compose

    def twice(setup: Setup) -> Method[Any]:
        alternation.bare = BareLoop(compose(setup), alternation.job)
        return compose(setup)

    with patch.object(loop, "one_step", alternation):
        program.main(twice)
    alternation.write()


if __name__ == "__main__":
    main()
