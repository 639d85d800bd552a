"""Samples that are not finite are found, noted and left out, wherever it shows; weights that are not end a training."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ops.config.training import Launch
from ops.training.checkpoints.store import CheckpointStore, read_state
from ops.training.data.data_order import DataOrder
from ops.training.data.left_out import LeftOut, LossNotFinite, UnusableSamples
from ops.training.data.samples import TrainingSamples
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import denoiser, vae
from ops.training.methods.method import Draw, Method, Setup
from ops.training.recording.metrics_file import read

CPU = torch.device("cpu")
SOUND = {f"sound{number}": number + 1.0 for number in range(5)}


@dataclass
class Numbers:
    """Data whose samples are numbers."""

    samples: TrainingSamples
    served: dict[str, float]
    dtype: torch.dtype

    def read(self, sample_ids: Sequence[str], epoch: int = 0) -> Tensor:
        broken = [name for name in sample_ids if math.isnan(self.served[name])]
        if broken:
            raise UnusableSamples(dict.fromkeys(broken, "it cannot be read"))
        return torch.tensor([[self.served[name]] for name in sample_ids], dtype=self.dtype)

    def walk(self, **buckets: Sequence[str]) -> None:
        order = DataOrder({name: sorted(ids) for name, ids in buckets.items()}, dict.fromkeys(buckets, 2), 1, "v")
        self.samples = replace(self.samples, order=order)


class Roots:
    """The root of w · x: not finite for x < 0, nor its gradient for x = 0. It counts what it is asked in steps."""

    in_common, kept = 1.0, 0

    def loss(self, model: nn.Module, batch: Tensor, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        roots = model(batch).float().sqrt().flatten()
        self.kept += not draw.alone
        return roots.mean() * (1.0 if draw.alone else self.in_common), {"first": roots.detach()[0]}

    def discard(self) -> None:
        self.kept = 0

    def after_step(self) -> dict[str, Tensor]:
        kept, self.kept = self.kept, 0
        return {"kept": torch.tensor(float(kept))}


def one_weight(data: dict[str, float], setup: Setup) -> Method[Any]:
    """A training of the weight w of `Roots`, which looks at a hundred samples."""
    rows: Any = {name: {"sample_id": name, "path": f"{name}.mp4", "bucket": "all", "frames": 5} for name in data}
    order = DataOrder({"all": sorted(data)}, {"all": 2}, 1, "v")
    numbers = Numbers(TrainingSamples(rows, 100, 0, (), order), data, setup.dtype)
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    roots: Any = Roots()
    neither: Any = None
    return Method(model, numbers, roots, validation=neither, pictures=neither, companions=[roots])


@pytest.fixture
def train(make_lab: Callable, alone: Ranks, tmp_path: Path) -> Callable[..., Any]:
    """A session of `Roots` on some data, in batches of 2 that are added up one by one."""
    lab = make_lab(tmp_path / "lab")
    config = {
        "zero_optimization": {"stage": 2},
        "gradient_accumulation_steps": 2,
        "zero_allow_untested_optimizer": True,
    }
    (lab.project.root / "two.json").write_text(json.dumps(config), encoding="utf-8")
    job = lab.with_launch(accelerator="cpu", deepspeed="two.json").job("denoiser_joint")

    def session(data: dict[str, float], **without: str) -> Any:
        made = program.prepared(job, alone, CPU, partial(one_weight, data))
        made.state.left_out.add(0, without)
        return made

    return session


def steps(session: Any, count: int) -> list[dict[str, float]]:
    return [loop.step_without_unusable(session, step, session.read(step)) for step in range(1, count + 1)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(math.nan, "it cannot be read"), (-1.0, "its loss is not finite"), (0.0, "its gradient is not finite")],
)
def test_one_bad_sample_is_left_out_and_leaves_no_trace(train: Callable, value: float, reason: str) -> None:
    """Weights and optimizer end bit for bit as in a training that never looked at it."""
    data = {**SOUND, "bad": value}
    session = train(data)
    figures = steps(session, 9)
    assert {name: entry["reason"] for name, entry in session.state.left_out.samples.items()} == {"bad": reason}
    found = session.state.left_out.samples["bad"]["step"]
    assert "bad" in session.method.data.samples.order.batch(found)
    assert all("bad" not in session.named(step).sample_ids for step in range(1, 10))
    assert all(math.isfinite(value) for line in figures for value in line.values())
    assert [line.get("left_out", 0) for line in figures] == [int(step >= found) for step in range(1, 10)]
    assert {line["kept"] for line in figures} == {2.0}, "the critic would have learned from a step that was not made"

    other = train(data)
    plain = steps(other, found - 1)
    other.state.left_out.add(found, {"bad": reason})
    for step in range(found, 10):
        plain.append(loop.step_without_unusable(other, step, other.read(step)))
    assert plain == figures
    assert torch.equal(session.method.model.weight, other.method.model.weight)


def test_weights_that_have_diverged_are_an_error_and_no_sample_is_blamed(train: Callable) -> None:
    session = train(SOUND)
    torch.nn.init.constant_(session.method.model.weight, math.nan)
    with pytest.raises(LossNotFinite, match=r"step 1: .*every sample's"):
        steps(session, 1)
    assert session.state.left_out.samples == {}


def test_a_batch_of_nothing_but_bad_samples_does_not_pass_for_diverged_weights(train: Callable) -> None:
    session = train({**SOUND, "sound5": 6.0, "worse": -1.0, "bad": -2.0})
    session.method.data.walk(bad=("bad", "worse"), sound=tuple(SOUND))
    session.state.left_out.launch = Launch(max_left_out_share=0.05)
    assert all(math.isfinite(line["loss"]) for line in steps(session, 8))
    assert session.state.left_out.samples.keys() == {"bad", "worse"}


def test_what_samples_have_in_common_is_not_blamed_on_one(train: Callable) -> None:
    session = train(SOUND)
    session.method.objective.in_common = math.inf
    before = session.method.model.weight.clone()
    with pytest.raises(LossNotFinite, match="only what samples have in common"):
        steps(session, 1)
    assert torch.equal(session.method.model.weight, before)


def test_too_many_are_an_error_that_names_them(train: Callable) -> None:
    session = train({**SOUND, "bad": -1.0, "worse": math.nan})
    with pytest.raises(
        LossNotFinite, match=r"(?s)2 of 100 samples .*0\.01 lets 1 be left out: .*bad, step.*raise launch"
    ):
        steps(session, 20)
    assert session.state.left_out.samples.keys() == {"bad", "worse"}


def test_how_many_may_be_left_out() -> None:
    assert [Launch(max_left_out_share=0.01).may_leave_out(among) for among in (5, 100, 250, 100_000)] == [1, 1, 2, 1000]
    strict = LeftOut(Launch(max_left_out_share=0.0), 1000)
    with pytest.raises(LossNotFinite, match="one, step 3: its loss is not finite"):
        strict.add(3, {"one": "its loss is not finite"})


@pytest.mark.parametrize("value", [math.nan, 3e30])
def test_a_bad_latent_is_left_out_of_steps_and_of_validation(
    value: float, make_lab: Callable, alone: Ranks, tmp_path: Path
) -> None:
    """NaN is seen when it is read, a number whose square is no number at its loss."""
    lab = make_lab(tmp_path / "lab").change("launch.max_left_out_share", 0.5)
    for name in ("sample1", "sample4"):  # the one of the training split, the other held out
        lab.spoil_latent(name, value)
    session = program.prepared(lab.job("denoiser_joint"), alone, CPU, denoiser.compose)
    before = loop.validated(session, 0, session.state.ema.joined())
    assert session.state.left_out.samples.keys() == {"sample4"}
    figures = steps(session, 5)
    assert session.state.left_out.samples.keys() == {"sample1", "sample4"}
    assert all(math.isfinite(each) for line in [before, *figures] for each in line.values())


def test_a_film_that_is_gone_is_left_out_of_a_vae_training(make_lab: Callable, alone: Ranks, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab").change("launch.max_left_out_share", 0.5)
    for name in ("film1.mkv", "film4.mkv"):
        (lab.project.root / "films" / name).unlink()
    session = program.prepared(lab.job("wfvae"), alone, CPU, vae.compose)
    loop.validated(session, 0, session.state.ema.joined())
    steps(session, 4)
    reasons = {name: entry["reason"] for name, entry in session.state.left_out.samples.items()}
    assert reasons.keys() == {"sample1", "sample4"}
    assert "film1.mkv is not what was curated" in reasons["sample1"]
    assert session.method.pictures.draw(
        session.state.ema.joined(), tmp_path / "picture.png", session.state.left_out.samples, lambda: None
    )


@pytest.mark.slow
@pytest.mark.dist
def test_two_ranks_that_are_killed_leave_out_what_one_would(make_lab: Callable, alone: Ranks, tmp_path: Path) -> None:
    """The culprit is found by one of two ranks, before the checkpoint from which one rank goes on."""
    lab = make_lab(tmp_path / "lab")
    lab.spoil_latent("sample2", math.nan)
    whole = program.prepared(lab.job("denoiser_joint"), alone, CPU, denoiser.compose)
    expected = steps(whole, 20)
    found = whole.state.left_out.samples["sample2"]["step"]
    assert found <= 5

    launch = {"accelerator": "cpu", "deepspeed": "configs/deepspeed/zero1_cpu.json"}
    folder = lab.with_launch(**launch, ranks_per_node=2).train_and_kill("denoiser_joint", rank=1, after_step=6)
    assert read_state(CheckpointStore(folder / "checkpoints").path(5))["left_out"] == whole.state.left_out.samples
    results = lab.with_launch(**launch).train("denoiser_joint").results
    assert {name: each.model_dump() for name, each in results.left_out.items()} == whole.state.left_out.samples
    incident = json.loads((folder / "incidents" / f"step_{found:06d}_left_out.json").read_text(encoding="utf-8"))
    assert incident["left_out"]["sample2"]["source"] == "film2.mkv"
    assert f"step {found}: left out sample sample2 of film2.mkv: its latent is not finite (1 of at most 1)" in (
        folder / "logs" / "rank0.log"
    ).read_text(encoding="utf-8")
    lines = [line for line in read(folder / "metrics.jsonl") if line["step"]]
    assert [line["loss"] for line in lines] == pytest.approx([line["loss"] for line in expected], rel=1e-3)
    assert [line.get("left_out", 0) for line in lines] == [line.get("left_out", 0) for line in expected]
