from __future__ import annotations

import json

import pytest

from ops.evaluation.vbench.dimensions import DIMENSIONS
from ops.evaluation.vbench.suite import Suite, expected_files, file_name, read, split_name, suite

PROMPTS = {
    "subject_consistency": 72,
    "motion_smoothness": 72,
    "dynamic_degree": 72,
    "scene": 86,
    "background_consistency": 86,
    "overall_consistency": 93,
    "aesthetic_quality": 93,
    "imaging_quality": 93,
    "temporal_flickering": 75,
    "object_class": 79,
    "multiple_objects": 82,
    "color": 85,
    "spatial_relationship": 84,
    "human_action": 100,
    "appearance_style": 90,
    "temporal_style": 100,
}


@pytest.fixture
def official(project) -> Suite:
    return suite(project)


def test_the_official_suite(official: Suite) -> None:
    assert len(official) == 944
    assert {dimension.name: len(official.of(dimension.name)) for dimension in DIMENSIONS} == PROMPTS
    twice = [
        prompt for prompt in official.values() if {"appearance_style", "overall_consistency"} <= {*prompt.dimensions}
    ]
    assert len(twice) == 2
    assert len(expected_files(official.values())) == 6230 - 2 * 5
    assert max(len(prompt.encode()) for prompt in official) == 210


def test_what_is_asked_for(official: Suite) -> None:
    assert official.asked("a red bicycle") == {"color": {"color": "red"}}
    assert official.asked("a bird and a cat") == {"multiple_objects": {"object": "bird and cat"}}
    assert official.asked("alley") == {"scene": {"scene": "alley"}}
    beside = official.asked("a bicycle on the left of a car, front view")["spatial_relationship"]
    assert beside == {"object_a": "bicycle", "object_b": "car", "relationship": "on the left of"}
    assert official.asked("A person is riding a bike") == {}
    assert official.asked("no prompt of it") == official.asked(None) == {}


def test_file_names() -> None:
    assert file_name("a cat", 3) == "a cat-3.mp4"
    assert split_name("a well-lit room-12") == ("a well-lit room", 12)
    assert split_name("a well-lit room") == ("a well-lit room", None)
    with pytest.raises(ValueError, match="slash"):
        file_name("and/or", 0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"prompt": "a cat"}], "no prompt_en"),
        ([{"prompt_en": "a cat", "dimension": ["cuteness"]}], "cuteness"),
    ],
)
def test_another_file_is_refused(tmp_path, rows, said: str) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match=said):
        read(path)
