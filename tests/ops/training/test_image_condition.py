"""Training on given frames: stages of their own kind, from the last one of text to video."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml
from torch import Tensor

from models import released
from models.control.image_condition import ImageConditionedDenoiser
from models.control.mask_schedule import PROGRESSIVE
from models.latent_scale import LatentScale
from ops.config import ConfigError, ImageCondition, resolve
from ops.config.stages import MaskRow
from ops.data.captioning.phrases import generic
from ops.data.text_embeddings import make_text
from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.training import assets
from ops.training.data.clips import Clips
from ops.training.data.given_frames import GivenFrames, mixture_of
from ops.training.data.online_latents import ClipsToEncode
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.launch import Command, LaunchError
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import image_condition
from ops.training.methods.method import Draw, Watch
from ops.training.results import InitFrom, Trained
from ops.training.trainings import final, trainings

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
SCHEDULE = {"samples": 7, "batch_size": 2, "checkpoint_every": 2, "validate_every": 2}
ROW: dict[str, Any] = {
    "name": "given_1",
    "kind": "image_condition",
    "kinds": ["image", "video"],
    "masks": "1-1",
    "schedule": {**SCHEDULE, "optimizer": {"learning_rate": 1e-3}},
}
NEXT = {**ROW, "name": "given_2", "masks": {"i2v": 1, "t2iv": 1}, "noise_given": True}


def with_rows(name: str = "tiny", *rows: dict[str, Any]) -> dict[str, Any]:
    preset = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    return {"stages": [*preset["stages"], *rows]}


def test_rows_are_assets_of_a_group_of_their_own_where_they_are_listed() -> None:
    assert not any(each.procedure.group == "control" for each in trainings(resolve(ROOT, "tiny", {})).values())
    settings = resolve(ROOT, "tiny", with_rows("tiny", ROW, NEXT))
    *_, video, first, second = trainings(settings).values()
    assert [each.asset for each in (video, first, second)] == ["denoiser_video", "control_given_1", "control_given_2"]
    assert {first.procedure.group, second.procedure.group} == {"control"}
    assert (first.predecessor, second.predecessor) == (video, first)
    assert final(settings) == video, "what is scored and released is still text to video"
    assert first.schedule.steps == 4, "seven samples in batches of two"


def test_the_published_schedule_row_by_row() -> None:
    """Eight stages of one list; a row counts samples, and at batch 256 these are the published steps."""
    assert [row.name for row in PROGRESSIVE] == list(get_args(MaskRow))
    rows = [
        {
            **ROW,
            "name": f"given_{number}",
            "masks": row.name,
            "dataset": {"num_frames": row.frames, "max_area": row.max_area},
            "schedule": {**ROW["schedule"], "samples": row.samples, "batch_size": 256},
        }
        for number, row in enumerate(PROGRESSIVE)
    ]
    stages = [each for each in resolve(ROOT, "v1_3", with_rows("v1_3", *rows)).stages if each.kind != "text_to_video"]
    assert [each.schedule.steps for each in stages] == [15625] * 4 + [31250, 62500, 39063, 58594]
    for stage, row in zip(stages, PROGRESSIVE, strict=True):
        assert isinstance(stage, ImageCondition)
        assert mixture_of(stage.masks) == row.mixture


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{**ROW, "masks": "3"}], r"stages\.given_1\.masks"),
        ([{**ROW, "masks": {"i2v": 0}}], r"all types of masks have weight 0"),
        ([{**ROW, "masks": {"i2v": 1, "min_given": 0.5, "max_given": 0.2}}], r"min_given 0\.5 exceeds max_given 0\.2"),
        ([{**ROW, "joint_images": 4}], r"stages\.given_1\.joint_images: unknown key"),
        ([{**ROW, "schedule": {**ROW["schedule"], "steps": 5}}], r"steps and samples say the same"),
        ([ROW, {**ROW, "name": "late", "kind": "text_to_video"}], r"stages\.given_1 is of kind image_condition, which"),
    ],
)
def test_what_a_row_cannot_say(rows: list[dict[str, Any]], words: str) -> None:
    changed = with_rows("tiny", *rows)
    changed["stages"][-1].pop("masks" if changed["stages"][-1]["kind"] == "text_to_video" else "", None)
    with pytest.raises(ConfigError, match=words):
        resolve(ROOT, "tiny", changed)


class SeenVideos:
    """In the place of a VAE: keeps what is to be encoded, and gives each latent frame the mean of its first pixels."""

    def __init__(self) -> None:
        self.videos: list[Tensor] = []

    def of_video(self, video: Tensor) -> tuple[Tensor, Tensor]:
        self.videos.append(video)
        mean = video[:, ::4, ::8, ::8]
        return mean, torch.full_like(mean, -30.0)


def batch_of(frames: int, count: int = 3) -> tuple[ClipsToEncode, SeenVideos]:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (count, frames, 16, 16, 3), dtype=torch.uint8)
    seen: Any = SeenVideos()
    return ClipsToEncode(Clips(tuple("abc"[:count]), pixels), seen), seen


def given(noise: bool = False, **weights: float) -> GivenFrames:
    stage = ImageCondition.model_validate({**ROW, "masks": weights or {"continuation": 1}, "noise_given": noise})
    return GivenFrames(stage, LatentScale.of((0.0,) * 3, (2.0,) * 3), torch.float32)


def test_hidden_frames_are_black_and_given_ones_are_as_they_are() -> None:
    batch, seen = batch_of(9)
    conditions = given(transition=1).drawn(batch, Draw(1, 1, 0, 3))
    assert conditions["condition_mask"].shape == (3, 4, 3, 2, 2)
    assert conditions["condition_mask"][0, :, :, 0, 0].T.tolist() == [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]
    for video, pixels in zip(seen.videos, batch.clips.pixels, strict=True):
        assert bool((video[:, 1:-1] == -1).all())
        torch.testing.assert_close(video[:, [0, -1]], pixels[[0, -1]].permute(3, 0, 1, 2) / 127.5 - 1)
    wanted = 2 * torch.stack([video[:, ::4, ::8, ::8] for video in seen.videos])
    torch.testing.assert_close(conditions["condition_latent"], wanted, rtol=0, atol=1e-4)


def test_masks_are_drawn_anew_for_each_sample_and_step_whatever_the_ranks() -> None:
    batch, _ = batch_of(9)
    frames = given(continuation=1, i2v=1, random_temporal=1, clear=1)
    whole = frames.drawn(batch, Draw(1, 7, 0, 3))
    last = ClipsToEncode(Clips(("c",), batch.clips.pixels[2:]), batch.encode)
    alone = frames.drawn(last, Draw(1, 7, 2, 3))
    for name in whole:
        assert torch.equal(whole[name][2:], alone[name])
    other = [frames.drawn(batch, Draw(1, step, 0, 3))["condition_mask"] for step in range(8, 12)]
    assert len({tuple(mask.flatten().tolist()) for mask in other}) > 2


def test_noise_is_of_given_frames_alone() -> None:
    (batch, seen), (_, clean) = batch_of(9), batch_of(9)
    given(noise=True, continuation=1).drawn(batch, Draw(1, 4, 0, 3))
    given(continuation=1).drawn(ClipsToEncode(batch.clips, clean), Draw(1, 4, 0, 3))  # type: ignore[arg-type]
    deviations = []
    for noisy, video in zip(seen.videos, clean.videos, strict=True):
        shown = (video != -1).any(dim=(0, 2, 3))
        assert torch.equal(noisy[:, ~shown], video[:, ~shown])
        deviations += [float((noisy - video)[:, shown].std())] if shown.any() else []
    assert deviations
    assert all(0.01 < each < 0.3 for each in deviations)


def test_images_are_given_whole_or_not_at_all() -> None:
    batch, _ = batch_of(1)
    masks = [given(i2v=1).drawn(batch, Draw(1, step, 0, 3))["condition_mask"] for step in range(20)]
    found = [float(mask[0, 0, 0, 0]) for each in masks for mask in each]
    assert set(found) == {0.0, 1.0}
    assert 15 < sum(found) < 45


def half(*shape: int) -> Tensor:
    return torch.randn(shape).bfloat16()


def job_of(project: Project, asset: str) -> Job:
    commands: list[Command] = []
    with pytest.raises(LaunchError, match=r"results\.json"):
        assets.train(project, asset, commands.append)
    return Job.model_validate_json((commands[0].logs.parent / "job.json").read_text(encoding="utf-8"))


@pytest.fixture
def project(world: Any) -> Project:
    path = world.project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    launch = {"accelerator": "cpu", "deepspeed": "configs/deepspeed/zero2.json", "loader_workers": 0}
    recipe |= {"stages": [*recipe["stages"], ROW, NEXT], "launch": launch}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    made = Project(world.project.root)
    make_text(made)
    return made


def test_a_row_starts_as_text_to_video_learns_and_is_judged_by_mask(project: Project, alone: Ranks) -> None:
    job = job_of(project, "control_given_1")
    session = program.prepared(job, alone, CPU, image_condition.compose)
    model, objective, data = session.method.model, session.method.objective, session.method.data
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert job.init_from is not None
    base = released.from_pretrained(job.init_from.folder, torch.bfloat16)
    base.sparse_ratio = model.sparse_ratio
    latent, text, times = half(1, 4, 2, 4, 4), half(1, 3, 384), torch.tensor([500])
    conditions = {"condition_latent": half(1, 4, 2, 4, 4), "condition_mask": torch.zeros(1, 4, 2, 4, 4).bfloat16()}
    with torch.no_grad():
        torch.testing.assert_close(model(latent, times, text, **conditions), base(latent, times, text))
    assert torch.equal(model.condition_embed.patch_embed.weight, base.patch_embed.weight)
    before = session.method.validation.figures(session.state.ema.joined(), Watch((), lambda done, of: None))
    masks = {"i2v", "transition", "continuation", "random_temporal"}
    assert {f"held_out_loss.{mask}" for mask in masks} <= before.keys()
    assert len({before[f"held_out_loss.{mask}"] for mask in masks}) == 1, "untrained, it does not see its condition"
    for step in range(1, 4):
        assert all(map(math.isfinite, loop.one_step(session, step, session.read(step)).values()))
    assert bool(model.condition_embed.inject.weight.any())
    batch = data.read(session.named(1).at(range(1)))
    one, other = (objective.loss(model, batch, Draw(seed, 1, 0, 2))[0].item() for seed in (1, 2))
    assert one == objective.loss(model, batch, Draw(1, 1, 0, 2))[0].item() != other
    assert session.method.pictures.notes() == ["no pictures are drawn of a training on given frames"]
    data.close()


def test_a_further_row_goes_on_with_what_was_learned(project: Project, alone: Ranks, tmp_path: Path) -> None:
    """From the last weights, and without copying the patch embedding again."""
    base = current(project, "denoiser_video", Trained)
    start = released.from_pretrained(InitFrom.best_of(base).folder)
    learned = ImageConditionedDenoiser(start.config)
    learned.start_from(start)
    with torch.no_grad():
        learned.condition_embed.patch_embed.weight.add_(1)
    released.save_pretrained(learned, tmp_path / "row")
    described = job_of(project, "control_given_1").model_dump(mode="json") | {"asset": "control_given_2"}
    described["init_from"]["folder"] = str(tmp_path / "row")
    job = Job.model_validate_json(json.dumps(described))
    model = program.prepared(job, alone, CPU, image_condition.compose).method.model
    wanted = learned.condition_embed.patch_embed.weight.bfloat16()
    assert torch.equal(model.condition_embed.patch_embed.weight, wanted)
    assert InitFrom.last_of(base).folder == base.folder / base.results.checkpoints[-1].folder / "ema"


def test_half_of_the_dropped_captions_say_something_of_no_sample(project: Project, alone: Ranks) -> None:
    facts = json.loads((ROOT / "tests" / "models" / "parity" / "image_condition.json").read_text())["text_dropout"]
    assert {kind: generic(kind) for kind in ("video", "image")} == facts["sentence"]  # type: ignore[arg-type]
    method = program.prepared(job_of(project, "control_given_1"), alone, CPU, image_condition.compose).method
    captions = method.objective._captions  # type: ignore[attr-defined]
    name = next(iter(method.data.samples.looked_at))["sample_id"]
    said = [captions.drawn([name], Draw(1, step, 0, 1))[0] for step in range(1500)]
    dropped = [each for each in said if each == "" or each in facts["sentence"].values()]
    assert len(dropped) / len(said) == pytest.approx(facts["dropped"], abs=0.03)
    assert sum(map(bool, dropped)) / len(dropped) == pytest.approx(facts["of_these_default_sentence"], abs=0.12)


@pytest.mark.slow
def test_two_rows_are_trained_one_after_the_other(project: Project) -> None:
    first = assets.train(project, "control_given_1")
    second = assets.train(project, "control_given_2")
    assert second.inputs["control_given_1"] == first.version
    assert isinstance(second.results, Trained)
    assert second.results.init_from is not None
    assert second.results.init_from.folder.parts[-2:] == ("step_000004", "ema")
    assert isinstance(released.from_pretrained(second.folder / second.results.released), ImageConditionedDenoiser)
