"""Dropping through DeepSpeed: the published numbers on four ranks, and what a step that is not made leaves alone."""

from __future__ import annotations

import copy
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ops.config import ConfigError
from ops.training.checkpoints import checkpointing
from ops.training.clipping.dropping import Dropping, Judgement
from ops.training.data.left_out import LossNotFinite
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.loop.rank_update import apply, norm_of, of_parts
from ops.training.methods import denoiser

PROGRAM = Path(__file__).with_name("pushed.py")
PARITY = Path(__file__).parents[1] / "clipping" / "gradient_clipping.json"
CPU = torch.device("cpu")


@pytest.fixture
def pushed(module_at: Callable[[Path], ModuleType]) -> ModuleType:
    return module_at(PROGRAM)


@pytest.fixture
def laid(make_lab: Callable, tmp_path: Path) -> Callable[..., Any]:
    """A lab whose stage drops, on an engine of so many micro-batches."""

    def lab(accumulation: int = 1, batch_size: int = 2, stage: int = 1, half: bool = False, rate: float = 1.0) -> Any:
        found = make_lab(tmp_path / "lab")
        config = {
            "zero_optimization": {"stage": stage},
            "bf16": {"enabled": half},
            "gradient_accumulation_steps": accumulation,
            "zero_allow_untested_optimizer": True,
        }
        (found.project.root / "dropping.json").write_text(json.dumps(config), encoding="utf-8")
        found = found.with_launch(accelerator="cpu", deepspeed="dropping.json")
        stages = json.loads(json.dumps(found.project.settings.model_dump(mode="json")["stages"]))
        stages[0]["schedule"] |= {
            "batch_size": batch_size,
            "clipping": {"method": "dropping", "max_norm": 1e9},
            "optimizer": {"learning_rate": rate, "weight_decay": 0.5},
        }
        return found.change("stages", stages)

    return lab


def gradient(case: dict[str, Any], step: int, rank: int) -> np.ndarray:
    """Of a rank before reduction: its norm times a direction of chance."""
    random = np.random.RandomState(case["direction_seed"] * 100003 + step * 101 + rank)
    direction = random.standard_normal(6)
    found: np.ndarray = float(case["steps"][step]["norms"][rank]) * direction / np.linalg.norm(direction)
    return found


@pytest.mark.dist
def test_four_ranks_drop_and_average_as_the_published_code_does(laid: Callable) -> None:
    """Each rank adds its gradient up from two micro-batches, of which only the sum is looked at."""
    job = laid(accumulation=2, batch_size=8).job("denoiser_joint")
    rounds, expected = [], []
    for case in json.loads(PARITY.read_text(encoding="utf-8")).values():
        steps = []
        for number, step in enumerate(case["steps"]):
            if any(math.isfinite(float(norm)) for norm in step["norms"]):  # or else it is an error, not a dropped step
                own = [gradient(case, number, rank) for rank in range(4)]
                steps.append([(share * each).tolist() for each in own for share in (1.4, 0.6)])
                expected.append(step)
        rounds.append({"decay": case["decay"], "start": case.get("start"), "steps": steps})
    (job.folder / "pushes.json").write_text(json.dumps(rounds), encoding="utf-8")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nnodes=1", "--nproc-per-node=4"]
    environment = {**os.environ, "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[4])
    command = [*launcher, str(PROGRAM), "--job", str(job.folder / "job.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]

    lines = json.loads((job.folder / "pushed.json").read_text(encoding="utf-8"))
    assert len(lines) == len(expected) == 81
    for line, step in zip(lines, expected, strict=True):
        assert line["clip_threshold"] == pytest.approx(step["threshold"], rel=1e-5)
        assert line["dropped_batches"] == len(step["zeroed"])
        assert line["largest_norm"] == pytest.approx(step["largest_before"], rel=1e-5)
        assert line.get("kept_norm", 0.0) == pytest.approx(step["largest_after"], rel=1e-5)
        assert line["norm_mean"] == pytest.approx(step["mean"], rel=1e-5)
        assert line["norm_variance"] == pytest.approx(step["variance"], rel=1e-5)
        assert line["moved"] == pytest.approx(step["averaged_gradient"], rel=2e-5, abs=3e-6)
        assert ("learned_from" in line) == (not step["zeroed"])
        kept = [rank for rank in range(4) if rank not in step["zeroed"]]
        if kept:
            assert "skipped" not in line
            assert line["grad_norm"] == pytest.approx(np.linalg.norm(step["averaged_gradient"]), rel=1e-4)
            assert line["place"] == pytest.approx(np.mean([2 * rank + 0.5 for rank in kept])), "of the kept ranks"
        else:
            assert line["skipped"] == 1.0
            assert line["moved"] == [0.0] * 6
            assert "grad_norm" not in line


def optimizer_state(session: Any) -> dict[str, Any]:
    return copy.deepcopy(session.state.engine.optimizer.optimizer.state_dict()["state"])


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize(("stage", "half"), [(1, False), (2, False), (2, True)])
def test_a_step_of_which_all_was_dropped_leaves_no_trace(
    laid: Callable, alone: Ranks, pushed: ModuleType, stage: int, half: bool
) -> None:
    """Neither momentum nor decay nor the average: it ends as if the other steps had followed each other."""
    job = laid(stage=stage, half=half).job("denoiser_joint")
    small = [[[0.1 * number, 0.2, -0.1, 0.0, 0.1, 0.3]] * 2 for number in range(1, 7)]
    large = [[[50.0] * 6] * 2]

    def trained(steps: list[Any]) -> tuple[Any, list[dict[str, float]]]:
        session = program.prepared(job, alone, CPU, pushed.compose)
        session.method.objective.steps = steps
        figures = []
        for step in range(1, len(steps) + 1):
            figures.append(loop.one_step(session, step, session.read(step)))
            if "skipped" in figures[-1]:
                assert figures[-1]["largest_norm"] == pytest.approx(50 * 6**0.5, rel=1e-2)
                assert "learned_from" not in figures[-1]
        return session, figures

    with_it, lines = trained([*small[:3], *large, *small[3:]])
    without, expected = trained(small)
    assert [("skipped" in line) for line in lines] == [False] * 3 + [True] + [False] * 3
    assert torch.equal(with_it.state.model.weight, without.state.model.weight)
    assert equal(optimizer_state(with_it), optimizer_state(without))
    assert with_it.state.clipping.state() == without.state.clipping.state()
    assert [line["loss"] for line in lines if "skipped" not in line] == [line["loss"] for line in expected]


def test_the_average_of_the_weights_stays_in_a_step_that_was_skipped(
    laid: Callable, alone: Ranks, pushed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = program.prepared(laid().job("denoiser_joint"), alone, CPU, pushed.compose)
    saved: list[int] = []
    monkeypatch.setattr(checkpointing, "save", lambda session, _: saved.append(session.state.step))
    averages: list[torch.Tensor] = []

    def figures(step: int, line: dict[str, float]) -> None:
        averages.append(session.state.ema.joined().weight.clone())

    session.recorder.figures = figures  # type: ignore[method-assign]
    session.method.objective.steps = [[[0.1 * (step % 3 + 1)] * 6] * 2 for step in range(20)]
    session.method.objective.steps[9] = [[80.0] * 6] * 2
    loop.run_steps(session)
    assert [step for step in range(1, 21) if torch.equal(averages[step], averages[step - 1])] == [10]
    assert saved == [5, 10, 15, 20], "and all else goes on"


def test_where_no_gradient_is_finite_the_samples_are_looked_at_as_ever(
    laid: Callable, alone: Ranks, pushed: ModuleType
) -> None:
    session = program.prepared(laid().job("denoiser_joint"), alone, CPU, pushed.compose)
    before = session.state.clipping.state()
    session.method.objective.steps = [[[math.nan] * 6] * 2]
    with pytest.raises(LossNotFinite, match="every sample's loss or gradient"):
        loop.one_step(session, 1, session.read(1))
    assert session.state.clipping.state() == before
    assert torch.equal(session.state.model.weight, torch.ones(1, 6))


def test_a_stage_that_drops_resumes_where_it_was(laid: Callable, alone: Ranks, tmp_path: Path) -> None:
    """The statistics are in the checkpoint, with the streak, and nothing else comes out after it."""
    job = laid(rate=1e-3).job("denoiser_joint")
    session = program.prepared(job, alone, CPU, denoiser.compose)
    assert isinstance(session.state.clipping, Dropping)
    session.state.first = 1.0
    session.state.clipping.streaks.lengths = {"5x32x32": 3}

    def steps(session: Any, *numbers: int) -> list[dict[str, float]]:
        lines = []
        for number in numbers:
            lines.append(loop.one_step(session, number, session.read(number)))
            session.state.step = number
        return lines

    steps(session, 1, 2)
    checkpointing.save(session, {"held_out_loss": 1.0})
    checkpointing.require_written(session)
    expected = steps(session, 3, 4)
    resumed = program.prepared(job, alone, CPU, denoiser.compose)
    assert steps(resumed, 3, 4) == expected
    assert resumed.state.clipping.state() == session.state.clipping.state()


def judgement(*kept: bool) -> Judgement:
    return Judgement(kept, 1.0, 1.0, 1.0, 0.0, 1)


def test_what_a_rank_contributes() -> None:
    def contributed(judged: Judgement, part: int) -> list[float]:
        gradients = [torch.tensor([2.0, math.inf]), torch.tensor([4.0])]
        apply(judged, part, gradients)
        return [*gradients[0].tolist(), *gradients[1].tolist()]

    assert contributed(judgement(True, True), 0) == [2.0, math.inf, 4.0]
    assert contributed(judgement(True, False), 0) == [4.0, math.inf, 8.0]
    assert contributed(judgement(True, False), 1) == [0.0, 0.0, 0.0]
    assert all(map(math.isnan, contributed(judgement(False, False), 0)))


def test_the_norm_is_of_all_gradients_and_in_float32() -> None:
    gradients = [torch.full((3,), 2.0, dtype=torch.bfloat16), torch.full((4, 1), -1.0, dtype=torch.bfloat16)]
    assert float(norm_of(gradients)) == 4.0
    assert norm_of(gradients).dtype == torch.float32
    tiny = [torch.full((1000,), 2.0**-70, dtype=torch.bfloat16)] * 2
    assert float(norm_of(tiny)) == pytest.approx(2.0**-70 * 2000**0.5, rel=1e-3)


def test_ranks_that_compute_a_part_together_are_one() -> None:
    assert of_parts([1.0, 3.0, 2.0, 1.0], parts=2) == [3.0, 2.0]
    assert of_parts([1.0, 3.0], parts=2) == [1.0, 3.0]
    found = of_parts([math.nan, 3.0, 3.0, math.inf, 1.0, 2.0], parts=3)
    assert [math.isfinite(norm) for norm in found] == [False, False, True]


def test_an_engine_that_keeps_no_gradients_is_refused(laid: Callable, alone: Ranks, pushed: ModuleType) -> None:
    lab = laid(half=True)
    path = lab.project.root / "dropping.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "data_types": {"grad_accum_dtype": "fp32"}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"dropping\.json: clipping\.method 'dropping' .* remove grad_accum_dtype"):
        program.prepared(lab.job("denoiser_joint"), alone, CPU, pushed.compose)
