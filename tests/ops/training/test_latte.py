"""Training of v1.1's denoiser: images behind the frames of each video, a learned variance, and longer stages."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models import released
from models.latte import LatteConfig, LatteDenoiser
from ops.config import ConfigError, Diffusion, resolve
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.sampling.denoise import draw_latent
from ops.sampling.request import Request
from ops.training.data.batch_sizes import NoBatches
from ops.training.data.images_behind import ImagesBehind
from ops.training.data.joined_latents import JoinedBatch
from ops.training.job import Job
from ops.training.launching import program
from ops.training.launching.ranks import Ranks
from ops.training.loop import loop
from ops.training.methods import denoiser
from ops.training.methods.method import Draw, Watch
from ops.training.results import Trained

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
DIFFUSION = {
    "prediction": "epsilon",
    "zero_terminal_snr": False,
    "min_snr_gamma": None,
    "caption_dropout": 0.0,
    "noise_offset": 0.0,
}
SCHEDULE = {"steps": 2, "batch_size": 2, "checkpoint_every": 2, "validate_every": 2, "ema_decay": 0.5}
STAGE = {"kinds": ["video"], "joint_images": 2, "schedule": {**SCHEDULE, "optimizer": {"learning_rate": 1e-3}}}
STAGES = [{"name": "short", **STAGE}, {"name": "long", **STAGE, "dataset": {"num_frames": 29}}]


@pytest.fixture
def lab(make_lab: Callable, tmp_path: Path) -> Any:
    lab = make_lab(tmp_path / "lab")
    model = {"layers": 2, "heads": 2, "head_width": 12, "sparse_ratio": 1}
    lab.change("denoiser", {"architecture": "latte", "model": model, "diffusion": DIFFUSION})
    return lab.change("stages", STAGES)


def session_of(lab: Any, alone: Ranks, asset: str = "denoiser_short", start: Path | None = None) -> Any:
    job = lab.job("denoiser_short").model_dump(mode="json") | {"asset": asset}
    job["init_from"] = {"asset": "before", "version": "v", "folder": str(start)} if start else None
    return program.prepared(Job.model_validate_json(json.dumps(job)), alone, CPU, denoiser.compose)


def test_images_ride_behind_videos_and_both_are_learned_from(lab: Any, alone: Ranks) -> None:
    session = session_of(lab, alone)
    batch = session.read(1)
    (part,) = batch.parts.values()
    assert isinstance(part, JoinedBatch)
    assert (part.videos.posteriors()[0].shape, part.images.posteriors()[0].shape) == ((2, 4, 2, 4, 4), (4, 4, 1, 4, 4))
    by_id = session.method.data.samples.by_id
    assert {by_id[name]["frames"] for name in batch.sample_ids} == {5}
    assert {by_id[name]["frames"] for name in batch.names.behind} == {1}
    assert {row["frames"] for row in session.method.data.samples.looked_at} == {5}
    assert "2 of 3 images ride behind each video" in session.method.notes()
    before = session.method.model.temporal_blocks[0].modulation.detach().clone()
    for step in (1, 2):
        figures = loop.one_step(session, step, session.read(step))
        assert all(map(math.isfinite, figures.values()))
    assert figures["loss"] == pytest.approx(figures["unweighted_loss"] + figures["variance_bound"])
    assert not torch.equal(before, session.method.model.temporal_blocks[0].modulation)
    session.state.ema.update(session.state.model, 1)
    held_out = session.method.validation.figures(session.state.ema.joined(), Watch((), lambda done, of: None))
    assert math.isfinite(held_out["held_out_loss"])


def test_what_is_learned_does_not_depend_on_how_a_batch_is_shared_out(lab: Any, alone: Ranks) -> None:
    session = session_of(lab, alone)
    names, data, objective, model = (
        session.named(3),
        session.method.data,
        session.method.objective,
        session.method.model,
    )
    whole = objective.loss(model, data.read(names.at(range(2))), Draw(5, 3, 0, 2))[0]
    parts = [objective.loss(model, data.read(names.at(range(i, i + 1))), Draw(5, 3, i, 2))[0] for i in range(2)]
    assert whole.item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-5)
    other = replace(names, behind=(*names.behind[2:], *names.behind[:2]))
    assert objective.loss(model, data.read(other.at(range(2))), Draw(5, 3, 0, 2))[0].item() != whole.item()


def test_every_image_is_seen_before_one_is_seen_again() -> None:
    images = ImagesBehind.of(3, {"5x32x32": 2}, {"1x32x32": [f"image{i:02}" for i in range(12)]}, 1, "v")
    for epoch in range(3):
        steps = range(2 * epoch + 1, 2 * epoch + 3)
        seen = Counter(name for step in steps for name in images.batch(step, "5x32x32"))
        assert set(seen.values()) == {1}
        assert len(seen) == 12
    assert images.batch(1, "5x32x32") == images.batch(1, "5x32x32") != images.batch(3, "5x32x32")
    assert "image03" not in {name for step in range(1, 9) for name in images.batch(step, "5x32x32", {"image03"})}
    with pytest.raises(NoBatches, match=r"joint_images is 3, but no image .* size of the videos \(1x48x32\): add"):
        ImagesBehind.of(3, {"5x48x32": 2}, {"1x32x32": ["image"]}, 1, "v")


def test_an_image_that_is_not_finite_is_left_out_alone(lab: Any, alone: Ranks) -> None:
    lab.spoil_latent("sample5", 1e30)  # finite, but its loss is not
    session = session_of(lab.change("launch.max_left_out_share", 0.3), alone)
    step = next(step for step in range(1, 20) if "sample5" in session.named(step).behind)
    figures = loop.step_without_unusable(session, step, session.read(step))
    assert math.isfinite(figures["loss"])
    assert set(session.state.left_out.samples) == {"sample5"}
    assert "sample5" not in session.named(step).behind


def test_a_longer_stage_scales_positions_by_its_own_length(lab: Any, alone: Ranks, tmp_path: Path) -> None:
    config = LatteConfig(
        layers=2, heads=2, head_width=12, in_channels=4, text_width=384, latent_side=4, latent_frames=2
    )
    before = LatteDenoiser(config)
    released.save_pretrained(before, tmp_path / "before")
    tables.write(lab.samples, [{**row, "cut": "num_frames=29"} for row in tables.read(lab.samples)], SAMPLES)
    lab.encode_text()
    model = session_of(lab, alone, "denoiser_long", tmp_path / "before").method.model
    assert torch.equal(model.project_out.weight, before.project_out.weight)
    assert model.config == replace(config, latent_side=8, latent_frames=8)
    assert released.config_of(model)["video_length"] == 8


def test_a_video_is_sampled_by_the_noise_alone() -> None:
    torch.manual_seed(0)
    model = LatteDenoiser(LatteConfig(layers=1, heads=2, head_width=12, text_width=8, latent_side=4, latent_frames=2))
    request = Request("a", seed=1, steps=3, guidance=2.0, frames=5, height=32, width=32, fps=8.0)
    latent = draw_latent(model, request, 4, Diffusion.model_validate(DIFFUSION), torch.randn(3, 8), torch.randn(1, 8))
    assert latent.shape == (1, 4, 2, 4, 4)
    assert latent.isfinite().all()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"denoiser": {"model": {"sparse_ratio": 4}}}, r"denoiser: model\.sparse_ratio is 4, but must be 1 for latte"),
        ({"denoiser": {"diffusion": {"zero_terminal_snr": True}}}, r"zero_terminal_snr is true, but must be false"),
        ({"denoiser": {"architecture": "skiparse"}}, r"stages\.video_65\.joint_images is 4, but must be 0: .* latte"),
        ({"stages": {"video_65": {"kinds": ["image", "video"]}}}, r"joint_images is 4, so kinds must be \[video\]"),
        ({"launch": {"sequence_parallel": 4}}, r"launch\.sequence_parallel is 4, but must be 1: one rank computes"),
    ],
)
def test_what_goes_with_a_latte(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(ROOT, "v1_1", overrides)


@pytest.mark.slow
def test_v1_1s_denoiser_is_trained_from_stage_to_stage(lab: Any) -> None:
    """In processes of its own; the longer stage has samples of its own length."""
    lab.train("denoiser_short")
    first = current(lab.project, "denoiser_short", Trained)
    lab = lab.change("stages", [STAGES[0], {**STAGES[1], "dataset": {}, "joint_images": 1}])
    last = lab.train("denoiser_long")
    assert last.inputs["denoiser_short"] == first.version
    model = released.from_pretrained(last.folder / last.results.released)
    assert isinstance(model, LatteDenoiser)
    assert Project(lab.project.root).settings.stages[1].joint_images == 1
