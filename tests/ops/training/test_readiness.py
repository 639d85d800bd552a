"""What is known of a training before its first step is said before the first step of any."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import yaml

from ops.config import ConfigError
from ops.data.samples import BUCKETS
from ops.runtime import tables
from ops.runtime.project import Project
from ops.training.readiness import require_ready as ready_on
from ops.training.readiness import require_sources

ALL = {"raw_videos", "raw_images", "wfvae", "denoiser_image", "denoiser_joint", "denoiser_video"}


def with_recipe(project: Project, **overrides: object) -> Project:
    (project.root / "params.yaml").write_text(yaml.safe_dump({"preset": "tiny", **overrides}), encoding="utf-8")
    return Project(project.root)


def with_samples(project: Project, parts: Sequence[tuple[str, str]]) -> Project:
    of = {"cut": "dataset", "bucket": "1x64x64", "samples": 3, "items": 3}
    rows = [{**of, "kind": kind, "split": split} for kind, split in parts]
    dropped = {"cut": "dataset", "kind": "video", "samples": 0, "items": 1, "reason": "too short", "dropped": ["a"]}
    tables.write(project.data / "training_set" / "buckets.parquet", [*rows, dropped], BUCKETS)
    return project


def require_ready(project: Project, assets: set[str]) -> list[str]:
    return ready_on(project, project.data / "training_set", assets)


BOTH = [("image", "train"), ("image", "held_out"), ("video", "train"), ("video", "held_out")]


def test_a_whole_training_set_is_ready(project: Project) -> None:
    assert require_ready(with_samples(project, BOTH), ALL) == []


@pytest.mark.parametrize(("kind", "stage"), [("video", "video"), ("image", "image")])
def test_a_stage_without_its_kind_is_named_with_the_remedy(project: Project, kind: str, stage: str) -> None:
    with_samples(project, [part for part in BOTH if part[0] != kind])
    message = f"^stage '{stage}' has no {kind} samples to train on: add sources to sources.{kind}s, or leave the stage "
    with pytest.raises(ConfigError, match=message + rf"out with `soraflow run --set stages\.{stage}=null`$"):
        require_ready(project, ALL)
    assert require_ready(project, ALL - {f"denoiser_{stage}"}) == [
        f"stage 'joint' will see no {kind} samples: the training set has none"
    ]
    assert require_ready(project, {"wfvae"}) == []


def test_a_stage_that_could_not_be_judged_is_named(project: Project) -> None:
    with_samples(project, [part for part in BOTH if part != ("image", "held_out")])
    with pytest.raises(ConfigError, match=r"'image' has no held-out image samples .* raise dataset\.held_out_share"):
        require_ready(project, ALL)


def test_batches_that_no_ranks_can_share(project: Project) -> None:
    with_samples(project, BOTH)
    # the VAE's batches of 4 and the image stage's of 8 can be shared by four ranks, those of 6 cannot
    stages = {"stages": {"video": {"schedule": {"batch_size": 6}}}, "launch": {"ranks_per_node": 4}}
    with pytest.raises(ConfigError, match=r"^stages\.video: schedule.batch_size 6 cannot be divided over 4 ranks"):
        require_ready(with_recipe(project, **stages), ALL)


def test_the_vaes_batches_are_looked_at_before_it_starts(project: Project) -> None:
    with_samples(project, BOTH)
    of_three = with_recipe(project, launch={"ranks_per_node": 3})
    with pytest.raises(ConfigError, match=r"^vae: schedule.batch_size 4 cannot be divided over 3 ranks"):
        require_ready(of_three, {"wfvae"})
    assert require_ready(of_three, {"latents"}) == []


def test_a_stage_without_sources_is_named_before_they_are_curated(project: Project) -> None:
    images_only = with_recipe(project, sources={"videos": None}).settings
    told = (
        "stage 'video' will have no video samples: sources.videos is null; name a folder there, or leave the stage out"
    )
    with pytest.raises(ConfigError, match=told):
        require_sources(images_only, ALL)
    require_sources(images_only, ALL - {"denoiser_video"})
    require_sources(images_only, ALL - {"raw_videos"})  # the table that lies here may hold some
    require_sources(with_recipe(project).settings, ALL)
    with pytest.raises(ConfigError, match=r"stage 'image' will have no image samples: sources\.images is null"):
        require_sources(with_recipe(project, sources={"images": None}).settings, ALL)


def test_images_that_ride_behind_videos_are_asked_for(project: Project) -> None:
    """Before the dataset is made, and when it has none of their size."""
    latte = {"architecture": "latte", "model": {"sparse_ratio": 1}}
    latte["diffusion"] = {"prediction": "epsilon", "zero_terminal_snr": False}
    riding = {"denoiser": latte, "stages": {"video": {"joint_images": 2}, "joint": None, "image": None}}
    with pytest.raises(ConfigError, match=r"stage 'video' will have no image samples: sources\.images is null"):
        require_sources(with_recipe(project, **riding, sources={"images": None}).settings, ALL)
    with_samples(project, [("video", "train"), ("video", "held_out")])
    with pytest.raises(ConfigError, match=r"stage 'video': joint_images is 2, but no image to train on .* \(1x"):
        require_ready(with_recipe(project, **riding), ALL)


def test_weights_that_zero3_must_not_take_apart(project: Project) -> None:
    with_samples(project, BOTH)
    launch = {"deepspeed": "configs/deepspeed/zero3.json"}
    apart = with_recipe(project, launch=launch)
    with pytest.raises(
        ConfigError, match=r"^vae: .*zero3\.json: zero_optimization\.stage is 3, but the vae is trained by"
    ):
        require_ready(apart, ALL)
    assert require_ready(apart, ALL - {"wfvae"}) == []
    compiled = with_recipe(project, launch=launch, stages={"video": {"compile": True}})
    with pytest.raises(ConfigError, match=r"^stages\.video: .* compile is true for stage 'video', .*: use 1 or 2$"):
        require_ready(compiled, ALL - {"wfvae"})


def test_batches_are_shared_out_among_groups_that_compute_a_video_together(project: Project) -> None:
    """Of four ranks, the stage's batches of 6 go round among two groups; the VAE's of 4 go round among four ranks."""
    with_samples(project, BOTH)
    stages = {"video": {"schedule": {"batch_size": 6}}}
    spread = with_recipe(project, stages=stages, launch={"ranks_per_node": 4, "sequence_parallel": 2})
    assert require_ready(spread, ALL) == []
