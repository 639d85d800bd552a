"""One decoding for all scorers: what it hands to them, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from ops.config import Sampling, resolve
from ops.curation.clip import Clip, sampled_frames
from ops.curation.decoding import frames, held_frames, source_decoding
from ops.curation.decoding.frames import decoded_at, frames_at
from ops.curation.decoding.held_frames import HeldFrames
from ops.curation.decoding.source_decoding import Decoding, SourceTask
from ops.curation.measuring.one_pass import score_source
from ops.curation.measuring.scores import Cost
from ops.curation.measuring.worker_size import worker_size
from ops.curation.scorers import SCORERS, STEPS, Measure, Scorer
from ops.curation.scorers.base import device_of
from ops.runtime import device
from ops.runtime.project import Project

WEIGHT_FREE = {
    "shots": {"scorer": "picture-change", "min_frames": 12},
    "text_crop": {"scorer": "none"},
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "blur-and-blocks"},
    "rules": [],
}


@pytest.fixture
def task_of(project: Project, helpers: dict[str, Callable[..., Any]]) -> Callable[..., SourceTask]:
    def task(file: Path, *clips: Clip, step: str = "shots", **curation: Any) -> SourceTask:
        weight_free = helpers["recipe"](project, {**WEIGHT_FREE, **curation})
        return SourceTask(weight_free, weight_free.settings.curation, step, file, clips, {})

    return task


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file whose decoding begins from now on."""
    begun: list[Path] = []
    original = frames.opened

    def counted(path: Path, *rest: Any) -> Any:
        begun.append(path)
        return original(path, *rest)

    monkeypatch.setattr(frames, "opened", counted)
    return begun


def test_every_step_is_scored_in_one_decoding(tmp_path: Path, videos, task_of, decodings) -> None:
    """Two slices with a cut in the first: three pieces, each measured by every later step."""
    film = videos.hard_cut(tmp_path / "a.mp4", cuts=(30,), frames=96)
    clips = [Clip("x", *span, None, 24.0, 128, 96) for span in ((0, 60), (60, 96))]
    scores = score_source(task_of(film, *clips))
    assert decodings == [film]
    steps = [score.step for score in scores]
    assert {step: steps.count(step) for step in steps} == {
        **{"shots": 2, "text_crop": 3, "aesthetics": 3, "technical_quality": 3, "near_duplicates": 3, "decoding": 1}
    }
    assert len({score.key for score in scores}) == len(scores)


def test_what_was_measured_before_is_not_measured_again(tmp_path: Path, videos, task_of) -> None:
    film, clip = videos.slow_pan(tmp_path / "a.mp4"), Clip("x", 0, 48, None, 24.0, 128, 96)
    task = task_of(film, clip)
    first = score_source(task)
    assert [score.step for score in score_source(task)] == ["decoding"]
    known = {score.key: score.value for score in first if score.step != "aesthetics"}
    again = score_source(replace(task, known=known))
    assert [score.step for score in again] == ["aesthetics", "decoding"]
    assert again[0].value == next(score.value for score in first if score.step == "aesthetics")


def test_scores_carry_their_costs(tmp_path: Path, videos, task_of) -> None:
    film, clip = videos.slow_pan(tmp_path / "a.mp4"), Clip("x", 0, 48, None, 24.0, 128, 96)
    costs = {score.step: score.cost for score in score_source(task_of(film, clip))}
    assert costs["aesthetics"].bytes == 5 * 128 * 96 * 3
    assert costs["technical_quality"].bytes == 3 * 128 * 96
    assert costs["text_crop"].bytes == 0
    assert costs["shots"].bytes == 16 * 43 * 32 * 3
    assert costs["decoding"].bytes >= 16 * 128 * 96 * 3 // 2
    assert all(cost.gpu_seconds == 0 for cost in costs.values())
    assert all(cost.cpu_seconds > 0 for step, cost in costs.items() if step != "text_crop")
    assert costs["decoding"] != Cost(0.0, 0.0, 0)


def test_a_clip_that_is_out_costs_no_more(tmp_path: Path, videos, task_of) -> None:
    film, clip = videos.slow_pan(tmp_path / "a.mp4"), Clip("x", 0, 48, None, 24.0, 128, 96)
    rules = [{"score": "aesthetic", "minimum": 1000.0}]
    scores = score_source(task_of(film, clip, rules=rules))
    assert [score.step for score in scores] == ["shots", "text_crop", "aesthetics", "decoding"]


def test_pictures_have_the_size_that_is_asked_for(tmp_path: Path, videos) -> None:
    film = videos.slow_pan(tmp_path / "a.mp4")
    clip, held = Clip("x", 0, 48, None, 24.0, 128, 96), HeldFrames(short_side=64)
    for index, frame in decoded_at(film, range(4)):
        held.hold(index, frame)
    assert held.picture(2, clip, None, "rgb24").shape == (96, 128, 3)
    assert held.picture(2, clip, 32, "rgb24").shape == (32, 43, 3)
    assert held.picture(2, clip, 500, "rgb24").shape == (64, 85, 3)  # never above the sampling's own
    assert held.picture(2, clip, None, "gray").shape == (96, 128)
    assert held.picture(2, clip, 32, "rgb24") is held.picture(2, clip, 32, "rgb24")
    cropped = clip.cropped((0, 64, 0, 96))
    assert held.picture(2, cropped, None, "rgb24").shape == (96, 64, 3)
    assert held.picture(2, cropped, 32, "rgb24").shape == (48, 32, 3)
    (_, expected), *_ = frames_at(film, [2])
    np.testing.assert_array_equal(held.picture(2, clip, None, "rgb24"), expected)
    small = held.picture(2, clip, 32, "rgb24").astype(float)
    assert small.mean() == pytest.approx(expected.mean(), abs=2)
    held.forget(before=3)
    assert held.missing([2, 3, 4], unreduced=False) == [2, 4]


def test_turned_frames_are_held_upright(tmp_path: Path, videos) -> None:
    film, clip = videos.rotated(tmp_path / "a.mp4"), Clip("x", 0, 48, None, 24.0, 96, 128)
    held = HeldFrames(short_side=720)
    for index, frame in decoded_at(film, [5]):
        held.hold(index, frame)
    (_, expected), *_ = frames_at(film, [5])
    np.testing.assert_array_equal(held.picture(5, clip, None, "rgb24"), expected)
    assert held.picture(5, clip, 48, "rgb24").shape == (64, 48, 3)
    cropped = held.picture(5, clip.cropped((0, 96, 64, 128)), None, "rgb24")
    np.testing.assert_array_equal(cropped, expected[64:])


def test_large_frames_are_reduced_before_they_are_held(tmp_path: Path, videos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_frames, "LARGEST_HELD", 100 * 90)
    film, clip = videos.slow_pan(tmp_path / "a.mp4"), Clip("x", 0, 48, None, 24.0, 128, 96)
    held = HeldFrames(short_side=48)
    for index, frame in decoded_at(film, [5, 6]):
        held.hold(index, frame, whole=index == 6)
    assert held.missing([5, 6], unreduced=False) == []
    assert held.missing([5, 6], unreduced=True) == [5]
    assert held.picture(5, clip, 48, "rgb24").shape == (48, 64, 3)
    assert held.picture(6, clip, None, "rgb24").shape == (96, 128, 3)


@dataclass(frozen=True)
class EveryThumbnail(Scorer):
    """As a network that finds shots would: all frames, very small."""

    name = "picture-change"
    thumbnail = (48, 27)

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return list(range(clip.start, clip.end))

    def start(self, project: Project) -> Measure:
        return lambda pictures: [picture.shape for picture in pictures]

    def score(self, measure: Measure, pictures: Sequence[np.ndarray], of: str) -> Any:
        return measure(pictures)


@dataclass(frozen=True)
class ExactFrames(Scorer):
    """As DOVER does: frames of its own choice, at full size."""

    frames: int

    name = "blur-and-blocks"
    any_frame = True

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return [clip.start + 1, clip.start + 4, clip.end - 1]

    def side(self, clip: Clip, sampling: Sampling) -> None:
        return None

    def start(self, project: Project) -> Measure:
        return lambda pictures: float(sum(int(picture.sum()) for picture in pictures))


@dataclass(frozen=True)
class Together(Scorer):
    """As a network on an accelerator does: it takes several clips at once. It fails on those that it is told to."""

    frames: int

    name = "colourfulness"
    accelerator = True
    clips_at_once = 3
    batches: ClassVar[list[list[str]]] = []
    bad: ClassVar[str] = ""

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return sampled_frames(clip, sampling.frames_per_second)[: self.frames]

    def start(self, project: Project) -> Measure:
        return lambda pictures: np.stack(pictures).mean()

    def scores(self, measure: Measure, clips: Sequence[Sequence[np.ndarray]], of: Sequence[str]) -> list[Any]:
        self.batches.append(list(of))
        if self.bad in of:
            raise RuntimeError("the device is out of memory")
        return super().scores(measure, clips, of)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> type[Together]:
    """In the place of `colourfulness`, on a machine that seems to have an accelerator."""
    monkeypatch.setitem(SCORERS, "colourfulness", Together)
    monkeypatch.setattr(Scorer, "at_once", lambda self, project: self.clips_at_once)
    monkeypatch.setattr(Together, "batches", [])
    return Together


EIGHT = [Clip("x", start, start + 12, None, 24.0, 128, 96) for start in range(0, 96, 12)]
WITHOUT_MOTION_RULE = {"rules": [], "shots": {"scorer": "picture-change", "min_frames": 5}}


def test_an_accelerator_takes_several_clips_at_once(tmp_path: Path, videos, task_of, together, decodings) -> None:
    """Each has the number that it has alone, and the file is decoded once all the same."""
    film = videos.slow_pan(tmp_path / "a.mp4", frames=96)
    task = task_of(film, *EIGHT, step="aesthetics")
    scores = [score for score in score_source(task) if score.step == "aesthetics"]
    assert together.batches == [[clip.id for clip in part] for part in (EIGHT[:3], EIGHT[3:6], EIGHT[6:])]
    assert decodings == [film]
    alone = [score_source(task_of(film, clip, step="aesthetics"))[0] for clip in EIGHT]
    assert [(score.key, score.value) for score in scores] == [(score.key, score.value) for score in alone]
    assert [score.cost.bytes for score in scores] == [score.cost.bytes for score in alone]
    assert len({score.cost.cpu_seconds for score in scores[:3]}) == 1


def test_pieces_of_several_slices_are_taken_together(tmp_path: Path, videos, task_of, together) -> None:
    film = videos.hard_cut(tmp_path / "a.mp4", cuts=(30,), frames=96)
    slices = [Clip("x", *span, None, 24.0, 128, 96) for span in ((0, 60), (60, 96))]
    score_source(task_of(film, *slices))
    (batch,) = together.batches
    assert batch == [slices[0].part(0, 30).id, slices[0].part(30, 60).id, slices[1].id]


def test_clips_wait_for_others_only_while_there_is_room(
    tmp_path: Path, videos, task_of, together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_decoding, "MOST_WAITING", 5 * 128 * 96 * 3 // 2)  # a clip holds four frames
    film = videos.slow_pan(tmp_path / "a.mp4", frames=96)
    assert [len(group) for group in Decoding(task_of(film, *EIGHT, step="aesthetics")).groups()] == [2, 2, 2, 2]


@pytest.mark.parametrize("step", ["shots", "aesthetics"])
def test_a_clip_that_fails_fails_alone(
    tmp_path: Path, videos, task_of, together, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Asked for its own step it is an error; in a pass for an earlier one, its neighbours have their scores."""
    monkeypatch.setattr(together, "bad", EIGHT[1].id)
    task = task_of(videos.slow_pan(tmp_path / "a.mp4", frames=96), *EIGHT[:3], step=step, **WITHOUT_MOTION_RULE)
    if step == "aesthetics":
        with pytest.raises(RuntimeError, match="out of memory"):
            score_source(task)
    else:
        scores = score_source(task)
        measured = [score.key.partition(":")[2] for score in scores if score.step == "aesthetics"]
        assert measured == [EIGHT[0].id, EIGHT[2].id]


def test_a_scorer_may_ask_for_every_frame_as_a_thumbnail(
    tmp_path: Path, videos, task_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCORERS, "picture-change", EveryThumbnail)
    film, clip = videos.slow_pan(tmp_path / "a.mp4"), Clip("x", 10, 47, None, 24.0, 128, 96)
    (score, *_) = score_source(task_of(film, clip, shots={"scorer": "picture-change", "min_frames": 500}))
    assert score.value["distances"] == [(27, 48, 3)] * 37


@pytest.mark.parametrize(("most_held", "times"), [(2**30, 1), (1000, 2)])
def test_a_scorer_may_ask_for_exact_frames(
    tmp_path: Path, videos, task_of, decodings, monkeypatch: pytest.MonkeyPatch, most_held: int, times: int
) -> None:
    """Held where there is room, decoded again where there is not: the numbers are the same."""
    monkeypatch.setitem(SCORERS, "blur-and-blocks", ExactFrames)
    monkeypatch.setattr(source_decoding, "MOST_HELD", most_held)
    film, clip = videos.slow_pan(tmp_path / "a.mp4"), Clip("x", 3, 48, None, 24.0, 128, 96)
    assert not set(ExactFrames(3).wants(clip, Sampling())) <= set(sampled_frames(clip, 8.0))
    score = next(each for each in score_source(task_of(film, clip)) if each.step == "technical_quality")
    assert decodings == [film] * times
    assert score.value == sum(int(picture.sum()) for _, picture in frames_at(film, [4, 7, 47]))


def test_later_steps_make_no_thumbnails(tmp_path: Path, videos, task_of) -> None:
    film, clip = videos.slow_pan(tmp_path / "a.mp4"), Clip("x", 0, 48, None, 24.0, 128, 96)
    assert list(Decoding(task_of(film, clip)).thumbnails) == [(32, 32)]
    assert Decoding(task_of(film, clip, step="aesthetics")).thumbnails == {}


def test_networks_run_on_the_cpu_unless_the_recipe_says_otherwise(
    project: Project, helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with a GPU the recipe decides; without one both give the CPU."""
    monkeypatch.setattr(device, "available", lambda: ("cuda", "cpu"))
    assert device_of(helpers["recipe"](project)).type == "cpu"
    assert device_of(helpers["recipe"](project, {"accelerator": True})).type == "cuda"
    monkeypatch.setattr(device, "available", lambda: ("cpu",))
    assert device_of(helpers["recipe"](project, {"accelerator": True})).type == "cpu"


def test_a_worker_asks_for_an_accelerator_only_when_the_recipe_allows_it(project: Project, helpers) -> None:
    steps = ("shots", "text_crop")
    assert not worker_size(helpers["recipe"](project).settings.curation, steps).accelerator
    assert worker_size(helpers["recipe"](project, {"accelerator": True}).settings.curation, steps).accelerator
    weight_free = helpers["recipe"](project, {**WEIGHT_FREE, "accelerator": True}).settings.curation
    assert not worker_size(weight_free, steps).accelerator


@pytest.mark.parametrize("preset", ["tiny", "v1_1", "v1_3"])
def test_a_process_may_hold_all_scorers_of_a_preset(checkout: Path, preset: str) -> None:
    curation = resolve(checkout, preset, {}).curation
    assert worker_size(curation, STEPS).memory_gib < curation.memory_limit_gib


def test_the_cpu_is_no_accelerator_to_wait_for() -> None:
    assert device.busy_seconds(torch.device("cpu"), 0.0) == 0.0
