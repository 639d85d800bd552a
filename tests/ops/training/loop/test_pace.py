"""A rank that makes all others wait is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ops.training.loop import pace
from ops.training.loop.pace import COMPUTING, READING, Pace, slow

PROGRAM = Path(__file__).with_name("slow_rank.py")


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        ([1.0], []),
        ([1.0, 10.0], [1]),
        ([10.0, 1.0], [0]),
        ([1.0, 1.1, 10.0, 0.9], [2]),
        ([1.0, 4.9], []),
        ([0.001, 0.05], []),
        ([0.0, 10.0, 0.0], [1]),
        ([1.0, 10.0, 11.0, 1.0], [1, 2]),
    ],
)
def test_who_is_slow(seconds: list[float], found: list[int]) -> None:
    assert slow(seconds) == found


def test_it_is_said_once_until_it_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = {READING: [0.1, 0.1], COMPUTING: [2.0, 20.0]}
    monkeypatch.setattr(pace, "by_rank", lambda own, device: ranks)
    monkeypatch.setattr(pace, "gathered", lambda own: ["node1", "node2"])
    ours = Pace(torch.device("cpu"), alone=True)
    (said,) = ours.compared(10)
    assert said.startswith("WARNING: step 10: rank 1 on node2 is slow: its forward pass took 20 s, others take 2 s")
    assert ours.compared(20) == []
    ranks[READING] = [7.0, 0.1]
    (said,) = ours.compared(30)
    assert "rank 0 on node1 is slow: reading its batch took 7 s, others take 0.1 s" in said
    ranks[COMPUTING] = [2.0, 2.0]
    assert ours.compared(40) == []
    ranks[COMPUTING] = [2.0, 20.0]
    assert len(ours.compared(50)) == 1


def test_most_steps_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("ranks were asked")

    monkeypatch.setattr(pace, "by_rank", refuse)
    assert Pace(torch.device("cpu"), alone=True).compared(9) == []


@pytest.mark.slow
@pytest.mark.dist
def test_a_rank_that_is_ten_times_as_slow_is_in_the_log(make_lab: Callable, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab").with_launch(
        accelerator="cpu", deepspeed="configs/deepspeed/zero1_cpu.json", ranks_per_node=2
    )
    job = lab.job("denoiser_joint").write()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([*command, str(PROGRAM), "1", str(job)], env=environment, check=True)
    (line,) = json.loads((job.parent / "said.json").read_text(encoding="utf-8"))
    assert line.startswith("WARNING: step 10: rank 1 on ")
    assert " is slow: its forward pass took " in line
