"""What every entry of the registry must say of itself, and what the interface carries beyond the mean of a value."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ops.evaluation.protocol import Protocol
from ops.evaluation.protocols import of_metric
from ops.metrics import registry
from ops.metrics.base import Frames, Measure, Needs, Value, Video, VideoMetric
from ops.metrics.registry import METRICS, deciding, of_generated, of_reconstructions
from ops.runtime.project import Project
from ops.statistics.bootstrap import Interval
from ops.weights import MissingWeights

RANDOM = np.random.default_rng(0)
NOISE: Frames = RANDOM.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
MADE = Protocol("t2v-custom/v1", {"seeds": [0]}, {"temporal_flickering": "1"})


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_says_what_it_is(metric) -> None:
    assert METRICS[metric.name] is metric
    assert metric.version
    assert isinstance(metric.higher_is_better, bool)
    assert metric.decides == (metric.fooled_by is None)


OF_VIDEOS = [*of_reconstructions(), *of_generated()]
FITTING = Video(NOISE, prompt="a red circle moves left", reference=NOISE)
HERE = ("lpips-alex", "minilm-l6", "vbench-suite", "clip-words")
"""Weights that packages hold, so that tests have them."""


def test_what_packages_hold_is_measured_and_the_rest_says_what_it_needs(project: Project) -> None:
    for metric in OF_VIDEOS:
        absent = {*metric.needs.weights} - {*HERE}
        assert {*metric.missing(project)} >= absent
        if absent:
            with pytest.raises(MissingWeights, match=f"put .* into .*{project.weights}"):
                metric.start(project)


@pytest.mark.parametrize(
    "metric", [each for each in OF_VIDEOS if {*each.needs.weights} <= {*HERE}], ids=lambda metric: metric.name
)
def test_every_metric_of_videos_measures_one_and_says_why_it_cannot(metric: VideoMetric, project: Project) -> None:
    measure = metric.start(project)
    found = metric.value(measure, FITTING)
    assert found.value is not None
    assert found.reason is None
    assert {name: type(term) for name, term in found.terms.items()} == dict(metric.terms)
    assert metric.over([found, found]).mean == found.value
    assert of_metric(metric, MADE, project) == of_metric(metric, MADE, project)


@pytest.mark.parametrize("metric", OF_VIDEOS, ids=lambda metric: metric.name)
def test_every_metric_of_videos_says_why_it_cannot_measure_one(metric: VideoMetric) -> None:
    def never(video: Video) -> Value:
        raise AssertionError("it was given a video that does not fit")

    needs, prompt = metric.needs, FITTING.prompt
    unfit = [(needs.prompt, Video(NOISE, reference=NOISE)), (needs.reference, Video(NOISE, prompt=prompt))]
    unfit.append((needs.frames > 1, Video(NOISE[:1], prompt, NOISE[:1])))
    unfit.append((needs.side > 1, Video(NOISE[:, :, : needs.side - 1], prompt, NOISE)))
    large = np.zeros((12, 128, 128, 3), np.uint8)
    unfit.append((needs.fps, Video(large, prompt)))
    unfit.append((needs.asked is not None, Video(large, prompt, fps=8)))
    for asked, video in unfit:
        if asked:
            missed = metric.value(never, video)
            assert missed.value is None
            assert missed.reason
            assert metric.name in missed.reason


def test_what_a_broken_model_wins_does_not_decide(project: Project) -> None:
    assert deciding() == ["held_out_loss", "truth_all"]
    flickering = METRICS["temporal_flickering"]
    assert isinstance(flickering, VideoMetric)
    measure = flickering.start(project)
    frozen, moving = (measure(Video(frames)).value for frames in (NOISE[[0] * 5], NOISE))
    assert frozen == 1.0
    assert moving is not None
    assert moving < frozen
    assert flickering.fooled_by == "a frozen video"


def test_an_unknown_name_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(KeyError, match="did you mean 'temporal_flickering'"):
        registry.named("temporal_flicker")
    assert registry.named("lpips").higher_is_better is False


def test_reading_the_registry_loads_no_network() -> None:
    code = "import sys, ops.metrics.registry; print(*sys.modules)"
    root = Path(__file__).parents[3]
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert not {"torch", "lpips", "scipy", "mlflow", "pandas"} & set(loaded.split())


def test_a_protocol_names_the_metric_and_its_weights(project: Project) -> None:
    lpips, truth, flickering = (METRICS[name] for name in ("lpips", "truth_colour", "temporal_flickering"))
    assert isinstance(lpips, VideoMetric)
    assert isinstance(truth, VideoMetric)
    assert isinstance(flickering, VideoMetric)
    assert of_metric(flickering, MADE, project).id == MADE.id
    assert of_metric(lpips, MADE, project).weights["lpips"].startswith("9f97fd313f4d")
    assert of_metric(truth, MADE, project) == Protocol("made-world/v1", MADE.terms, {"detector": "2"})


def test_metrics_share_what_is_read_of_a_video() -> None:
    read = []

    def brightness(frames: Frames) -> float:
        read.append(len(frames))
        return float(frames.mean())

    video = Video(NOISE, "one prompt")
    assert video.once(brightness) == video.asked_for("another").once(brightness) == NOISE.mean()
    assert read == [5]


class MeanColourDistance(VideoMetric):
    """Of a set: how far its mean colour is from grey. A video by itself has features and no value."""

    name, version = "mean_colour_distance", "1"
    higher_is_better = False
    needs = Needs(accelerator=True, weights=("lpips-alex", "raft"))

    def start(self, project: Project) -> Measure:
        return lambda video: Value(None, {"colour": video.frames.mean(axis=(0, 1, 2)).tolist()})

    def over(self, values: Sequence[Value]) -> Interval:
        colours = np.array([each.terms["colour"] for each in values])
        distance = float(np.abs(colours.mean(axis=0) - 128).max())
        return Interval(distance, distance, distance, len(values))


def test_a_set_is_scored_from_what_was_kept_of_each_video(project: Project) -> None:
    metric = MeanColourDistance()
    measure = metric.start(project)
    red, cyan = np.zeros((2, 1, 8, 8, 3), np.uint8)
    red[..., 0], cyan[..., 1:] = 255, 255
    found = [metric.value(measure, Video(frames)) for frames in (red, cyan)]
    assert metric.over(found[:1]).mean == 128
    assert metric.over(found).mean == 0.5


def test_what_is_missing_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from ops.runtime import device

    monkeypatch.setattr(device, "available", lambda: ("cpu",))
    assert MeanColourDistance().missing(project) == ["raft", "an accelerator"]
