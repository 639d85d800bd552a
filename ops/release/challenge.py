"""A candidate against the champion: by the videos of both, prompt by prompt, and by people who saw them blind."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ops.evaluation.checkpoint_scores import deciding_metric
from ops.evaluation.preferences import Preference, Preferences, model_id
from ops.evaluation.protocol import ProtocolMismatch, Score
from ops.evaluation.scored_samples import ScoredSamples, pairs, scored_samples
from ops.metrics.base import VideoMetric
from ops.metrics.registry import METRICS
from ops.release.registry import CANDIDATE, CHAMPION, Registry, Version
from ops.release.results import GateWord
from ops.runtime.project import Project
from ops.statistics.paired import PairedDifference, paired_difference


@dataclass(frozen=True)
class Challenge:
    """What came of it: the word, a sentence, and the figures behind it where videos were compared."""

    metric: str
    word: GateWord
    sentence: str
    difference: PairedDifference | None = None
    preference: Preference | None = None

    @property
    def won(self) -> bool:
        """Whether the candidate may take the place; where the metric cannot tell, people may have."""
        liked = self.preference.word if self.preference else "cannot tell"
        if liked == "worse":
            return False
        return self.word in ("first", "better", "no worse") or (self.word == "cannot tell" and liked == "better")


def challenge(project: Project, candidate: Version, champion: Version | None) -> Challenge:
    """Compare them under the same protocol; nothing is told of scores that were made differently."""
    metric = deciding_metric(project.settings.release.metric, candidate.scores.values())
    mine = candidate.scores.get(metric)
    if mine is None or mine.value is None:
        why = mine.reason if mine else "it was not scored"
        return Challenge(metric, "not comparable", f"the candidate has no {metric}: {why}")
    if champion is None:
        return Challenge(metric, "first", f"there is no champion yet; the candidate's {metric} is {mine.value:.6g}")
    theirs = champion.scores.get(metric)
    if theirs is None or theirs.value is None:
        why = f"champion version {champion.number} has no {metric} to compare with"
        return Challenge(metric, "not comparable", why)
    try:
        loss = mine.loss_against(theirs)
    except ProtocolMismatch as error:
        why = f"the scores cannot be compared with champion version {champion.number}: {error}"
        return Challenge(metric, "not comparable", f"{why}; {_by_hand(project, candidate)}")
    if isinstance(METRICS[metric], VideoMetric):
        found = _by_videos(project, candidate, champion, mine, theirs.value)
    else:
        found = _by_figures(project, mine, theirs, loss, champion)
    liked = Preferences(project).between(model_id(champion.parts), model_id(candidate.parts))
    return replace(found, preference=liked) if any(liked.counts) else found


def _by_figures(project: Project, mine: Score, theirs: Score, loss: float, champion: Version) -> Challenge:
    """A metric that is no video's has one figure of each model, and no interval."""
    tolerance = project.settings.release.tolerance
    told = "as good as" if loss == 0 else f"{abs(loss):.2%} {'worse' if loss > 0 else 'better'} than"
    word: GateWord = "worse" if loss > tolerance else "better" if loss < 0 else "no worse"
    return Challenge(
        mine.metric,
        word,
        f"{mine.metric} {mine.value:.6g} is {told} {theirs.value:.6g} of champion version {champion.number} "
        f"(tolerated: {tolerance:.2%} worse)",
    )


def _by_videos(project: Project, candidate: Version, champion: Version, mine: Score, theirs: float) -> Challenge:
    metric = mine.metric
    before, after = (_samples(project, version, metric) for version in (champion, candidate))
    matched = pairs(before, after, metric) if before and after else []
    if not matched:
        both = ((champion, before), (candidate, after))
        gone = " and ".join(f"version {version.number}" for version, found in both if found is None)
        why = f"the scored samples of {gone} are gone" if gone else "no video of one prompt and seed is of both"
        return Challenge(
            metric,
            "not comparable",
            f"{metric} cannot be compared prompt by prompt: {why}; {_by_hand(project, candidate)}",
        )
    margin = project.settings.release.tolerance * abs(theirs)
    found = paired_difference(matched, mine.higher_is_better, margin)
    sentence = (
        f"{metric}: {found.verdict}; {mine.value:.4g} for {theirs:.4g} of champion version {champion.number}, a "
        f"difference of {found.figures} over {found.prompts} prompts "
        f"(tolerated: {margin:.3g} worse)"
    )
    if found.word == "cannot tell":
        sentence += f"; {_by_hand(project, candidate, champion)}"
    return Challenge(metric, found.word, sentence, found)


def _samples(project: Project, version: Version, metric: str) -> ScoredSamples | None:
    """The version's samples that were scored under the protocol of its score."""
    parts, protocol = version.parts, version.scores[metric].protocol
    for found in scored_samples(project, parts.denoiser_asset, parts.denoiser_version, parts.step):
        if metric in found.scores and found.scores[metric].protocol == protocol:
            return found
    return None


def _by_hand(project: Project, candidate: Version, champion: Version | None = None) -> str:
    registry = Registry(project)
    accept = f"`soraflow accept {registry.called(candidate.number)} --reason …`"
    if champion is None:
        return f"to decide it yourself: {accept}"
    names = registry.called(champion.number), registry.called(candidate.number)
    if project.line:  # behind the name of adapters a number is a step
        names = registry.called(CHAMPION), registry.called(CANDIDATE)
    blind = f"`soraflow compare {' '.join(names)} --serve`"
    return f"to decide it yourself: look at the videos blind ({blind}), or {accept}"
