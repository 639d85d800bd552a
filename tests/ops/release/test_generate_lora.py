"""Videos with adapters: of a stage with its base, and of those that are named, at a scale, if they are of the model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models import adapters, released
from ops.generation.parts import Parts
from ops.release.generate import again, generate
from ops.release.merging import write_merged
from ops.release.model_name import resolve
from ops.runtime.artifacts import MissingArtifact, current
from ops.runtime.files import sha256
from ops.runtime.project import Project
from ops.sampling.request import Request, SamplingError
from ops.training.results import Trained


@pytest.fixture
def project(adapted: Any) -> Project:
    return adapted.project


Make = Callable[..., str]


@pytest.fixture
def video(project: Project, tmp_path: Path) -> Make:
    """The sha256 of the video that an order makes."""

    def make(checkpoint: str | None = None, *lora: str) -> str:
        return sha256(generate(project, cat(project, 2), tmp_path / "video.mp4", checkpoint, lora=lora).path)

    return make


def cat(project: Project, steps: int) -> Request:
    return Request.of(project.settings.evaluation, "a cat", 0, steps=steps)


def test_a_stage_of_adapters_is_a_model_with_its_base(project: Project, video: Make) -> None:
    parts, label = resolve(project, "lora_mine")
    assert label == "lora_mine step 4"
    base, _ = resolve(project, "denoiser_video")
    assert (parts.denoiser, parts.vae, parts.scale) == (base.denoiser, base.vae, base.scale)
    assert [each.scale for each in parts.adapters] == [1.0]
    assert Parts.of_json(parts.as_json()) == parts
    assert "adapters" not in base.as_json(), "what was registered before is known by what it was"
    assert resolve(project, "lora_mine@2")[0].adapters != parts.adapters
    assert video("lora_mine") != video("denoiser_video")


def test_a_scale_says_how_much_of_them(project: Project, video: Make, tmp_path: Path) -> None:
    folder = project.root / resolve(project, "lora_mine")[0].adapters[0].folder
    alone, whole = video("denoiser_video"), video("lora_mine")
    assert video("denoiser_video", "lora_mine") == video(None, "lora_mine") == whole
    assert video("denoiser_video", str(folder)) == video(None, f"{folder / adapters.WEIGHTS_FILE}:1.0") == whole
    assert video(None, "lora_mine:0") == alone
    half = video(None, "lora_mine:0.5")
    assert half not in (alone, whole)
    assert video(None, "lora_mine:0.25", "lora_mine:0.25") == half, "several add up"
    made = generate(project, cat(project, 1), tmp_path / "v.mp4", lora=["lora_mine@2:0.5"])
    assert made.model == "denoiser_video step 4 with lora_mine@2 at 0.5"
    (told,) = json.loads(made.settings.read_text())["model"]["adapters"]
    assert told["scale"] == 0.5
    assert "lora_mine" in told["folder"]
    once_more = again(project, made.settings, tmp_path / "again.mp4")
    assert once_more.notes[-1] == "the same bytes as before"
    shutil.rmtree(project.root / told["folder"])
    with pytest.raises(MissingArtifact, match="is gone"):
        again(project, made.settings, tmp_path / "gone.mp4")


def test_adapters_of_other_weights_are_refused_before_anything_is_loaded(
    project: Project, video: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(released, "denoiser_from_pretrained", lambda *_: pytest.fail("weights were loaded"))
    right = r"trained on other weights \(\w{12}\) than those of denoiser_video step 8 \(\w{12}\): use --checkpoint den"
    with pytest.raises(SamplingError, match=right + "oiser_video@4"):
        video("denoiser_video@8", "lora_mine")
    folder = project.root / resolve(project, "lora_mine")[0].adapters[0].folder
    shutil.copytree(folder, tmp_path / "foreign")
    told = json.loads((tmp_path / "foreign" / adapters.CONFIG_FILE).read_text())
    told["soraflow"]["base"] = "f" * 64
    (tmp_path / "foreign" / adapters.CONFIG_FILE).write_text(json.dumps(told))
    with pytest.raises(SamplingError, match=r"ffffffffffff.* bring that model here, or train adapters of this one"):
        video("denoiser_video", str(tmp_path / "foreign"))
    with pytest.raises(SamplingError, match=r"no adapters are called 'lora_min': .*or an asset: lora_mine"):
        video("denoiser_video", "lora_min")
    with pytest.raises(SamplingError, match=r"denoiser_video.*no adapters|no adapters are called 'denoiser_video'"):
        video("denoiser_video", "denoiser_video:0.5")
    with pytest.raises(SamplingError, match=r"holds no adapters: name a folder with adapter_config\.json"):
        video("denoiser_video", str(tmp_path))


def test_merged_they_are_a_whole_model_for_other_programs(project: Project, tmp_path: Path) -> None:
    assert write_merged(project, ["lora_mine:0.5"], tmp_path / "merged").endswith("with lora_mine at 0.5")
    merged = released.from_pretrained(tmp_path / "merged").state_dict()
    mine = current(project, "lora_mine", Trained)
    by_hand = released.from_pretrained(project.root / resolve(project, "denoiser_video")[0].denoiser)
    adapters.merge(by_hand, adapters.read_adapter(mine.folder / mine.results.released), 0.5)
    assert all(torch.equal(merged[name], each) for name, each in by_hand.state_dict().items())
    with pytest.raises(SamplingError, match="is not empty"):
        write_merged(project, ["lora_mine"], tmp_path / "merged")
    with pytest.raises(SamplingError, match="denoiser_video step 4 has no adapters to merge"):
        write_merged(project, [], tmp_path / "other", "denoiser_video")
