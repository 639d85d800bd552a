"""The `champion` asset: the best checkpoint becomes candidate, and, if the gate lets it, champion."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ops.config import Release
from ops.evaluation.checkpoint_scores import ASSET as SCORED
from ops.evaluation.checkpoint_scores import ScoresResults
from ops.evaluation.preferences import Preferences, model_id
from ops.evaluation.protocol import Score
from ops.evaluation.reconstruction import ReconstructionResults
from ops.generation.parts import Parts, parts_of
from ops.metrics.registry import of_reconstructions
from ops.release import card
from ops.release.challenge import Challenge
from ops.release.gate import Verdict, judge
from ops.release.history import CHAMPIONS, draw_champions, reigns, remember_reign
from ops.release.packaging import lay_out
from ops.release.registry import CANDIDATE, CHAMPION, FOLDER, PARTS, PREVIOUS, SCORES, WEIGHTS, Registry, Version
from ops.release.results import Compared, ReleaseResults
from ops.release.trace import Trace, look_back, trainings
from ops.runtime.artifacts import Artifact, Identity, MissingArtifact, Work, current, find
from ops.runtime.files import digest, replacing
from ops.runtime.project import Project
from ops.training.recording.mlflow_records import logged_model, restore_records
from ops.training.results import Trained
from ops.training.trainings import final

ASSET = "champion"


class ReleaseIdentity(Identity):
    release: Release


def release_candidate(project: Project) -> Artifact[ReleaseResults]:
    """Register the best checkpoint once, judge it, and move the aliases accordingly.

    The same scores under the same release settings give the version that was registered before, and the same decision,
    unless people have judged its videos blind since it was refused. Files: lineage.json, model_card.md, which are
    attached to the version as well, and champions.png.
    """
    scores, evaluation = _scored_now(project)
    work = work_of(project, scores, evaluation)
    registry = Registry(project)
    done = work.finished()
    if done and not _is_news(project, registry, done):
        return done
    denoiser, best = _scored(project, scores), scores.results.best_step
    parts = parts_of(project, denoiser, best)
    _require_same_vae(evaluation, parts)
    trace = look_back(project, denoiser, scores, evaluation)
    for training in trainings(project, denoiser):
        restore_records(project, training)
    candidate = registry.register(
        digest([parts.as_json(), scores.version, evaluation.version]),
        logged_model(denoiser, best),
        _tags(work, parts, [*scores.results.scores, *reconstruction_scores(evaluation)], trace),
    )
    _make_loadable(project, registry, candidate)
    return _decide(work, registry, candidate, trace)


def _is_news(project: Project, registry: Registry, done: Artifact[ReleaseResults]) -> bool:
    """Whether a decision has to be taken: its version is gone, or people have said more about a refused one."""
    versions = {version.number: version for version in registry.versions()}
    version, champion = versions.get(done.results.version), registry.aliased(CHAMPION)
    if version is None:
        return True
    if done.results.promoted or champion is None or champion.number == version.number or PARTS not in champion.tags:
        return False
    said = Preferences(project).between(model_id(champion.parts), model_id(version.parts))
    return said.counts != done.results.preferences


def work_of(
    project: Project, scores: Artifact[ScoresResults], evaluation: Artifact[ReconstructionResults]
) -> Work[ReleaseResults]:
    """The work of deciding about a scored model."""
    inputs = {scores.asset: scores.version, evaluation.asset: evaluation.version}
    identity = ReleaseIdentity(release=project.settings.release)
    return Work(project, project.named(ASSET), inputs, identity, ReleaseResults)


def planned(project: Project) -> Work[ReleaseResults]:
    """That of the current scores and evaluation."""
    return work_of(project, *_scored_now(project))


def _scored_now(project: Project) -> tuple[Artifact[ScoresResults], Artifact[ReconstructionResults]]:
    evaluation = f"{project.settings.vae.asset}_evaluation"
    return (
        current(project, project.named(SCORED), ScoresResults),
        current(project, evaluation, ReconstructionResults),
    )


def _make_loadable(project: Project, registry: Registry, candidate: Version) -> None:
    """Before any alias points at it; the tag says whether its weights are in the registry or why not."""
    with tempfile.TemporaryDirectory() as folder:
        reason = lay_out(project, candidate, Path(folder))
        registry.attach_model(candidate, Path(folder))
    registry.tag(candidate, {WEIGHTS: reason or "copied"})


def _scored(project: Project, scores: Artifact[ScoresResults]) -> Artifact[Trained]:
    """The denoiser that the scores are of."""
    asset = final(project.settings, project.line).asset
    denoiser = find(project, asset, scores.inputs.get(asset, ""), Trained)
    if denoiser is None:
        raise MissingArtifact(f"the {asset} that `{scores.asset}` is of is gone: make `{scores.asset}` again")
    return denoiser


def _require_same_vae(evaluation: Artifact[ReconstructionResults], parts: Parts) -> None:
    found = evaluation.inputs.get(parts.vae_asset)
    if found != parts.vae_version:
        raise MissingArtifact(
            f"{evaluation.asset} is of {parts.vae_asset} {found}, but the denoiser was trained on latents of "
            f"{parts.vae_asset} {parts.vae_version}: run `soraflow run` to make what lies between anew"
        )


def reconstruction_scores(evaluation: Artifact[ReconstructionResults]) -> list[Score]:
    """The VAE's scores over all held-out items, under their own protocol."""
    protocol = evaluation.results.protocol_terms
    found = evaluation.results.metrics["all"]
    return [
        Score(
            f"vae_{metric.name}",
            found[metric.name].mean if metric.name in found else None,
            protocol,
            metric.higher_is_better,
            evaluation.results.unavailable.get(metric.name),
        )
        for metric in of_reconstructions()
    ]


def _tags(work: Work[ReleaseResults], parts: Parts, scores: list[Score], trace: Trace) -> dict[str, str]:
    measured = {each.metric: each for each in scores if each.value is not None}
    return {
        PARTS: parts.as_json(),
        SCORES: json.dumps([each.as_json() for each in scores]),
        FOLDER: work.folder.relative_to(work.project.root).as_posix(),
        "stage": f"{parts.denoiser_asset}, step {parts.step}",
        "git.commit": trace.commit,
        "training_set": trace.datasets.get("training_set", "unknown"),
        **{f"version.{made.asset}": made.version for made in trace.root.walk()[:-1] if made.kind == "artifact"},
        **{f"score.{metric}": f"{each.value:.6g}" for metric, each in measured.items()},
        **{f"protocol.{metric}": each.protocol.id for metric, each in measured.items()},
    }


def _decide(
    work: Work[ReleaseResults], registry: Registry, candidate: Version, trace: Trace
) -> Artifact[ReleaseResults]:
    champion = registry.aliased(CHAMPION)
    if champion and champion.number == candidate.number:  # the decision was carried out and then interrupted
        champion = registry.aliased(PREVIOUS)
    else:
        registry.point(CANDIDATE, candidate)
    verdict = judge(work.project, candidate, champion, trace)
    files = (trace.write(work.folder), work.folder / card.FILE)
    text = card.card(candidate, trace, verdict, verdict.passed)
    with replacing(files[1]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    registry.describe(candidate, text)
    registry.attach(candidate, *files)
    registry.tag(candidate, _decision_tags(work, verdict))
    if verdict.passed:
        promote(registry, candidate, champion)
    draw_champions(reigns(registry, verdict.challenge.metric), verdict.challenge.metric, work.folder / CHAMPIONS)
    return work.finish(
        version=digest([candidate.model, candidate.number, verdict.passed]),
        results=_results(candidate, champion, verdict),
    )


def promote(registry: Registry, candidate: Version, champion: Version | None) -> None:
    """Make `candidate` champion and the old one previous. Interrupted between its steps, there is a champion still."""
    if champion:
        registry.point(PREVIOUS, champion)
    if CHAMPION not in registry.version(candidate.number).aliases:
        registry.point(CHAMPION, candidate)
        remember_reign(registry, candidate)
    waiting = registry.aliased(CANDIDATE)
    if waiting and waiting.number == candidate.number:
        registry.point(CANDIDATE, None)


def _decision_tags(work: Work[ReleaseResults], verdict: Verdict) -> dict[str, str]:
    return {
        "gate": "passed" if verdict.passed else "refused",
        "gate.word": verdict.challenge.word,
        "gate.reasons": "; ".join(verdict.reasons),
        FOLDER: work.folder.relative_to(work.project.root).as_posix(),
    }


def _results(candidate: Version, champion: Version | None, verdict: Verdict) -> ReleaseResults:
    name = f"version {candidate.number}"
    if not verdict.passed:
        stays = f"version {champion.number} stays champion" if champion else "there is no champion"
        decision = f"{name} stays candidate and {stays}: {'; '.join(verdict.reasons)}"
    elif champion:
        decision = f"{name} replaces version {champion.number} as champion: {verdict.reasons[-1]}"
    else:
        decision = f"{name} is the first champion: {verdict.reasons[-1]}"
    return ReleaseResults(
        registered_model=candidate.model,
        version=candidate.number,
        alias="champion" if verdict.passed else "candidate",
        promoted=verdict.passed,
        decision=decision,
        reasons=tuple(verdict.reasons),
        findings=tuple((finding.rule, finding.passed, finding.message) for finding in verdict.findings),
        gate=verdict.challenge.word,
        compared=_compared(champion, verdict.challenge),
        preferences=verdict.challenge.preference.counts if verdict.challenge.preference else (0, 0, 0),
    )


def _compared(champion: Version | None, challenge: Challenge) -> Compared | None:
    found = challenge.difference
    if champion is None or found is None:
        return None
    return Compared(
        champion=champion.number,
        metric=challenge.metric,
        difference=found.mean,
        low=found.low,
        high=found.high,
        prompts=found.prompts,
        videos=found.videos,
        more_videos=found.more_videos,
    )
