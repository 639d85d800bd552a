"""Videos from frames that are given, by a stage that was trained on such."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from models.control.condition_masks import MaskType
from models.latent_scale import LatentScale
from ops.config import ImageCondition
from ops.data.latent_encoder import LatentEncoder
from ops.data.text_embeddings import make_text
from ops.generation.given_pixels import read_given
from ops.generation.model import VideoModel
from ops.generation.parts import parts_of
from ops.release.generate import Generated, generate
from ops.runtime.artifacts import MissingArtifact, current
from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4, write_mp4
from ops.runtime.project import Project
from ops.sampling.request import Given, Request, SamplingError
from ops.training.data.clips import Clips
from ops.training.data.given_frames import GivenFrames
from ops.training.data.online_latents import ClipsToEncode
from ops.training.results import Trained
from ops.weights.results import Weights

ROW: dict[str, Any] = {
    "name": "given_1",
    "kind": "image_condition",
    "kinds": ["video"],
    "masks": "1-6",
    "schedule": {"steps": 4, "batch_size": 2, "checkpoint_every": 2, "validate_every": 2},
}
ASSET, LEARNED = "control_given_1", "control_given_1@4"


@pytest.fixture(scope="module")
def project(trained_world: Any, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With a stage on given frames: untrained at its best step, the second, and not at its last, the fourth."""
    root = tmp_path_factory.mktemp("given") / "project"
    shutil.copytree(trained_world.project.root, root)
    recipe = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    recipe["stages"].append({**ROW, "schedule": {**ROW["schedule"], "optimizer": {"learning_rate": 1e-3}}})
    (root / "params.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    made = Project(root)
    make_text(made)
    type(trained_world)(made).train_denoiser("given_1", {2: 0.4, 4: 0.5})
    return made


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


@pytest.fixture
def picture(pixels: np.ndarray, tmp_path: Path) -> Path:
    Image.fromarray(pixels[0]).save(tmp_path / "first.png")
    return tmp_path / "first.png"


@pytest.fixture
def made(project: Project, tmp_path: Path) -> Callable[..., Generated]:
    def make(name: str, checkpoint: str | None = None, given: Given | None = None) -> Generated:
        return generate(project, "a grey square", tmp_path / f"{name}.mp4", checkpoint, steps=3, given=given)

    return make


def test_untrained_it_makes_the_video_that_its_base_makes(made: Callable[..., Generated], picture: Path) -> None:
    """To the bit, whatever it is given, also nothing."""
    base = made("base", "denoiser_video")
    given, told_nothing = made("given", ASSET, Given.beginning(picture)), made("nothing", ASSET)
    assert base.path.read_bytes() == given.path.read_bytes() == told_nothing.path.read_bytes()


def test_what_is_given_decides_and_the_same_gives_the_same(
    made: Callable[..., Generated], picture: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(pixels[4]).save(tmp_path / "last.png")
    write_mp4(tmp_path / "film.mp4", pixels, fps=8)
    ways = {
        "nothing": None,
        "image": Given.beginning(picture),
        "again": Given.beginning(picture),
        "other": Given.beginning(tmp_path / "last.png"),
        "transition": Given.ends(picture, tmp_path / "last.png"),
        "continued": Given.end_of(tmp_path / "film.mp4", 3),
    }
    files = {name: made(name, LEARNED, given) for name, given in ways.items()}
    assert files["image"].path.read_bytes() == files["again"].path.read_bytes()
    assert files["image"].settings.read_text() == files["again"].settings.read_text()
    assert len({sha256(each.path) for each in files.values()}) == len(ways) - 1
    told = json.loads(files["image"].settings.read_text())
    assert told["request"]["given"] == {
        "mask": "i2v",
        "files": [{"name": "first.png", "sha256": sha256(picture)}],
        "count": None,
    }
    assert told["model"]["denoiser_asset"] == ASSET
    assert "given" not in json.loads(files["nothing"].settings.read_text())["request"]


def test_without_a_name_the_last_finished_stage_on_given_frames_makes_it(
    made: Callable[..., Generated], picture: Path
) -> None:
    assert made("unnamed", given=Given.beginning(picture)).model == f"{ASSET} step 2"


@pytest.mark.parametrize("kind", [MaskType.I2V, MaskType.TRANSITION])
def test_a_model_is_told_what_validation_tells_it_in_training(
    project: Project, picture: Path, pixels: np.ndarray, tmp_path: Path, kind: MaskType
) -> None:
    """Of the same frames the same latent and the same mask."""
    Image.fromarray(pixels[4]).save(tmp_path / "last.png")
    given = Given.beginning(picture) if kind is MaskType.I2V else Given.ends(picture, tmp_path / "last.png")
    request, _ = Request.of(project.settings.evaluation, "a cat", 0, given=given).checked()
    parts = parts_of(project, current(project, ASSET, Trained))
    told = VideoModel(project, parts).conditions(read_given(request))
    encoder = LatentEncoder(project, current(project, "wfvae", Weights), "float32")
    batch = ClipsToEncode(Clips(("a",), torch.from_numpy(pixels)[None]), encoder)
    stage = project.settings.stages[-1]
    assert isinstance(stage, ImageCondition)
    wanted = GivenFrames(stage, LatentScale.of(parts.shift, parts.scale), torch.float32).judged(batch, kind)
    for name in ("condition_latent", "condition_mask"):
        torch.testing.assert_close(told[name], wanted[name])


@pytest.mark.dist
@pytest.mark.slow
def test_ranks_make_the_video_that_one_would(project: Project, picture: Path, tmp_path: Path) -> None:
    """Each reads the given frames; the settings, to the last, are those of one."""
    alone, together = (
        generate(
            project,
            "a cat",
            tmp_path / f"{ranks}.mp4",
            LEARNED,
            steps=3,
            frames=9,
            width=48,
            given=Given.beginning(picture),
            ranks=ranks,
        )
        for ranks in (1, 2)
    )
    assert together.notes == alone.notes
    assert "first.png is 32x32, of another shape" in alone.notes[-1]
    one, two = (json.loads(made.settings.read_text()) for made in (alone, together))
    assert {**two, "code": one["code"]} == one
    apart = abs(read_mp4(alone.path).astype(int) - read_mp4(together.path))
    assert (apart > 2).mean() < 0.01


def test_a_model_that_knows_nothing_of_given_frames_is_refused(
    made: Callable[..., Generated], trained_world: Any, picture: Path, tmp_path: Path
) -> None:
    given = Given.beginning(picture)
    with pytest.raises(SamplingError, match=r"denoiser_video step 4 was not trained on given frames: name .* control_"):
        made("refused", "denoiser_video", given)
    with pytest.raises(MissingArtifact, match="preset 'tiny' trains no model on given frames: add a stage of kind"):
        generate(trained_world.project, "a cat", tmp_path / "refused.mp4", given=given)
    assert not (tmp_path / "refused.mp4").exists()


def test_a_stage_that_is_not_trained_yet_is_named(project: Project, picture: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns(ASSET))
    with pytest.raises(MissingArtifact, match=r"soraflow run --select '\+control_given_1'"):
        generate(Project(root), "a cat", tmp_path / "v.mp4", given=Given.beginning(picture))


def test_files_are_looked_at_before_a_model_is(project: Project, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no picture")
    with pytest.raises(SamplingError, match=r"words\.png cannot be given as a picture"):
        generate(project, "a cat", tmp_path / "v.mp4", "nothing_like_it", given=Given.beginning(tmp_path / "words.png"))
