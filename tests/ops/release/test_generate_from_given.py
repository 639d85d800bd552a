"""Videos from frames that are given, by a stage that was trained on such."""

from __future__ import annotations

import json
import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
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
from ops.generation.computed import Computed
from ops.generation.drawing import chunks_drawn, frames_given, latents_of
from ops.generation.given_pixels import GivenPixels, read_given
from ops.generation.model import VideoModel
from ops.generation.parts import parts_of
from ops.generation.prompts import read_words
from ops.release.generate import Generated, again, generate, generate_all
from ops.release.model_name import resolve
from ops.runtime.artifacts import MissingArtifact, current
from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4, write_mp4
from ops.runtime.project import Project
from ops.sampling.chunks import chunks_of
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


def made_of(
    project: Project, prompt: str, output: Path, checkpoint: str | None = None, ranks: int = 1, **changes: Any
) -> Generated:
    return generate(project, Request.of(project.settings.evaluation, prompt, 0, **changes), output, checkpoint, ranks)


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
        return made_of(project, "a grey square", tmp_path / f"{name}.mp4", checkpoint, steps=3, given=given)

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
        made_of(
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
    assert all(one[key] == two[key] for key in ("request", "model", "notes"))
    apart = abs(read_mp4(alone.path).astype(int) - read_mp4(together.path))
    assert (apart > 2).mean() < 0.01


def test_each_of_a_batch_is_told_its_own_frames(
    project: Project, picture: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(pixels[4]).save(tmp_path / "last.png")
    given = (Given.beginning(picture), Given.beginning(tmp_path / "last.png"))
    evaluation = project.settings.evaluation
    asked = [Request.of(evaluation, "a cat", 0, steps=3, given=each) for each in given]
    outputs = [tmp_path / f"{number}.mp4" for number in range(2)]
    together = [read_mp4(each.path).astype(int) for each in generate_all(project, asked, outputs, LEARNED, batch=2)]
    for request, frames in zip(asked, together, strict=True):
        alone = read_mp4(generate(project, request, tmp_path / "alone.mp4", LEARNED).path)
        assert (abs(frames - alone) > 2).mean() < 0.01
    assert abs(together[0] - together[1]).mean() > 1


def test_a_model_that_knows_nothing_of_given_frames_is_refused(
    made: Callable[..., Generated], trained_world: Any, picture: Path, tmp_path: Path
) -> None:
    given = Given.beginning(picture)
    with pytest.raises(SamplingError, match=r"denoiser_video step 4 was not trained on given frames: name .* control_"):
        made("refused", "denoiser_video", given)
    with pytest.raises(MissingArtifact, match="preset 'tiny' trains no model on given frames: add a stage of kind"):
        made_of(trained_world.project, "a cat", tmp_path / "refused.mp4", given=given)
    assert not (tmp_path / "refused.mp4").exists()


def test_a_stage_that_is_not_trained_yet_is_named(project: Project, picture: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns(ASSET))
    with pytest.raises(MissingArtifact, match=r"soraflow run --select '\+control_given_1'"):
        made_of(Project(root), "a cat", tmp_path / "v.mp4", given=Given.beginning(picture))


def test_files_are_looked_at_before_a_model_is_loaded(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.png").write_text("no picture")
    write_mp4(tmp_path / "short.mp4", np.zeros((4, 32, 32, 3), np.uint8), fps=project.settings.evaluation.fps)
    for part in ("denoiser", "vae"):
        monkeypatch.setattr(VideoModel, part, None)
    with pytest.raises(SamplingError, match=r"words\.png cannot be given as a picture"):
        made_of(project, "a cat", tmp_path / "v.mp4", ASSET, given=Given.beginning(tmp_path / "words.png"))
    with pytest.raises(SamplingError, match=r"short\.mp4 has 4 frames at .* but its last 5 are to be given: give 4 or"):
        made_of(project, "a cat", tmp_path / "v.mp4", ASSET, frames=9, given=Given.end_of(tmp_path / "short.mp4", 5))


def test_the_first_of_several_chunks_is_told_what_is_given(project: Project, picture: Path, tmp_path: Path) -> None:
    """Half of that chunk of a video that is continued, and not half of all that is asked for."""
    film = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), np.uint8)
    write_mp4(tmp_path / "film.mp4", film, fps=project.settings.evaluation.fps)
    for given, count in ((Given.end_of(tmp_path / "film.mp4"), 5), (Given.beginning(picture), None)):
        long = made_of(project, "a cat", tmp_path / "long.mp4", LEARNED, steps=1, frames=33, given=given)
        assert json.loads(long.settings.read_text())["request"]["given"]["count"] == count
        short = made_of(
            project, "a cat", tmp_path / "short.mp4", LEARNED, steps=1, frames=17, given=replace(given, count=count)
        )
        assert abs(read_mp4(long.path)[:17].astype(int) - read_mp4(short.path)).mean() < 4
        assert [seam.frame for seam in long.seams] == [17, 29]


LONG = {"frames": 21, "chunk": 9, "overlap": 5}


def test_a_long_video_is_made_of_chunks_that_continue_each_other(
    project: Project, made: Callable[..., Generated], tmp_path: Path
) -> None:
    """Its first chunk is the short video of the same seed; each frame is there once, and every seam is measured. What
    the chunk before ends with decides what comes."""
    heard: list[tuple[int, int]] = []
    request = Request.of(project.settings.evaluation, "a grey square", 0, steps=3, **LONG)
    long = generate(project, request, tmp_path / "long.mp4", LEARNED, on_step=lambda *told: heard.append(told))
    assert heard == [(step, 12) for step in range(1, 13)]
    frames = read_mp4(long.path)
    assert frames.shape == (21, 32, 32, 3)
    short = read_mp4(made_of(project, "a grey square", tmp_path / "short.mp4", LEARNED, steps=3, frames=9).path)
    assert abs(frames[:9].astype(int) - short).mean() < 4  # two encodings of the same frames
    told = json.loads(long.settings.read_text())
    assert {key: told["request"][key] for key in LONG} == LONG
    assert [seam["frame"] for seam in told["seams"]] == [9, 13, 17] == [seam.frame for seam in long.seams]
    assert all(seam.difference > 0 for seam in long.seams)
    once_more = again(project, long.settings, tmp_path / "again.mp4")
    assert once_more.path.read_bytes() == long.path.read_bytes()


def test_a_chunk_is_what_the_end_of_the_one_before_leads_to(project: Project) -> None:
    """The second chunk, made alone: a video from the same frames, of the seed that its chunk has."""
    request, _ = Request.of(project.settings.evaluation, "a cat", 0, steps=2, **LONG).checked()
    model = VideoModel(project, resolve(project, LEARNED)[0])
    texts, _ = read_words(model, request)
    first, second, *_ = chunks_drawn(model, request, texts, frames_given(model, request), Computed(), lambda *_: None)
    pixels, mask = np.zeros((9, 32, 32, 3), np.uint8), np.ones(9, np.float32)
    pixels[:5], mask[:5] = first[-5:], 0
    alone = chunks_of(request)[1].request
    latent = latents_of(model, [alone], [texts], [GivenPixels(pixels, mask)], Computed(), lambda *_: None, hold=True)
    assert np.array_equal(model.decode(latent)[5:], second)


def test_no_more_than_a_chunk_is_held(project: Project) -> None:
    """Frames that have gone by are let go of: nothing of them lives when the next chunk is there."""
    request, _ = Request.of(project.settings.evaluation, "a cat", 0, steps=1, **{**LONG, "frames": 41}).checked()
    model = VideoModel(project, resolve(project, LEARNED)[0])
    texts, _ = read_words(model, request)
    alive: list[weakref.ref[Any]] = []
    most = 0
    for chunk in chunks_drawn(model, request, texts, frames_given(model, request), Computed(), lambda *_: None):
        alive.append(weakref.ref(chunk.base if chunk.base is not None else chunk))
        most = max(most, sum(each() is not None for each in alive))
    assert len(alive) == 9
    assert most <= 2


def test_a_video_longer_than_the_training_needs_a_model_that_continues(
    project: Project, trained_world: Any, tmp_path: Path
) -> None:
    """The tiny recipe trains on 17 frames; whoever wants more at once says so."""
    wanted = {"steps": 1, "frames": 21}
    with pytest.raises(SamplingError, match="trained on up to 17, cannot continue a video: use 17 or fewer, name a"):
        made_of(project, "a cat", tmp_path / "refused.mp4", "denoiser_video", **wanted)
    assert not (tmp_path / "refused.mp4").exists()
    at_once = made_of(project, "a cat", tmp_path / "at_once.mp4", "denoiser_video", **wanted, chunk=21)
    assert at_once.seams == ()
    long = made_of(project, "a cat", tmp_path / "long.mp4", ASSET, **wanted)
    assert [seam.frame for seam in long.seams] == [17]
    assert json.loads(long.settings.read_text())["request"]["overlap"] == 5
    other = made_of(project, "a cat", tmp_path / "other.mp4", ASSET, **wanted, overlap=9)
    assert json.loads(other.settings.read_text())["request"]["overlap"] == 9
    with pytest.raises(SamplingError, match="overlap is 9, but all 17 frames are made at once"):
        made_of(project, "a cat", tmp_path / "refused.mp4", ASSET, steps=1, frames=17, overlap=9)
    with pytest.raises(SamplingError, match="21 frames are made in chunks of 17, by one rank alone"):
        made_of(project, "a cat", tmp_path / "refused.mp4", ASSET, ranks=2, **wanted)


def test_a_video_from_given_frames_is_made_again_where_they_lie(
    project: Project, made: Callable[..., Generated], picture: Path, tmp_path: Path
) -> None:
    before = made("before", LEARNED, Given.beginning(picture))
    assert again(project, before.settings, tmp_path / "again.mp4").notes[-1] == "the same bytes as before"
    moved = tmp_path / "elsewhere.png"
    picture.rename(moved)
    with pytest.raises(SamplingError, match=r"the given file first\.png .* is not in"):
        again(project, before.settings, tmp_path / "again.mp4")
    assert again(project, before.settings, tmp_path / "again.mp4", [moved]).notes[-1] == "the same bytes as before"
