"""The `checkpoint_scores` asset: kept checkpoints of the last stage side by side, and which of them is best."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from pydantic import ConfigDict

from ops.evaluation import protocols
from ops.evaluation import truth as made_world
from ops.evaluation.checkpoint_run import is_logged, log_scores
from ops.evaluation.protocol import KeptScore, Score
from ops.evaluation.samples import SamplesResults
from ops.evaluation.truth import TruthResults
from ops.evaluation.vbench import scores_of as dimensions_of
from ops.evaluation.vbench.score import ASSET as VBENCH
from ops.evaluation.vbench.score import VbenchResults
from ops.metrics.registry import deciding
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Identity, MissingArtifact, Record, Results, Work, current, find
from ops.runtime.files import digest, replacing
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.training.recording.mlflow_records import logged_model, restore_records
from ops.training.results import Trained
from ops.training.trainings import final

ASSET = "checkpoint_scores"
HELD_OUT = "held_out_loss"

TABLE = pa.schema(
    [
        ("step", pa.int64()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("higher_is_better", pa.bool_()),
        ("reason", pa.string()),
        ("protocol", pa.string()),
    ]
)


class NoBestCheckpoint(ValueError):
    """No checkpoint has the score that decides."""


class ScoresIdentity(Identity):
    metric: str

    def setting(self, key: str) -> str | None:
        return "release.metric"


class ScoredCheckpoint(Record):
    """A checkpoint with the value of each metric, under the metric's name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    step: int
    logged_model: str

    @property
    def values(self) -> dict[str, float | None]:
        return self.__pydantic_extra__


class ScoresResults(Results):
    stage: str
    """The asset that the checkpoints are of."""
    metric: str
    metrics: tuple[str, ...]
    """Those with a value."""
    best_step: int
    checkpoints: tuple[ScoredCheckpoint, ...]
    scores: tuple[KeptScore, ...]
    """All of the best checkpoint."""
    protocols: dict[str, str]
    """Metric → the id of its protocol."""


def score(project: Project) -> Artifact[ScoresResults]:
    """Gather every score of the sampled checkpoints, choose the best by `deciding_metric`, tell MLflow.

    Files: scores.parquet, scores.png.
    """
    vbench, truth, samples, denoiser = _upstream(project)
    work = work_of(project, denoiser, vbench, truth)
    restore_records(project, denoiser)
    done = work.finished()
    if done and is_logged(work):
        return done
    scores = {step: scores_of(denoiser, vbench, truth, step) for step in samples.results.steps}
    metric = deciding_metric(project.settings.release.metric, [each for all_of in scores.values() for each in all_of])
    best = best_step(scores, metric)
    measured = tuple(each.metric for each in scores[best] if each.value is not None)
    models = {step: logged_model(denoiser, step) for step in scores}
    log_scores(work, denoiser, samples, models, scores)
    rows = [_row(step, each) for step, all_of in scores.items() for each in all_of]
    tables.write(work.folder / "scores.parquet", rows, TABLE)
    _plot(work.folder / "scores.png", scores, best)
    return work.finish(
        version=digest([metric, best, rows]),
        results=ScoresResults(
            stage=denoiser.asset,
            metric=metric,
            metrics=measured,
            best_step=best,
            checkpoints=tuple(
                ScoredCheckpoint.model_validate(
                    {"step": step, "logged_model": models[step], **_values(all_of, measured)}
                )
                for step, all_of in scores.items()
            ),
            scores=tuple(scores[best]),
            protocols={each.metric: each.protocol.id for each in scores[best] if each.metric in measured},
        ),
    )


def work_of(
    project: Project, denoiser: Artifact[Trained], vbench: Artifact[VbenchResults], truth: Artifact[TruthResults]
) -> Work[ScoresResults]:
    """The work of choosing among a denoiser's checkpoints by their scores."""
    inputs = {each.asset: each.version for each in (denoiser, vbench, truth)}
    identity = ScoresIdentity(metric=project.settings.release.metric)
    return Work(project, project.named(ASSET), inputs, identity, ScoresResults)


def planned(project: Project) -> Work[ScoresResults]:
    """That of the current scores of both kinds."""
    vbench, truth, _, denoiser = _upstream(project)
    return work_of(project, denoiser, vbench, truth)


def scores_of(
    denoiser: Artifact[Trained], vbench: Artifact[VbenchResults], truth: Artifact[TruthResults], step: int
) -> list[Score]:
    """The held-out loss of a checkpoint, its truth measures, and its sixteen dimensions."""
    kept = next(checkpoint for checkpoint in denoiser.results.checkpoints if checkpoint.step == step)
    loss = Score(HELD_OUT, kept.metric, protocols.held_out_loss(denoiser), higher_is_better=False)
    return [loss, *made_world.scores_of(truth, step), *dimensions_of(vbench, step)]


def deciding_metric(asked: str, scores: Iterable[Score]) -> str:
    """The metric by which models are chosen: `release.metric`, but no held-out loss once the samples have a score that
    may decide."""
    measured = {each.metric for each in scores if each.value is not None and each.metric in deciding()} - {HELD_OUT}
    return min(measured) if asked == HELD_OUT and measured else asked


def best_step(scores: dict[int, list[Score]], metric: str) -> int:
    """The step whose `metric` is best; of equal ones, the latest.

    Raises:
        NoBestCheckpoint: when none has a value, with the reason that was given.
    """
    measured, reason = {}, "it was not scored"
    for step, all_of in scores.items():
        for each in all_of:
            if each.metric == metric and each.value is not None:
                measured[step] = each.value if each.higher_is_better else -each.value
            elif each.metric == metric:
                reason = each.reason or reason
    if not measured:
        raise NoBestCheckpoint(f"no checkpoint has a '{metric}' to choose by: {reason}; see release.metric")
    return max(measured, key=lambda step: (measured[step], step))


def _upstream(
    project: Project,
) -> tuple[Artifact[VbenchResults], Artifact[TruthResults], Artifact[SamplesResults], Artifact[Trained]]:
    """The current scores of both kinds, the samples that they are of, and the denoiser that made those."""
    vbench = current(project, project.named(VBENCH), VbenchResults)
    truth = current(project, project.named(made_world.ASSET), TruthResults)
    (made,) = vbench.inputs
    if truth.inputs[made] != vbench.inputs[made]:
        raise MissingArtifact(f"`{vbench.asset}` and `{truth.asset}` are of different samples: make both again")
    samples = find(project, made, vbench.inputs[made], SamplesResults)
    asset = final(project.settings, project.line).asset
    denoiser = find(project, asset, samples.inputs.get(asset, ""), Trained) if samples else None
    if samples is None or denoiser is None:
        raise MissingArtifact(f"the {made} or the {asset} that `{vbench.asset}` scored are gone: make both again")
    return vbench, truth, samples, denoiser


def _row(step: int, score: Score) -> Row:
    return {
        "step": step,
        "metric": score.metric,
        "value": score.value,
        "higher_is_better": score.higher_is_better,
        "reason": score.reason,
        "protocol": score.protocol.id,
    }


def _values(scores: list[Score], metrics: tuple[str, ...]) -> dict[str, float | None]:
    values = {each.metric: each.value for each in scores}
    return {metric: values[metric] for metric in metrics}


def _plot(path: Path, scores: dict[int, list[Score]], best: int) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metrics = [each.metric for each in scores[best] if each.value is not None]
    figure = Figure(figsize=(6, 2.2 * len(metrics)), layout="constrained")
    for axes, metric in zip(figure.subplots(len(metrics), 1, squeeze=False)[:, 0], metrics, strict=True):
        values = {step: next(each for each in all_of if each.metric == metric) for step, all_of in scores.items()}
        points: dict[int, object] = {step: each.value for step, each in values.items() if each.value is not None}
        axes.plot(list(points), list(points.values()), marker="o")
        axes.axvline(best, linestyle=":", color="grey")
        axes.set_title(f"{metric} ({'higher' if values[best].higher_is_better else 'lower'} is better)", fontsize=9)
        axes.set_xticks(list(scores))
    axes.set_xlabel(f"training step; {best} is chosen")
    with replacing(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))
