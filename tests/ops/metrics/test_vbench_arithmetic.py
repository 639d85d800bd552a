"""The arithmetic of VBench's dimensions on given detections, captions, features and flows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ops.metrics.base import Value
from ops.metrics.color import Color, object_of, share_in
from ops.metrics.dynamic_degree import apart, moves
from ops.metrics.multiple_objects import both
from ops.metrics.networks.consistency import consistency
from ops.metrics.networks.detections import Found
from ops.metrics.networks.frames import for_clip, for_dino, middle_frames
from ops.metrics.object_class import ObjectClass, share_with
from ops.metrics.scene import Scene, share_told
from ops.metrics.spatial_relationship import SpatialRelationship, frame_score

CASES = Path(__file__).parent / "cases"
GRIT = json.loads((CASES / "vbench_grit_metrics.json").read_text())
SCENE = json.loads((CASES / "vbench_scene_metric.json").read_text())
VIDEOS = [
    [[Found(each["name"], each["description"], each["box"]) for each in frame] for frame in video]
    for video in GRIT["detections"]
]


def rows(dimension: str) -> list[dict]:
    return [row for row in GRIT["rows"] if row["dimension"] == dimension]


@pytest.mark.parametrize("row", [*rows("object_class"), *rows("multiple_objects")], ids=lambda row: row["object"])
def test_objects(row) -> None:
    names = both(row["object"]) if row["dimension"] == "multiple_objects" else {row["object"]}
    found = [share_with(video, names) for video in VIDEOS]
    assert [each.terms["total"] for each in found] == row["per_video_success"]
    assert ObjectClass().over(found).mean == pytest.approx(row["value"], abs=1e-9)


@pytest.mark.parametrize("row", rows("color"), ids=lambda row: row["prompt"])
def test_colours(row) -> None:
    name = object_of(row["prompt"], row["color"])
    assert name == row["object_from_prompt"]
    found = [share_in(video, name, row["color"]) for video in VIDEOS]
    assert [each.terms["seen"] for each in found] == row["seen"]
    assert [each.terms["right"] for each in found] == row["right"]
    score = Color().over(found)
    assert score.mean == pytest.approx(row["value"], abs=1e-9)
    assert score.count == row["videos_counted"]


@pytest.mark.parametrize(
    "row", rows("spatial_relationship"), ids=lambda row: f"{row['object_a']}, {row['relationship']}"
)
def test_places(row) -> None:
    names = {row["object_a"], row["object_b"]}
    scores = [[frame_score(frame, names, row["relationship"]) for frame in video] for video in VIDEOS]
    assert [score for video in scores for score in video] == pytest.approx(
        [score for video in row["frame_scores"] for score in video], abs=1e-9
    )
    found = [Value(sum(video) / len(video), {"total": sum(video), "parts": len(video)}) for video in scores]
    assert [each.value for each in found] == pytest.approx(row["per_video"], abs=1e-9)
    assert SpatialRelationship().over(found).mean == pytest.approx(row["value"], abs=1e-9)


def test_boxes_without_a_pixel_do_not_divide_by_zero() -> None:
    found = [Found("cat", "cat", (5.2, 5.2, 5.8, 5.8)), Found("dog", "dog", (9.2, 5.2, 9.8, 5.8))]
    assert frame_score(found, {"cat", "dog"}, "on the left of") == 1.0


@pytest.mark.parametrize("row", SCENE["rows"], ids=lambda row: row["scene"])
def test_scenes(row) -> None:
    found = share_told(SCENE["captions"], row["scene"])
    assert (found.terms["total"], found.terms["parts"]) == (row["success"], row["frames"])
    assert found.value == row["value"]
    assert (Scene().name, Scene(batched=False).name) == ("scene", "scene_of_each_frame")


def test_consistency_by_hand() -> None:
    """To the frame before 0 and 1, to the first one 0 and 0; a cosine below 0 counts 0."""
    found = consistency(torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]))
    assert found.value == pytest.approx((0 + 0.5) / 2)
    assert found.terms == {"total": 0.5, "parts": 2}
    assert consistency(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])).value == 0
    assert consistency(torch.ones(4, 8)).value == pytest.approx(1)


@pytest.mark.parametrize(("fps", "every"), [(8, 1), (24, 3), (30, 4), (2, 1), (60, 8)])
def test_about_eight_frames_a_second_are_looked_at(fps: float, every: int) -> None:
    assert apart(fps) == every


def test_enough_of_the_flow_must_be_large() -> None:
    """Of 16 frames 4 pairs above 6 pixels on a side of 256."""
    assert moves([7.0] * 4 + [1.0] * 11, 16, 256)
    assert not moves([7.0] * 3 + [1.0] * 12, 16, 256)
    assert not moves([7.0] * 4 + [1.0] * 11, 16, 512)


def test_frames_in_the_middle_of_sixteen_parts() -> None:
    assert middle_frames(16) == list(range(16))
    assert middle_frames(48) == list(range(1, 48, 3))
    assert middle_frames(3) == [0, 1, 2] + [2] * 13
    assert middle_frames(1) == [0] * 16


def test_frames_for_networks_have_their_size() -> None:
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 90, 160), dtype=np.uint8))
    assert for_clip(frames).shape == (2, 3, 224, 224)
    assert for_dino(frames).shape == (2, 3, 224, 398)
    assert for_dino(frames.mT).shape == (2, 3, 398, 224)
    white = for_clip(torch.full((1, 3, 32, 32), 255, dtype=torch.uint8))
    assert white[0, :, 0, 0].tolist() == pytest.approx(
        [(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711], rel=1e-5
    )
