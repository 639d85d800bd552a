"""The gate between a candidate and the champion's place. It looks again at everything; nothing is taken on trust."""

from __future__ import annotations

from dataclasses import dataclass

from ops.config import Release
from ops.data.findings import Finding, GateClosed, check_findings
from ops.evaluation.protocol import ProtocolMismatch, Score
from ops.release.registry import Version
from ops.release.trace import Trace
from ops.runtime.licences import UNKNOWN, pattern_against
from ops.runtime.project import Project

NAMED = 10
"""How many sources and scorers a message names."""


@dataclass(frozen=True)
class Verdict:
    """All findings; a candidate passes when none of them speaks against it."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in self.findings)

    @property
    def reasons(self) -> list[str]:
        """What speaks against the candidate, or, when nothing does, what speaks for it."""
        return [finding.message for finding in self.findings if finding.passed == self.passed]


def judge(project: Project, candidate: Version, champion: Version | None, trace: Trace) -> Verdict:
    """Whether `candidate` may take the place of `champion`; None when there is no champion yet.

    The blocking checks must have passed for the data that the candidate was trained on, nothing that it was made from
    may be under one of `release.exclude_licences`, and its `release.metric` must have a value that is not worse than
    the champion's, under the same protocol, by more than `release.tolerance`.
    """
    licences = licence_finding(trace, project.settings.release)
    return Verdict((*check_findings(project, trace.datasets), licences, _score_finding(project, candidate, champion)))


def require_licences(project: Project, trace: Trace) -> None:
    """Raises GateClosed if the model was made from something under one of `release.exclude_licences`."""
    finding = licence_finding(trace, project.settings.release)
    if not finding.passed:
        raise GateClosed(finding.message)


def licence_finding(trace: Trace, release: Release) -> Finding:
    """Whether the data and the scorers of a model may be in a release; the message names those that may not."""
    patterns, rule = release.exclude_licences, "licences"
    if not patterns:
        return Finding(rule, True, "no licence is excluded by release.exclude_licences")
    bad = [
        f"{each.path} ({each.licence or UNKNOWN})"
        for each in trace.sources
        if pattern_against(each.licence, patterns) is not None
    ]
    if not trace.sources and pattern_against(None, patterns) is not None:
        bad.append(f"the dataset ({trace.dataset_note or UNKNOWN})")
    bad += [
        f"scorer {name} ({licence})"
        for name, licence in trace.scorers.items()
        if pattern_against(licence, patterns) is not None
    ]
    if not bad:
        return Finding(rule, True, f"nothing is under a licence of {', '.join(patterns)}")
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    message = f"made from what release.exclude_licences leaves out: {', '.join(bad[:NAMED])}{more}"
    remedy = "leave it out with curation.exclude_licences or another scorer, and train again"
    if release.on_excluded_licence == "warn":
        return Finding(rule, True, f"warning: {message}")
    return Finding(rule, False, f"{message}; {remedy}")


def _score_finding(project: Project, candidate: Version, champion: Version | None) -> Finding:
    release = project.settings.release
    rule = f"{release.metric} against the champion"
    mine = candidate.scores.get(release.metric)
    if mine is None or mine.value is None:
        why = mine.reason if mine else "it was not scored"
        return Finding(rule, False, f"the candidate has no {release.metric}: {why}")
    if champion is None:
        return Finding(rule, True, f"there is no champion yet; the candidate's {release.metric} is {mine.value:.6g}")
    theirs = champion.scores.get(release.metric)
    if theirs is None or theirs.value is None:
        return Finding(rule, False, f"champion version {champion.number} has no {release.metric} to compare with")
    try:
        loss = mine.loss_against(theirs)
    except ProtocolMismatch as error:
        why = f"the scores cannot be compared with champion version {champion.number}: {error}"
        return Finding(rule, False, f"{why}; to decide it yourself: `soraflow accept {candidate.number} --reason …`")
    return Finding(rule, loss <= release.tolerance, _comparison(mine, theirs, loss, release.tolerance, champion))


def _comparison(mine: Score, theirs: Score, loss: float, tolerance: float, champion: Version) -> str:
    word = "as good as" if loss == 0 else f"{abs(loss):.2%} {'worse' if loss > 0 else 'better'} than"
    return (
        f"{mine.metric} {mine.value:.6g} is {word} {theirs.value:.6g} of champion version {champion.number} "
        f"(tolerated: {tolerance:.2%} worse)"
    )
