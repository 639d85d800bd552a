from __future__ import annotations

import hashlib
import json
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from models.dover import TechnicalBranch
from ops import weights
from ops.config import Sampling, resolve
from ops.curation.clip import Clip
from ops.curation.decoding.frames import decoded, upright
from ops.curation.scorers import demand_weights
from ops.curation.scorers.dover import DEVIATION, MEAN, Dover, DoverScorer, fragments, load, scaled
from ops.runtime.project import Project
from ops.weights.checkpoints import WrongCheckpoint

CLIP = Clip("ab" * 32, 100, 400, None, 25.0, 640, 360)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the published layout, with something of the aesthetic branch beside them."""
    torch.manual_seed(0)
    branch = TechnicalBranch()
    for name, value in branch.named_parameters():
        if name.endswith("weight") and value.dim() > 1:
            value.data *= 1.5  # random ones would forget the picture
    aesthetic = {"aesthetic_backbone.norm.weight": torch.ones(768), "aesthetic_head.fc_hid.bias": torch.zeros(64)}
    path = tmp_path_factory.mktemp("dover") / "DOVER.pth"
    torch.save(OrderedDict({**aesthetic, **branch.state_dict()}), path)
    return path


def test_goldens_of_the_scale() -> None:
    assert scaled(0.1107) == pytest.approx(0)
    assert scaled(0.0) == pytest.approx(-1.50510, abs=5e-6)
    assert scaled(0.2) == pytest.approx(1.21414, abs=5e-6)


def test_frames_are_the_clips_and_drawn_by_its_id() -> None:
    scorer, sampling = DoverScorer(), Sampling()
    wanted = scorer.wants(CLIP, sampling)
    assert len(wanted) == 96
    assert wanted == scorer.wants(CLIP, sampling)
    assert wanted != scorer.wants(Clip("cd" * 32, 100, 400, None, 25.0, 640, 360), sampling)
    assert wanted == sorted(wanted)
    assert 100 <= wanted[0] < wanted[-1] < 400
    assert scorer.side(CLIP, sampling) is None


def test_patches_stay_in_place_within_a_segment_only() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (500, 700, 3), np.uint8)
    cut = fragments([picture] * 96, "12")
    assert (cut.shape, cut.dtype) == ((3, 32, 224, 224, 3), np.uint8)
    assert (cut == cut[:, :1]).all()
    assert not np.array_equal(cut[0], cut[1])
    assert np.array_equal(cut, fragments([picture] * 96, "12"))
    assert not np.array_equal(cut, fragments([picture] * 96, "13"))


def test_the_network_sees_normalised_colours(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    dover, seen = Dover(checkpoint, torch.device("cpu")), []
    monkeypatch.setattr(dover, "_branch", lambda pixels: (seen.append(pixels), pixels.mean())[1])
    picture = np.empty((300, 300, 3), np.uint8)
    picture[:] = (200, 100, 50)
    dover(fragments([picture] * 96, "0"))
    assert [pixels.shape for pixels in seen] == [(3, 3, 32, 224, 224)]
    expected = (np.array([200, 100, 50]) - MEAN) / DEVIATION
    np.testing.assert_allclose(seen[0].mean(dim=(0, 2, 3, 4)).numpy(), expected, atol=1e-4)


def test_what_a_training_saves_is_read_too(checkpoint: Path, tmp_path: Path) -> None:
    torch.save(
        {"state_dict": torch.load(checkpoint, weights_only=True), "validation_results": (0.8, 0.9)}, tmp_path / "x"
    )
    plain, wrapped = load(checkpoint).state_dict(), load(tmp_path / "x").state_dict()
    assert all(torch.equal(value, wrapped[name]) for name, value in plain.items())


def test_wrong_files_are_named(checkpoint: Path, tmp_path: Path) -> None:
    import pickle

    state = torch.load(checkpoint, weights_only=True)
    del state["technical_head.fc_last.bias"]
    files = {"lacking": state, "list": [1, 2]}
    for name, content in files.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "text").write_text("not here, moved permanently")
    (tmp_path / "code").write_bytes(pickle.dumps({"x": Path("y")}, protocol=2))
    (tmp_path / "empty").write_bytes(b"")
    messages = {}
    for name in (*files, "text", "code", "empty"):
        with pytest.raises(WrongCheckpoint) as error:
            load(tmp_path / name)
        messages[name] = str(error.value)
        assert str(tmp_path / name) in messages[name]
        assert "github.com/VQAssessment/DOVER" in messages[name]
    assert "1 missing: technical_head.fc_last.bias" in messages["lacking"]
    assert "holds a list" in messages["list"]
    assert "no file of tensors" in messages["code"]


@pytest.mark.slow
def test_a_clip_is_scored_by_the_real_step(
    checkpoint: Path, project: Project, videos, helpers, shared_weights: Path
) -> None:
    """A film of 150 frames, of which DOVER sees most: through decoding and cutting out, to the column of the table."""
    film = videos.write(project.root / "films" / "pan.mp4", videos.panning(2, 150, width=320, height=240))
    folder = project.weights / "dover"
    folder.mkdir(parents=True)
    shutil.copy(checkpoint, folder)
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(checkpoint.read_bytes()).hexdigest()}  DOVER.pth\n")
    scorer = {"technical_quality": {"scorer": "dover"}}
    project = helpers["recipe"](
        project, {**scorer, "rules": {"technical": {"minimum": -1000.0, "maximum": None}}}, videos="films"
    )
    helpers["run"](project, "raw_videos", "clips", "shots", "motion", "text_crop", "aesthetics", "technical_quality")
    (row,) = helpers["rows_of"](project, "technical_quality")
    assert row["rejected_by"] is None, row["reason"]

    clip, frames = Clip.of(row), [upright(frame) for frame in decoded(film)]
    pictures = [frames[index] for index in DoverScorer().wants(clip, Sampling())]
    direct = Dover(checkpoint, torch.device("cpu"))([*fragments(pictures, clip.id)])
    assert row["technical"] == pytest.approx(direct, abs=1e-5)
    assert abs(row["technical"]) > 1e-4
    assert row["technical_scaled"] == pytest.approx((row["technical"] - 0.1107) / 0.07355)
    assert json.loads(row["technical_quality_scorer"])["scorer"] == "dover"

    strict = {**scorer, "rules": {"technical": {"minimum": row["technical"] + 0.01, "maximum": None}}}
    helpers["run"](helpers["recipe"](project, strict, videos="films"), "technical_quality")
    (row,) = helpers["rows_of"](project, "technical_quality")
    assert (row["rejected_by"], row["reason_code"]) == ("technical_quality", "low_quality")


def test_without_weights_the_licence_and_a_way_out_are_told(project: Project, checkout: Path) -> None:
    curation = resolve(checkout, "v1_3", {}).curation
    with pytest.raises(weights.MissingWeights) as error:
        demand_weights(project, curation, ["technical_quality"])
    message = str(error.value)
    assert "curation.technical_quality.scorer is 'dover'" in message
    for part in ("S-Lab 1.0, non-commercial", "DOVER.pth", str(project.weights / "dover"), "set scorer: brisque"):
        assert part in message
    assert "does not carry" not in message
