"""Training of adapters: a stage of its own kind, whose base stays as it is and is in no checkpoint."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from models import adapters, released
from models.adapters import LowRank
from ops.config import ConfigError, Lora, LowRankStage, resolve
from ops.runtime.artifacts import current
from ops.training import assets
from ops.training.checkpoints import checkpointing
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.loop.engine_config import configuration_of
from ops.training.methods import denoiser
from ops.training.methods.method import Watch
from ops.training.results import Trained
from ops.training.trainings import final, trainings
from ops.weights.content import weights_hash

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
SCHEDULE = {"steps": 4, "batch_size": 2, "checkpoint_every": 2, "validate_every": 2, "ema_decay": 0.9}
MINE: dict[str, Any] = {
    "name": "mine",
    "kinds": ["video"],
    "lora": {"rank": 2, "alpha": 4.0, "targets": ["attention"]},
    "schedule": {**SCHEDULE, "optimizer": {"learning_rate": 1e-2}},
}


def tiny_with(*stages: dict[str, Any], keep: slice = slice(None)) -> dict[str, Any]:
    preset = yaml.safe_load((ROOT / "configs" / "tiny.yaml").read_text(encoding="utf-8"))
    return {"stages": [*preset["stages"][keep], *stages]}


def test_adapters_are_assets_of_a_group_of_their_own_where_they_are_listed() -> None:
    assert not any(each.procedure.group == "lora" for each in trainings(resolve(ROOT, "tiny", {})).values())
    other = {**MINE, "name": "other", "kind": "lora"}
    del other["lora"]
    settings = resolve(ROOT, "tiny", tiny_with(MINE, other))
    *_, video, first, second = trainings(settings).values()
    assert [each.asset for each in (video, first, second)] == ["denoiser_video", "lora_mine", "lora_other"]
    assert {first.procedure.group, second.procedure.group} == {"lora"}
    assert first.predecessor == second.predecessor == video, "adapters never start from adapters"
    assert final(settings) == video
    assert isinstance(second.section, LowRankStage)
    assert second.section.lora == Lora(rank=16, alpha=16, targets=("attention",))


def test_adapters_of_finished_weights_are_what_is_released() -> None:
    settings = resolve(ROOT, "tiny", {**tiny_with(MINE, keep=slice(0)), "denoiser": {"released": "bought"}})
    (mine,) = [each for each in trainings(settings).values() if each.kind != "vae"]
    assert mine.inputs == ("denoiser_released", "latents", "text_embeddings")
    assert final(settings) == mine
    assert "starting from finished weights" in mine.description


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"lora": {"rank": 0}}, r"stages\.mine\.lora\.rank"),
        ({"lora": {"targets": []}}, r"stages\.mine\.lora\.targets"),
        ({"lora": {"targets": ["query"]}}, r"stages\.mine\.lora\.targets"),
        ({"kind": "text_to_video"}, r"stages\.mine\.lora: unknown key"),
        ({"sparse_ratio": 1}, r"sparse_ratio is 1, but adapters are trained at that of their base"),
    ],
)
def test_what_a_stage_of_adapters_cannot_say(stage: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(ROOT, "tiny", tiny_with({**MINE, **stage}))


def test_adapters_are_of_something() -> None:
    late = tiny_with(keep=slice(0, 1))["stages"][0]
    with pytest.raises(ConfigError, match=r"stages\.mine is of kind lora, which starts from stages of kind text_to"):
        resolve(ROOT, "tiny", {"stages": [MINE, late]})
    with pytest.raises(ConfigError, match=r"or name finished weights in denoiser\.released"):
        resolve(ROOT, "tiny", {"stages": [MINE]})


def test_an_engine_must_not_take_a_frozen_base_apart(tmp_path: Path) -> None:
    settings = resolve(ROOT, "tiny", {**tiny_with(MINE), "launch": {"deepspeed": "configs/deepspeed/zero3.json"}})
    with pytest.raises(ConfigError, match=r"zero3\.json: zero_optimization\.stage is 3, but the base of 'mine' is fro"):
        configuration_of(trainings(settings)["lora_mine"], ROOT, 1)


Prepared = Callable[[], Any]


@pytest.fixture(params=["zero1_cpu", "zero2"])
def prepared(request: pytest.FixtureRequest, world: Any, alone: Ranks) -> Prepared:
    """Sessions of one training of adapters, each as a process begins or resumes it; zero2 is in bf16."""
    path = world.project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    launch = {"accelerator": "cpu", "deepspeed": f"configs/deepspeed/{request.param}.json", "loader_workers": 0}
    path.write_text(yaml.safe_dump({**recipe, "stages": [*recipe["stages"], MINE], "launch": launch}), encoding="utf-8")
    commands: list[Any] = []
    with pytest.raises(assets.LaunchError, match=r"results\.json"):
        assets.train(type(world.project)(world.project.root), "lora_mine", commands.append)
    job = program.Job.model_validate_json((commands[0].logs.parent / "job.json").read_text(encoding="utf-8"))

    def begin() -> Any:
        session = program.prepared(job, alone, CPU, denoiser.compose)
        session.state.first = 1.0
        return session

    return begin


def said(model: torch.nn.Module, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    latent, text = torch.randn(1, 4, 2, 4, 4, generator=generator), torch.randn(1, 3, 384, generator=generator)
    with torch.no_grad():
        return model(latent.to(dtype), torch.tensor([500]), text.to(dtype))


def stepped(session: Any, *numbers: int) -> list[dict[str, float]]:
    figures = []
    for number in numbers:
        figures.append(loop.one_step(session, number, session.read(number)))
        session.state.ema.update(session.state.model, number)
        session.state.step = number
    return figures


def test_adapters_alone_are_trained_averaged_and_kept(prepared: Prepared) -> None:
    session = prepared()
    job, state = session.job, session.state
    base = released.from_pretrained(job.init_from.folder)
    dtype = next(state.model.parameters()).dtype
    assert torch.equal(said(state.model.eval(), dtype), said(copy.deepcopy(base).to(dtype), dtype)), "as its base"
    assert torch.equal(said(state.ema.joined(), torch.float32), said(base, torch.float32))
    state.model.train()
    before = session.method.validation.figures(state.ema.joined(), Watch((), lambda done, of: None))
    figures = stepped(session, 1, 2)
    assert all(math.isfinite(value) for step in figures for value in step.values())
    assert state.parameters == sum(each.numel() for each in state.model.parameters() if each.requires_grad)
    assert state.parameters == 2 * 8 * 2 * 2 * 24, "2 blocks of 8 layers, A and B of rank 2 beside 24 x 24"
    after = session.method.validation.figures(state.ema.joined(), Watch((), lambda done, of: None))
    assert after["held_out_loss"] != before["held_out_loss"]
    frozen = {name.replace(".base_layer", ""): each for name, each in state.model.named_parameters()}
    assert all(torch.equal(frozen[name], each.to(dtype)) for name, each in base.named_parameters())

    checkpointing.save(session, after)
    checkpointing.require_written(session)
    (kept,) = checkpointing.store_of(session).complete()
    for part in ("model", "ema"):
        files = [adapters.CONFIG_FILE, adapters.WEIGHTS_FILE]
        assert sorted(file.name for file in (kept / part).iterdir()) == files
        told = adapters.read_settings(kept / part)
        assert told == LowRank(2, 4.0, ("attention",), weights_hash(job.init_from.folder))
    size = sum(file.stat().st_size for file in kept.rglob("*") if file.is_file())
    assert size < 4 * sum(each.numel() for each in base.parameters()), "the base is not among its bytes"
    merged = released.from_pretrained(job.init_from.folder)
    adapters.merge(merged, adapters.read_adapter(kept / "ema"))
    torch.testing.assert_close(said(merged, torch.float32), said(state.ema.joined(), torch.float32), atol=1e-5, rtol=0)


def test_it_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(prepared: Prepared) -> None:
    session = prepared()
    stepped(session, 1, 2)
    checkpointing.save(session, {"held_out_loss": 1.0})
    expected = stepped(session, 3, 4)
    checkpointing.require_written(session)
    resumed = prepared()
    assert resumed.state.step == 2
    assert stepped(resumed, 3, 4) == expected
    for ours, theirs in zip(resumed.state.ema.slices, session.state.ema.slices, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.dist
def test_adapters_are_trained_and_another_number_of_ranks_goes_on(world: Any) -> None:
    path = world.project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    launch = {"accelerator": "cpu", "deepspeed": "configs/deepspeed/zero1_cpu.json", "loader_workers": 0}

    def project(ranks: int) -> Any:
        told = {**recipe, "stages": [*recipe["stages"], MINE], "launch": {**launch, "ranks_per_node": ranks}}
        path.write_text(yaml.safe_dump(told), encoding="utf-8")
        return type(world.project)(world.project.root)

    made = assets.train(project(1), "lora_mine")
    assert isinstance(made.results, Trained)
    assert made.results.init_from is not None
    assert made.results.init_from.version == current(world.project, "denoiser_video", Trained).version
    assert adapters.read_settings(made.folder / made.results.released).rank == 2
    one = adapters.read_adapter(made.folder / "checkpoints" / "step_000004" / "ema").tensors
    for leftover in ("artifact.json", "results.json"):
        (made.folder / leftover).unlink()
    store = checkpointing.CheckpointStore(made.folder / "checkpoints")
    checkpointing.checkpoints.remove(store.path(4))
    again = assets.train(project(2), "lora_mine")
    assert again.folder == made.folder
    two = adapters.read_adapter(again.folder / "checkpoints" / "step_000004" / "ema").tensors
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=1e-5, rtol=1e-3)
    log = (again.folder / "logs" / "rank0.log").read_text(encoding="utf-8")
    assert "resuming after step 2" in log
    assert json.loads((again.folder / "artifact.json").read_text())["asset"] == "lora_mine"
