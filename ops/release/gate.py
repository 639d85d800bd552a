"""The gate between a candidate and the champion's place. It looks again at everything; nothing is taken on trust."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.config import Release
from ops.data.findings import Finding, GateClosed, check_findings
from ops.release.challenge import Challenge, challenge
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
    challenge: Challenge

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
    may be under one of `release.exclude_licences`, its scores must reach `release.floors`, and by `release.metric`,
    prompt by prompt and under the same protocol, it must be better than the champion, or no worse by more than
    `release.tolerance`. What cannot be told is left to people.
    """
    release = project.settings.release
    found = challenge(project, candidate, champion)
    findings = (
        *check_findings(project, trace.datasets),
        licence_finding(trace, release),
        *floor_findings(candidate, release.floors or {}),
        *challenge_findings(found),
    )
    return Verdict(findings, found)


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


def challenge_findings(found: Challenge) -> Iterator[Finding]:
    """What the metric says, and what people say where somebody was asked."""
    liked = found.preference
    settled = found.word == "cannot tell" and found.won
    yield Finding(
        f"{found.metric} against the champion",
        settled or found.word in ("first", "better", "no worse"),
        found.sentence,
    )
    if liked is not None:
        told = f"of those who saw the videos blind, {liked} prefer the candidate"
        yield Finding("preference", liked.word != "worse", f"{told} ({liked.word})")


def floor_findings(candidate: Version, floors: Mapping[str, float]) -> Iterator[Finding]:
    """Each floor with the candidate's score; a metric without a score does not keep it."""
    for metric, floor in floors.items():
        score, rule = candidate.scores.get(metric), f"floor of {metric}"
        if score is None or score.value is None:
            why = score.reason if score else "it was not scored"
            yield Finding(rule, False, f"{metric} has no value to hold against release.floors ({floor:g}): {why}")
            continue
        kept = score.value >= floor if score.higher_is_better else score.value <= floor
        word = ("at least" if score.higher_is_better else "at most") if kept else "beyond"
        yield Finding(rule, kept, f"{metric} {score.value:.4g} is {word} {floor:g}, its floor in release.floors")
