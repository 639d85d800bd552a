"""Several videos of one call, and one of them once more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ops.generation.outputs import outputs_of
from ops.release.generate import Generated, again, generate, generate_all
from ops.runtime import device
from ops.runtime.artifacts import MissingArtifact
from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4
from ops.runtime.project import Project
from ops.sampling.request import Request, SamplingError

CHECKPOINT = "denoiser_video"
PROMPTS = ["a grey square", "a red square that moves to the left"]


@pytest.fixture(scope="module")
def project(trained_world: Any) -> Project:
    found: Project = trained_world.project
    return found


@pytest.fixture(scope="module")
def asked(project: Project) -> list[Request]:
    return [Request.of(project.settings.evaluation, prompt, 7) for prompt in PROMPTS]


@pytest.fixture(scope="module")
def batch(project: Project, asked: list[Request], tmp_path_factory: pytest.TempPathFactory) -> list[Generated]:
    """Both made together."""
    outputs = outputs_of(asked, tmp_path_factory.mktemp("batch") / "videos")
    return generate_all(project, asked, outputs, CHECKPOINT, batch=2)


def test_three_of_one_prompt_are_the_three_videos_that_their_seeds_make(
    project: Project, asked: list[Request], tmp_path: Path
) -> None:
    """To the byte: on the CPU each is made alone."""
    three = asked[0].variations(3)
    heard: list[tuple[int, int]] = []
    made = generate_all(
        project,
        three,
        outputs_of(three, tmp_path / "three"),
        CHECKPOINT,
        preview=True,
        on_step=lambda done, total: heard.append((done, total)),
    )
    assert [each.path.name for each in made] == [f"00-a-grey-square-seed_{seed}.mp4" for seed in (7, 8, 9)]
    assert heard == [(step, 6) for step in range(1, 7)]
    for request, each in zip(three, made, strict=True):
        alone = generate(project, request, tmp_path / "alone.mp4", CHECKPOINT)
        assert alone.path.read_bytes() == each.path.read_bytes()
        told = json.loads(each.settings.read_text())
        assert told["request"]["seed"] == request.seed
        assert told == json.loads(alone.settings.read_text())
    with Image.open(made[0].path.with_suffix(".webp")) as picture:
        assert (picture.n_frames, picture.size) == (5, (128, 128))


def test_prompts_together_are_what_each_is_alone(
    project: Project, asked: list[Request], batch: list[Generated], tmp_path: Path
) -> None:
    """To the eye. Not to the byte, for sums over other shapes round otherwise: a batch is for speed."""
    for request, each in zip(asked, batch, strict=True):
        alone = generate(project, request, tmp_path / "alone.mp4", CHECKPOINT)
        one, other = read_mp4(alone.path).astype(int), read_mp4(each.path)
        assert (abs(one - other) > 2).mean() < 0.01
    places = [json.loads(each.settings.read_text())["computed"] for each in batch]
    assert [(each["batch"], each["place"]) for each in places] == [(2, 0), (2, 1)]
    assert len({each["text_tokens"] for each in places}) == 1
    assert not np.array_equal(read_mp4(batch[0].path), read_mp4(batch[1].path))


def test_one_of_a_batch_is_made_again_to_the_byte_without_the_others(
    project: Project, batch: list[Generated], tmp_path: Path
) -> None:
    for number, before in enumerate(batch):
        made = again(project, before.settings, tmp_path / f"{number}.mp4")
        assert made.path.read_bytes() == before.path.read_bytes()
        assert made.notes == ("the same bytes as before",)
        told = json.loads(made.settings.read_text())
        assert told == json.loads(before.settings.read_text())


def test_where_memory_is_short_the_halves_of_guidance_come_one_after_the_other(
    project: Project, asked: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again so once there is enough: what was computed decides the last bits."""
    usual = generate(project, asked[0], tmp_path / "usual.mp4", CHECKPOINT)
    with monkeypatch.context() as patch:
        patch.setattr(device, "free_bytes", lambda device: 1)
        short = generate(project, asked[0], tmp_path / "short.mp4", CHECKPOINT)
    passes = [json.loads(each.settings.read_text())["computed"]["guidance_passes"] for each in (usual, short)]
    assert passes == [1, 2]
    one, other = (read_mp4(each.path).astype(int) for each in (usual, short))
    assert (abs(one - other) > 2).mean() < 0.01
    assert again(project, short.settings, tmp_path / "again.mp4").notes == ("the same bytes as before",)


def test_a_call_that_was_interrupted_goes_on_and_writes_over_nothing_else(
    project: Project, asked: list[Request], batch: list[Generated], tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(batch[0].path.parent, folder)
    outputs = outputs_of(asked, folder)
    outputs[1].unlink()
    untouched = outputs[0].stat().st_mtime_ns
    first, second = generate_all(project, asked, outputs, CHECKPOINT)
    assert first.notes == ("it was there already, made by the same settings",)
    assert outputs[0].stat().st_mtime_ns == untouched
    assert second.path.is_file()
    others = [Request(**{**vars(request), "steps": 1}) for request in asked]
    with pytest.raises(SamplingError, match="2 of the videos would be written over others"):
        generate_all(project, others, outputs, CHECKPOINT)
    assert outputs[0].stat().st_mtime_ns == untouched


def test_several_videos_go_into_a_folder_and_one_into_a_file(asked: list[Request], tmp_path: Path) -> None:
    assert {path.parent for path in outputs_of(asked, tmp_path / "videos")} == {tmp_path / "videos"}
    with pytest.raises(SamplingError, match=r"video\.mp4, but 2 videos would be written to it: name a folder, such as"):
        outputs_of(asked, tmp_path / "video.mp4")
    assert outputs_of(asked[:1], tmp_path / "video.mp4") == [tmp_path / "video.mp4"]
    with pytest.raises(SamplingError, match=r"the output is videos, but must end in \.mp4"):
        outputs_of(asked[:1], tmp_path / "videos")


def test_what_cannot_be_made_together_is_refused(project: Project, asked: list[Request], tmp_path: Path) -> None:
    outputs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    with pytest.raises(SamplingError, match="several videos would be written to one file"):
        generate_all(project, asked, outputs[:1] * 2, CHECKPOINT)
    with pytest.raises(SamplingError, match="may differ in prompts, seeds and given frames alone"):
        generate_all(project, [asked[0], Request(**{**vars(asked[1]), "steps": 1})], outputs, CHECKPOINT)
    with pytest.raises(SamplingError, match="batch is 0, but must be at least 1"):
        generate_all(project, asked, outputs, CHECKPOINT, batch=0)


def test_settings_whose_checkpoint_is_gone_say_so_before_anything_is_loaded(
    project: Project, batch: list[Generated], tmp_path: Path
) -> None:
    told = json.loads(batch[0].settings.read_text())
    told["model"]["denoiser"] = "var/artifacts/denoiser_video/gone/ema"
    (tmp_path / "settings.json").write_text(json.dumps(told))
    with pytest.raises(MissingArtifact, match=r"gone/ema is gone; train denoiser_video again, or restore the folder"):
        again(project, tmp_path / "settings.json", tmp_path / "v.mp4")


def test_other_bytes_than_before_are_said_with_what_differs(
    project: Project, batch: list[Generated], tmp_path: Path
) -> None:
    told = json.loads(batch[0].settings.read_text())
    told |= {"video": {"sha256": "0" * 64}, "device": "cuda:0"}
    (tmp_path / "settings.json").write_text(json.dumps(told))
    made = again(project, tmp_path / "settings.json", tmp_path / "v.mp4")
    assert made.notes == ("other bytes than before: device was cuda:0, now cpu",)
    assert sha256(made.path) == sha256(batch[0].path)


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpm_solver++", "unipc"])
def test_each_sampler_has_its_name_in_the_settings_and_a_video_of_its_own(
    project: Project, asked: list[Request], tmp_path: Path, sampler: str
) -> None:
    usual = generate(project, asked[0], tmp_path / "usual.mp4", CHECKPOINT)
    made = generate(project, Request(**{**vars(asked[0]), "sampler": sampler}), tmp_path / "v.mp4", CHECKPOINT)
    assert json.loads(made.settings.read_text())["request"]["sampler"] == sampler
    assert made.path.read_bytes() != usual.path.read_bytes()
    assert again(project, made.settings, tmp_path / "again.mp4").path.read_bytes() == made.path.read_bytes()
