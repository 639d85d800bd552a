"""Samples, VBench rows, checkpoint scores: one chain, run once on the small world."""

import json
from pathlib import Path

import pytest

from ops.evaluation import checkpoint_scores, samples, truth, vbench
from ops.evaluation.checkpoint_scores import NoBestCheckpoint, ScoresResults, best_step
from ops.evaluation.protocol import Protocol, Score
from ops.evaluation.samples import SamplesResults, safe_name, scored_steps
from ops.evaluation.vbench.score import VbenchResults
from ops.metrics.base import Measure, Needs, Value, VideoMetric
from ops.metrics.registry import METRICS
from ops.runtime import tables
from ops.runtime.artifacts import current
from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4
from ops.runtime.project import Project
from ops.training.results import Trained


def test_the_newest_checkpoints_and_the_best_are_sampled(trained_world) -> None:
    denoiser = current(trained_world.project, "denoiser_video", Trained)
    assert scored_steps(denoiser, newest=2) == [4, 6, 8]
    assert scored_steps(denoiser, newest=1) == [4, 8]


def test_sampling_goes_on_where_it_stopped_and_gives_the_same_bytes(world) -> None:
    artifact = samples.make_samples(world.project)
    assert artifact.results.steps == (4, 6, 8)
    assert artifact.results.videos == 6
    manifest = tables.read(artifact.folder / "manifest.parquet")
    hashes = {row["file"]: row["sha256"] for row in manifest}
    assert sorted(hashes)[0] == "step_000004/00-a-grey-square-seed_0.mp4"
    assert len(set(hashes.values())) == 6
    beside = json.loads((artifact.folder / "step_000004" / "00-a-grey-square-seed_0.json").read_text())
    assert beside["request"]["prompt"] == "a grey square"
    assert beside["model"]["step"] == 4
    assert (artifact.folder / "contact_sheet.png").stat().st_size > 1000

    (artifact.folder / "artifact.json").unlink()
    (artifact.folder / "step_000008" / "01-a-red-square-seed_0.mp4").unlink()
    untouched = artifact.folder / "step_000004" / "00-a-grey-square-seed_0.mp4"
    stamp = untouched.stat().st_mtime_ns
    assert samples.make_samples(world.project) == artifact
    assert untouched.stat().st_mtime_ns == stamp
    assert {row["file"]: sha256(artifact.folder / row["file"]) for row in manifest} == hashes


@pytest.fixture(scope="module")
def scored(trained_world, tmp_path_factory):
    """The chain up to checkpoint scores, in one copy of the world for the tests below."""
    import shutil

    root = tmp_path_factory.mktemp("scored") / "project"
    shutil.copytree(trained_world.project.root, root)
    project = Project(root)
    samples.make_samples(project)
    vbench.score(project)
    truth.score(project)
    checkpoint_scores.score(project)
    return project


def test_fifteen_dimensions_say_what_they_need_and_one_has_a_score(scored) -> None:
    artifact = current(scored, "vbench", VbenchResults)
    rows = [row for row in artifact.results.scores if row.step == 4]
    assert len(rows) == 16
    measured = [row for row in rows if row.score is not None]
    assert [row.dimension for row in measured] == ["temporal_flickering"]
    assert 0 < measured[0].score < 1
    assert measured[0].videos == 2
    assert "needs raft" in measured[0].note
    reasons = {row.dimension: row.reason for row in rows}
    assert reasons["aesthetic_quality"] == "not available: needs clip-l14, laion-v1"
    assert reasons["temporal_flickering"] is None
    assert artifact.results.totals == {}
    assert "no total without all 16 dimensions" in artifact.results.totals_reason
    assert vbench.score(scored) == artifact


def test_the_best_checkpoint_is_chosen_by_held_out_loss_not_by_age(scored) -> None:
    results = current(scored, "checkpoint_scores", ScoresResults).results
    assert (results.metric, results.best_step) == ("held_out_loss", 4)
    assert [row.step for row in results.checkpoints] == [4, 6, 8]
    assert results.metrics == ("held_out_loss", "temporal_flickering")
    assert results.checkpoints[0].values["held_out_loss"] == 0.4
    assert results.protocols["temporal_flickering"].startswith("t2v-custom/v1#")
    reasons = {row.metric: row.reason for row in results.scores}
    assert "needs dino" in reasons["subject_consistency"]


def test_scores_hang_on_the_logged_models(scored) -> None:
    from mlflow.tracking import MlflowClient

    results = current(scored, "checkpoint_scores", ScoresResults).results
    client = MlflowClient(scored.tracking_uri)
    for row in results.checkpoints:
        metrics = {metric.key: metric.value for metric in client.get_logged_model(row.logged_model).metrics}
        assert metrics == pytest.approx(row.values)


def test_a_video_of_each_prompt_lies_in_mlflow_large_enough_to_be_seen(scored) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(scored.tracking_uri)
    run_id = json.loads((current(scored, "checkpoint_scores", ScoresResults).folder / "run.json").read_text())["run_id"]
    assert client.get_run(run_id).info.run_name.startswith("scores · ")
    assert {file.path for file in client.list_artifacts(run_id, "samples")} == {
        "samples/contact_sheet.png",
        *(f"samples/step_00000{step}" for step in (4, 6, 8)),
    }
    shown = [file.path for file in client.list_artifacts(run_id, "samples/step_000004")]
    assert [path.rpartition("/")[2] for path in shown] == ["00-a-grey-square-seed_0.mp4", "01-a-red-square-seed_0.mp4"]
    large = read_mp4(Path(client.download_artifacts(run_id, shown[1])))
    small = read_mp4(current(scored, "samples", SamplesResults).folder / "step_000004" / "01-a-red-square-seed_0.mp4")
    assert large.shape == (5, 256, 256, 3)
    assert abs(large[:, 4::8, 4::8].astype(int) - small).mean() < 12


def test_scoring_again_logs_nothing_twice(scored) -> None:
    from mlflow.tracking import MlflowClient

    artifact = current(scored, "checkpoint_scores", ScoresResults)
    run_id = json.loads((artifact.folder / "run.json").read_text())["run_id"]
    (artifact.folder / "artifact.json").unlink()
    assert checkpoint_scores.score(scored) == artifact
    history = MlflowClient(scored.tracking_uri).get_metric_history(run_id, "held_out_loss")
    assert [metric.step for metric in history] == [4, 6, 8]


class Greyness(VideoMetric):
    """A dimension with a runner: in a file of its own it would be this class and an entry of the registry."""

    name, version = "dynamic_degree", "7"
    higher_is_better = True
    needs = Needs(frames=2)

    def start(self, project: Project) -> Measure:
        return lambda video: Value(float(video.frames.std(axis=-1).mean() < 40))


def test_a_dimension_is_one_class_and_one_entry(world, monkeypatch: pytest.MonkeyPatch) -> None:
    samples.make_samples(world.project)
    before = vbench.score(world.project)
    monkeypatch.setitem(METRICS, Greyness.name, Greyness())
    after = vbench.score(world.project)
    measured = [row.dimension for row in after.results.dimensions if row.score is not None]
    assert measured == ["temporal_flickering", "dynamic_degree"]
    assert len(tables.read(after.folder / "videos.parquet")) == 2 * len(tables.read(before.folder / "videos.parquet"))
    scores = {score.metric: score for score in vbench.scores_of(after, 4)}
    assert scores["dynamic_degree"].protocol.metrics == {"dynamic_degree": "7"}
    old = {score.metric: score for score in vbench.scores_of(before, 4)}
    assert scores["temporal_flickering"] == old["temporal_flickering"]  # under the same protocol
    made = current(world.project, "samples", SamplesResults)
    assert made.version == before.inputs["samples"]  # and nothing was sampled again


def test_a_video_without_a_value_leaves_its_dimension_without_a_score(world, monkeypatch: pytest.MonkeyPatch) -> None:
    samples.make_samples(world.project)
    monkeypatch.setattr(Greyness, "needs", Needs(frames=99))
    monkeypatch.setitem(METRICS, Greyness.name, Greyness())
    rows = {row.dimension: row for row in vbench.score(world.project).results.dimensions}
    told = "not available: 2 of 2 videos: has 5 of the 99 frames that dynamic_degree needs"
    assert (rows["dynamic_degree"].score, rows["dynamic_degree"].reason) == (None, told)


PROTOCOL = Protocol("p", {})


def scores(value: float | None, reason: str | None = None) -> list[Score]:
    return [Score("flicker", value, PROTOCOL, higher_is_better=True, reason=reason)]


def test_a_score_of_none_is_never_the_best() -> None:
    assert best_step({1: scores(None), 2: scores(-5.0), 3: scores(None)}, "flicker") == 2
    assert best_step({1: scores(0.5), 2: scores(0.9), 3: scores(0.9)}, "flicker") == 3
    with pytest.raises(NoBestCheckpoint, match="needs eyes"):
        best_step({1: scores(None, "needs eyes")}, "flicker")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A Red/Bicycle: ../../etc", "03-a-red-bicycle-etc"),
        ("猫", "03"),
        ("x" * 300, "03-" + "x" * 40),
    ],
)
def test_file_names_are_safe(prompt: str, name: str) -> None:
    assert safe_name(3, prompt) == name
