"""A training whose gradients are written down beforehand, and the program that makes it on several ranks.

`pushes.json` in the job's folder holds rounds; each has its `decay`, a `start` of the statistics or none, and `steps`:
for each place of the global batch the gradient that its sample has. The first rank leaves `pushed.json`: for each step
its figures, and `moved`, how far each weight came.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from ops.config import Clipping
from ops.training.clipping.dropping import Dropping
from ops.training.data.data_order import DataOrder
from ops.training.data.samples import TrainingSamples
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import discover
from ops.training.loop import engine, loop
from ops.training.methods.method import Draw, Method, Setup

CPU = torch.device("cpu")
WEIGHTS = 6


@dataclass
class Names:
    """Samples that are nothing but their names."""

    samples: TrainingSamples

    def read(self, sample_ids: Sequence[str], epoch: int = 0) -> list[str]:
        return list(sample_ids)

    def ahead(self, samples: int) -> int:
        return 1

    def close(self) -> None:
        """There is nothing to end."""


class Written:
    """The loss of a sample is w · g, where g is written down for its step and place. It counts what it was shown."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype, self.steps, self.shown = dtype, [], 0

    def loss(self, model: nn.Module, batch: list[str], draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        self.shown += not draw.alone
        places = self.steps[draw.step - 1][draw.first_position : draw.first_position + len(batch)]
        loss = model(torch.tensor(places, dtype=self.dtype)).float().mean()
        return loss, {"place": torch.tensor(float(draw.first_position))}

    def discard(self) -> None:
        self.shown = 0

    def after_step(self) -> dict[str, Tensor]:
        shown, self.shown = self.shown, 0
        return {"learned_from": torch.tensor(float(shown))}


class Still:
    """A validation and pictures of nothing."""

    metric, higher_is_better = "level", False

    def figures(self, *_: Any) -> dict[str, float]:
        return {"level": 0.0}

    def draw(self, *_: Any) -> bool:
        return False


def compose(setup: Setup) -> Method[Any]:
    batch_size = setup.shares.video.batch_size
    names = [f"s{place}" for place in range(batch_size)]
    rows: Any = {name: {"sample_id": name, "path": f"{name}.mp4", "bucket": "all", "frames": 5} for name in names}
    samples = TrainingSamples(rows, batch_size, 0, (), DataOrder({"all": sorted(names)}, {"all": batch_size}, 1, "v"))
    model = nn.Linear(WEIGHTS, 1, bias=False)
    nn.init.ones_(model.weight)
    written: Any = Written(setup.dtype)
    still: Any = Still()
    return Method(model, Names(samples), written, still, still, companions=[written])


def main() -> None:
    job, ranks = Job.from_arguments(), discover()
    engine.start_distributed()
    with patch.object(engine, "adamw", lambda parameters, *_: torch.optim.SGD(parameters, lr=1.0)):
        session = program.prepared(job, ranks, CPU, compose)
    lines = []
    for each in json.loads((job.folder / "pushes.json").read_text(encoding="utf-8")):
        rule = session.state.clipping = Dropping(Clipping(method="dropping", decay=each["decay"], max_norm=1e9))
        if each["start"]:
            rule.statistics.begin(**each["start"])
        session.method.objective.steps = each["steps"]
        for step in range(1, len(each["steps"]) + 1):
            before = session.state.model.weight.detach().clone()
            figures = loop.one_step(session, step, session.read(step))
            moved = (before - session.state.model.weight.detach())[0]
            lines.append({**figures, "moved": moved.tolist()})
    if ranks.first:
        (job.folder / "pushed.json").write_text(json.dumps(lines), encoding="utf-8")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
