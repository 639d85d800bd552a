"""Folders of videos: what is scored, what is said of the rest, and the files that VBench's readers know."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ops.evaluation.vbench.folder import NothingToScore, score_folder
from ops.metrics.temporal_flickering import temporal_flickering
from ops.runtime.mp4 import read_mp4, write_mp4

STILL = "In a still frame, a stop sign"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


def film(folder: Path, name: str, frames: int = 6, side: int = 32, seed: int = 0, fps: float = 8) -> Path:
    """A picture that glides to the left."""
    wide = np.random.default_rng(seed).integers(0, 256, (side // 8, (side + frames) // 8 + 1, 3), dtype=np.uint8)
    wide = wide.repeat(8, 0).repeat(8, 1)
    write_mp4(folder / name, np.stack([wide[:, shift : shift + side] for shift in range(frames)]), fps)
    return folder / name


def by_name(found) -> dict:
    return {score.dimension.name: score for score in found.scores}


def test_a_folder_of_the_suite(project, videos: Path, tmp_path: Path) -> None:
    first, second = film(videos, f"{STILL}-0.mp4"), film(videos, f"{STILL}-1.mp4", seed=1)
    film(videos, "a red bicycle-0.mp4", seed=2)
    found = score_folder(project, videos, tmp_path / "to", "run")
    scores = by_name(found)
    assert len(scores) == 16
    flicker = scores["temporal_flickering"]
    expected = [temporal_flickering(read_mp4(path)) for path in (first, second)]
    assert flicker.interval.mean == pytest.approx(np.mean(expected))
    assert (flicker.found, flicker.expected, flicker.partial) == (2, 75 * 25, True)
    assert any("static filter" in note for note in flicker.notes)
    assert scores["color"].interval is None
    assert scores["color"].reason == "not available: needs grit"
    assert found.totals is None
    assert "part of the videos" in found.totals_reason

    theirs = json.loads(found.results.read_text())
    assert theirs.keys() == {"temporal_flickering"}
    mean, rows = theirs["temporal_flickering"]
    assert mean == pytest.approx(np.mean(expected))
    assert rows[0] == {"video_path": str(first), "video_results": pytest.approx(expected[0])}
    info = json.loads((tmp_path / "to" / "run_full_info.json").read_text())
    assert info[0] == {
        "prompt_en": STILL,
        "dimension": ["temporal_flickering"],
        "video_list": [str(first), str(second)],
    }
    assert info[1]["auxiliary_info"] == {"color": {"color": "red"}}
    said = json.loads((tmp_path / "to" / "run_scores.json").read_text())
    assert said["dimensions"]["temporal_flickering"]["expected"] == 1875
    assert said["dimensions"]["dynamic_degree"]["proof"] == "the network agrees with the published one on a parity case"
    assert said["protocol"] == "vbench/v1"


def test_what_was_measured_is_not_measured_again(project, videos: Path, tmp_path: Path, monkeypatch) -> None:
    film(videos, f"{STILL}-0.mp4")
    before = score_folder(project, videos, tmp_path / "to", "run", ["temporal_flickering"])
    monkeypatch.setattr("ops.runtime.mp4.read_mp4", None)
    after = score_folder(project, videos, tmp_path / "to", "run", ["temporal_flickering"])
    assert after.scores[0].interval == before.scores[0].interval
    film(videos, f"{STILL}-1.mp4", seed=3)
    with pytest.raises(TypeError):
        score_folder(project, videos, tmp_path / "to", "run", ["temporal_flickering"])


def test_bad_files_are_told_one_by_one(project, videos: Path, tmp_path: Path) -> None:
    film(videos, f"{STILL}-0.mp4")
    film(videos, f"{STILL}-1.mp4", frames=1)
    film(videos, f"{STILL}-2.mp4", frames=48, side=48)
    film(videos, f"{STILL}.mp4")
    film(videos, "a prompt of my own-0.mp4")
    (videos / f"{STILL}-3.mp4").write_bytes(b"no video")
    (videos / "notes.txt").write_text("not looked at")
    (videos / "and").mkdir()
    film(videos / "and", "or-0.mp4")
    found = score_folder(project, videos, tmp_path / "to", "run", ["temporal_flickering"])
    score = found.scores[0]
    assert score.interval.count == 2
    assert any("2 of 4 videos have no value" in note for note in score.notes)
    without = score.as_json()["without_a_value"]
    assert without[f"{STILL}-1.mp4"] == "has 1 of the 2 frames that temporal_flickering needs"
    assert "cannot be decoded" in without[f"{STILL}-3.mp4"]
    problems = " | ".join(found.problems)
    for part in (
        f"{STILL}.mp4 has no number after its prompt",
        "a prompt of my own-0.mp4 has no prompt of the suite",
        f"{STILL}-3.mp4 cannot be decoded",
        "and/ holds videos that are not looked at; a prompt with a slash",
        "videos differ: from 1 to 48 frames",
        "videos differ: from 32 to 48 pixels of height",
        "1 videos last 5 s and more",
    ):
        assert part in problems
    assert "notes.txt" not in problems


def test_prompts_of_ones_own(project, videos: Path, tmp_path: Path) -> None:
    film(videos, "clip.mp4")
    found = score_folder(
        project, videos, tmp_path / "to", "own", ["temporal_flickering", "color"], True, {"clip.mp4": "and/or"}
    )
    flicker, colour = found.scores
    assert (flicker.found, flicker.expected, flicker.partial) == (1, None, False)
    assert flicker.notes == []
    assert colour.interval is None
    assert found.totals_reason == "VBench defines no total for prompts of one's own"
    assert json.loads((tmp_path / "to" / "own_full_info.json").read_text())[0]["prompt_en"] == "and/or"


def test_what_cannot_be_scored_at_all_is_an_error(project, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'dynamic_degree'"):
        score_folder(project, videos, tmp_path, "run", ["dynamic_degre"])
    with pytest.raises(FileNotFoundError, match="--videos"):
        score_folder(project, tmp_path / "nowhere", tmp_path, "run")
    film(videos, "mine-0.mp4")
    with pytest.raises(NothingToScore, match="no prompt of the suite"):
        score_folder(project, videos, tmp_path, "run")
    with pytest.raises(ValueError, match=r"gone\.mp4"):
        score_folder(project, videos, tmp_path, "run", custom=True, prompts={"gone.mp4": "a cat"})


def put(project, entry: str, file: str, state: dict[str, torch.Tensor]) -> None:
    from ops.runtime.files import sha256

    folder = project.weights / entry
    folder.mkdir(parents=True)
    torch.save(state, folder / file)
    (folder / "SHA256SUMS").write_text(f"{sha256(folder / file)}  {file}\n")


@pytest.fixture
def filled(module_at, checkout: Path):
    """The weights of a parity case, as the published file has them."""
    case = module_at(checkout / "tests" / "parity_cases.py").MetricCase
    return lambda name: case(name).state_dict()


def test_networks_are_asked_about_files(project, videos: Path, tmp_path: Path, filled) -> None:
    """RAFT and AMT-S with the weights of their cases: they say of real files what they say of their frames."""
    put(project, "raft", "raft-things.pth", {f"module.{name}": value for name, value in filled("raft").items()})
    put(project, "amt", "amt-s.pth", {"state_dict": filled("amt_s")})
    film(videos, "a person swimming in ocean-0.mp4", frames=5, side=128, fps=16)
    film(videos, f"{STILL}-0.mp4", frames=3, side=128)
    film(videos, f"{STILL}-1.mp4", frames=3, side=64, seed=1)
    wanted = ["motion_smoothness", "dynamic_degree", "temporal_flickering"]
    found = by_name(score_folder(project, videos, tmp_path / "to", "run", wanted))
    assert 0 < found["motion_smoothness"].interval.mean < 1
    moving = found["dynamic_degree"].their_rows()
    assert [type(row["video_results"]) for row in moving] == [bool]
    flicker = found["temporal_flickering"]
    assert any(note.startswith("static filter: ") for note in flicker.notes)
    assert "1 videos are too small or short for it, and left out" in flicker.notes


def test_weights_of_another_network_are_a_row(project, videos: Path, tmp_path: Path, filled) -> None:
    put(project, "dino", "dino_vitbase16_pretrain.pth", {"state_dict": filled("amt_s")})
    film(videos, "a person swimming in ocean-0.mp4")
    score = score_folder(project, videos, tmp_path / "to", "run", ["subject_consistency"]).scores[0]
    assert score.interval is None
    assert "not DINO's ViT-B/16" in score.reason
    assert "github.com/facebookresearch/dino" in score.reason
