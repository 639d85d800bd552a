"""Trainings on several ranks, under every ZeRO stage and with videos spread over ranks, learn what one rank learns."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ops.training.job import Job
from ops.training.launching.ranks import ALONE, Ranks

pytestmark = pytest.mark.dist

PROGRAM = Path(__file__).with_name("many_trainings.py")
train = runpy.run_path(str(PROGRAM))["train"]
FILES = ("zero1", "zero2", "zero2_offload", "zero3", "zero3_offload")
STEPS = 20


@dataclass
class Trainings:
    """Trainings of one recipe, launched in different ways."""

    lab: Any
    folder: Path
    heads: int = 2
    jobs: list[Path] = field(default_factory=list)

    def add(self, name: str, file: str, half: bool = False, stage: dict[str, Any] | None = None, **launch: Any) -> None:
        """One under a shipped DeepSpeed file, in float32 unless `half` leaves it as it is."""
        shipped = f"configs/deepspeed/{file}.json"
        content = json.loads((self.lab.project.root / shipped).read_text(encoding="utf-8"))
        (self.lab.project.root / f"{name}.json").write_text(json.dumps({**content, "bf16": {"enabled": half}}))
        lab = self.lab.with_launch(accelerator="cpu", deepspeed=f"{name}.json")
        described = lab.job("denoiser_joint").model_dump(mode="json")
        described["settings"]["denoiser"]["model"]["heads"] = self.heads
        described["settings"]["launch"] |= launch
        described["settings"]["stages"][0] |= {**(stage or {})}
        job = Job.model_validate({**described, "folder": self.folder / name})
        job.folder.mkdir(parents=True, exist_ok=True)
        path = job.write()
        if path not in self.jobs:
            self.jobs.append(path)

    def run(self, ranks: int, steps: int = STEPS) -> None:
        """The first steps of all that were added since the last run, on this rank or on several of their own."""
        if ranks == 1:
            for path in self.jobs:
                train(Job.model_validate_json(path.read_text(encoding="utf-8")), ALONE, steps)
            self.jobs = []
            return
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "DEEPSPEED_LOG_LEVEL": "error"}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run([*command, str(PROGRAM), str(steps), *map(str, self.jobs)], env=environment, check=True)
        self.jobs = []

    def lines(self, name: str) -> list[dict[str, float]]:
        found: list[dict[str, float]] = json.loads((self.folder / name / "steps.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture
def trainings(make_lab: Callable, alone: Ranks, tmp_path: Path) -> Trainings:
    return Trainings(make_lab(tmp_path / "lab"), tmp_path / "trainings")


def assert_same(one: list[dict[str, float]], other: list[dict[str, float]], tolerance: float) -> None:
    """Of every step, what both were asked for: the held-out figures were not after every one."""
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        common = left.keys() & right.keys()
        assert "step" in common
        assert {name: right[name] for name in common} == pytest.approx(
            {name: left[name] for name in common}, rel=tolerance, abs=tolerance / 10
        ), left["step"]
    assert {"loss", "held_out_loss", "grad_norm"} <= one[-1].keys() & other[-1].keys() | {"held_out_loss"}


@pytest.mark.slow
def test_every_shipped_file_learns_what_one_rank_learns(trainings: Trainings) -> None:
    """As it is shipped, in float32, and with each video spread over both ranks; and then goes on in another way."""
    trainings.add("alone", "zero1")
    trainings.run(ranks=1, steps=STEPS + 2)
    for file in FILES:
        trainings.add(file, file, ranks_per_node=2)
        trainings.add(f"{file}_half", file, half=True, ranks_per_node=2)
    for file in ("zero1", "zero2", "zero3_offload"):
        trainings.add(f"{file}_spread", file, ranks_per_node=2, sequence_parallel=2)
    recomputed = {"gradient_checkpointing": True}
    trainings.add("zero3_recomputed", "zero3", stage=recomputed, ranks_per_node=2, sequence_parallel=2)
    trainings.run(ranks=2)
    expected = trainings.lines("alone")[: STEPS + 1]
    for name in (*FILES, "zero1_spread", "zero2_spread", "zero3_offload_spread", "zero3_recomputed"):
        assert_same(expected, trainings.lines(name), 1e-4)
    for file in FILES:
        assert_same(trainings.lines("zero1_half"), trainings.lines(f"{file}_half"), 1e-2)

    # From where they are: spread what was not, take apart what was whole, and the other way round; on fewer ranks.
    trainings.add("zero1", "zero2_offload", ranks_per_node=2, sequence_parallel=2)
    trainings.add("zero2_spread", "zero3", ranks_per_node=2)
    trainings.add("zero3_recomputed", "zero3_offload", ranks_per_node=2)
    trainings.add("zero3", "zero1", ranks_per_node=2)
    trainings.run(ranks=2, steps=STEPS + 2)
    trainings.add("zero1_spread", "zero2")
    trainings.add("zero3_offload_spread", "zero3")
    trainings.run(ranks=1, steps=STEPS + 2)
    expected = trainings.lines("alone")[STEPS:]
    for name in ("zero1", "zero2_spread", "zero3", "zero3_recomputed", "zero1_spread", "zero3_offload_spread"):
        assert_same(expected, trainings.lines(name), 1e-4)


@pytest.mark.slow
def test_four_ranks_are_two_groups_or_one(trainings: Trainings) -> None:
    """Groups share batches out, images go to every rank; both meet what one rank does, under ZeRO-3, too."""
    trainings.heads = 4
    trainings.add("alone", "zero1")
    trainings.run(ranks=1, steps=4)
    trainings.add("groups", "zero3", ranks_per_node=4, sequence_parallel=2)
    trainings.add("group", "zero1", ranks_per_node=4, sequence_parallel=4)
    trainings.run(ranks=4, steps=4)
    for name in ("groups", "group"):
        assert_same(trainings.lines("alone"), trainings.lines(name), 1e-4)


@pytest.mark.slow
def test_a_spread_training_goes_on_by_itself_under_another_stage(trainings: Trainings) -> None:
    trainings.add("alone", "zero1")
    trainings.run(ranks=1, steps=4)
    trainings.add("moved", "zero3_offload", ranks_per_node=2, sequence_parallel=2)
    trainings.run(ranks=2, steps=2)
    assert_same(trainings.lines("alone")[:3], trainings.lines("moved"), 1e-4)
    trainings.add("moved", "zero2")
    trainings.run(ranks=1, steps=4)
    assert_same(trainings.lines("alone")[2:], trainings.lines("moved"), 1e-4)


@pytest.mark.slow
def test_a_bad_sample_is_found_where_ranks_compute_together(trainings: Trainings) -> None:
    """Its loss is no number, so that every rank looks at every sample, with the others, and all go on without it."""
    trainings.lab.spoil_latent("sample1", 3e30)
    trainings.add("alone", "zero1", max_left_out_share=0.5)
    trainings.run(ranks=1, steps=4)
    trainings.add("together", "zero3", ranks_per_node=2, sequence_parallel=2, max_left_out_share=0.5)
    trainings.add("side_by_side", "zero3", ranks_per_node=2, max_left_out_share=0.5)
    trainings.run(ranks=2, steps=4)
    assert any(line.get("left_out") for line in trainings.lines("alone"))
    for name in ("together", "side_by_side"):
        assert_same(trainings.lines("alone"), trainings.lines(name), 1e-4)
