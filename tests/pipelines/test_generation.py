"""What `soraflow generate` is told, before anything is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.config import WronglyCalled
from ops.runtime.project import Project
from ops.sampling.request import SamplingError
from pipelines.terminal.generation import Asked, Wanted

FILE = Path(__file__)


def test_each_way_of_giving_frames() -> None:
    ways = {
        "i2v": Asked(image=FILE),
        "transition": Asked(first=FILE, last=FILE),
        "continuation": Asked(continued=FILE, count=9),
    }
    for mask, asked in ways.items():
        given = asked.given()
        assert given is not None
        assert (given.mask, given.count) == (mask, asked.count)
        assert {file.path for file in given.files} == {FILE}
    assert Asked().given() is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(image=FILE, first=FILE), "--image as well as --first and --last say which frames are given"),
        (Asked(image=FILE, continued=FILE), "--image as well as --continue"),
        (Asked(first=FILE), "--last is missing: a transition has both; for a first frame alone there is --image"),
        (Asked(last=FILE), "--first is missing"),
        (Asked(count=5), "it goes with --continue alone"),
        (Asked(image=FILE, count=5), "it goes with --continue alone"),
    ],
)
def test_options_that_contradict_each_other_are_refused(asked: Asked, message: str) -> None:
    with pytest.raises(WronglyCalled, match=message):
        asked.given()


def wanted(prompt: str | None = None, prompts: Path | None = None, count: int = 1, **settings: Any) -> Wanted:
    return Wanted(prompt, prompts, count, None, Asked(), settings)


def test_each_prompt_of_a_file_is_asked_for_with_each_seed(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a cat\na dog\na cat\n", encoding="utf-8")
    found = wanted(prompts=file, count=2, steps=3, negative_prompt="rain").requests(project)
    assert [(each.prompt, each.seed) for each in found] == [("a cat", 0), ("a cat", 1), ("a dog", 0), ("a dog", 1)]
    assert {(each.steps, each.negative_prompt, each.sampler) for each in found} == {(3, "rain", "ddim")}
    assert {each.frames for each in found} == {project.settings.evaluation.num_frames}


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (wanted("a cat", FILE), WronglyCalled, "a prompt as well as --prompts"),
        (wanted(), WronglyCalled, "what should be shown"),
        (wanted("a cat", count=0), SamplingError, "count is 0, but must be at least 1"),
        (wanted(prompts=Path("nowhere.txt")), SamplingError, r"no file of prompts nowhere\.txt"),
    ],
)
def test_what_asks_for_no_video_is_refused(project: Project, asked: Wanted, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        asked.requests(project)


def test_what_is_made_again_takes_nothing_else() -> None:
    wanted(steps=None).require_nothing_else(None, 1, None)
    with pytest.raises(WronglyCalled, match=r"leave a prompt, --guidance-rescale, --count, --checkpoint, --lora out"):
        wanted("a cat", count=3, guidance_rescale=0.7).require_nothing_else("champion", 1, None, ["lora_mine"])
