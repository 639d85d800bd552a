"""The gate's word about a candidate: by the videos of both, prompt by prompt, and by people."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ops.config import ConfigError
from ops.data.findings import Finding
from ops.evaluation.checkpoint_scores import deciding_metric
from ops.evaluation.preferences import Preferences, model_id
from ops.evaluation.protocol import Protocol, Score
from ops.release.challenge import challenge
from ops.release.gate import challenge_findings, floor_findings
from ops.release.registry import SCORES, Version
from ops.runtime.project import Project


def with_tolerance(project: Project, tolerance: float) -> Project:
    text = f"preset: tiny\nrelease: {{metric: truth_all, tolerance: {tolerance}}}\n"
    (project.root / "params.yaml").write_text(text)
    return Project(project.root)


@pytest.fixture
def judged(project: Project) -> Project:
    return with_tolerance(project, 0.0)


def passed(found) -> bool:
    return all(finding.passed for finding in challenge_findings(found))


def test_a_clear_gain_is_better_and_passes(judged: Project, made_models, kept_by) -> None:
    models = made_models(judged)
    champion, candidate = models.make(1, kept_by(1 / 4)), models.make(2, kept_by(1.0))
    found = challenge(judged, candidate, champion)
    assert (found.word, found.won, passed(found)) == ("better", True, True)
    assert found.difference is not None
    assert (found.difference.prompts, found.difference.videos) == (12, 24)
    assert found.sentence == (
        "truth_all: better; 1 for 0.25 of champion version 1, a difference of +0.75 [+0.417, +1] over 12 prompts "
        "(tolerated: 0 worse)"
    )
    assert challenge(judged, champion, candidate).word == "worse"
    assert not passed(challenge(judged, champion, candidate))


def test_a_small_gain_cannot_be_told_and_a_person_is_asked(judged: Project, made_models, kept_by) -> None:
    """8 of 12 prompts for 7, of other prompts: the old gate, which compared two figures, would have let it pass."""
    models = made_models(judged)
    champion, candidate = models.make(1, kept_by(7 / 12)), models.make(2, kept_by(8 / 12, start=5))
    found = challenge(judged, candidate, champion)
    assert found.word == "cannot tell"
    assert not passed(found)
    assert found.difference is not None
    assert found.difference.more_videos is not None
    assert f"needs about {found.difference.more_videos:,} more videos" in found.sentence
    assert "`soraflow compare 1 2 --serve`), or `soraflow accept 2 --reason …`" in found.sentence


def test_models_whose_videos_score_alike_are_no_worse(judged: Project, made_models, kept_by) -> None:
    models = made_models(judged)
    champion, candidate = models.make(1, kept_by(0.5)), models.make(2, kept_by(0.5))
    assert challenge(judged, candidate, champion).word == "no worse"


def test_a_tolerated_loss_is_no_worse(judged: Project, made_models) -> None:
    """One prompt of a hundred is lost; a twentieth of the champion's score is tolerated."""
    models = made_models(judged)
    all_kept = {(f"prompt {number}", 0): True for number in range(100)}
    champion, candidate = models.make(1, all_kept), models.make(2, {**all_kept, ("prompt 3", 0): False})
    assert challenge(with_tolerance(judged, 0.05), candidate, champion).word == "no worse"
    assert challenge(judged, candidate, champion).word == "cannot tell"


def test_another_protocol_and_lost_samples_are_not_comparable(judged: Project, made_models, kept_by) -> None:
    models = made_models(judged)
    champion, candidate = models.make(1, kept_by(0.5)), models.make(2, kept_by(1.0), fps=16)
    found = challenge(judged, candidate, champion)
    assert found.word == "not comparable"
    assert "fps: 16 here, 8 there" in found.sentence
    forgotten = dataclasses.replace(champion, tags={**champion.tags, "soraflow.parts": renamed(champion)})
    found = challenge(judged, models.make(3, kept_by(1.0)), forgotten)
    assert (found.word, passed(found)) == ("not comparable", False)
    assert "the scored samples of version 1 are gone" in found.sentence


def renamed(version: Version) -> str:
    return version.parts.model_copy(update={"denoiser_version": "of a folder that is gone"}).as_json()


@pytest.mark.parametrize(("wins", "losses", "won"), [(9, 1, True), (4, 4, False), (5, 0, False)])
def test_people_settle_what_the_metric_cannot_tell(
    judged: Project, made_models, kept_by, wins: int, losses: int, won: bool
) -> None:
    models = made_models(judged)
    champion, candidate = models.make(1, kept_by(7 / 12)), models.make(2, kept_by(8 / 12, start=5))
    say(judged, champion, candidate, wins, losses)
    found = challenge(judged, candidate, champion)
    assert (found.word, found.won, passed(found)) == ("cannot tell", won, won)
    assert f"{wins} of {wins + losses}" in [each.message for each in challenge_findings(found)][-1]


def test_people_who_prefer_the_champion_close_the_gate(judged: Project, made_models, kept_by) -> None:
    models = made_models(judged)
    champion, candidate = models.make(1, kept_by(1 / 4)), models.make(2, kept_by(1.0))
    say(judged, champion, candidate, wins=1, losses=9)
    found = challenge(judged, candidate, champion)
    assert (found.word, found.won, passed(found)) == ("better", False, False)


def say(project: Project, champion: Version, candidate: Version, wins: int, losses: int) -> None:
    """Half of the answers were given with the two models named the other way round."""
    store, one, two = Preferences(project), model_id(champion.parts), model_id(candidate.parts)
    for number, choice in enumerate(["second"] * wins + ["first"] * losses):
        if number % 2:
            store.add(one, two, "p", f"a{number}", f"b{number}", choice)  # type: ignore[arg-type]
        else:
            store.add(two, one, "p", f"b{number}", f"a{number}", {"first": "second", "second": "first"}[choice])  # type: ignore[arg-type]


def test_the_first_champion_needs_a_score_and_its_floors(judged: Project, made_models, kept_by) -> None:
    candidate = made_models(judged).make(1, kept_by(0.5))
    found = challenge(judged, candidate, None)
    assert (found.word, passed(found)) == ("first", True)
    floors = list(floor_findings(candidate, {"truth_all": 0.4, "dynamic_degree": 0.1, "truth_colour": 0.5}))
    assert [each.passed for each in floors] == [True, False, False]
    assert floors[0] == Finding(
        "floor of truth_all", True, "truth_all 0.5 is at least 0.4, its floor in release.floors"
    )
    assert not next(iter(floor_findings(candidate, {"truth_all": 0.6}))).passed
    unscored = dataclasses.replace(candidate, tags={**candidate.tags, SCORES: json.dumps([])})
    assert challenge(judged, unscored, None).sentence == "the candidate has no truth_all: it was not scored"


def test_a_floor_of_no_metric_is_an_error(project: Project) -> None:
    (project.root / "params.yaml").write_text("preset: tiny\nrelease: {floors: {beauty: 1.0}}\n")
    with pytest.raises(ConfigError, match="no metric is called 'beauty'"):
        _ = Project(project.root).settings


def test_the_held_out_loss_wins_nothing_once_samples_are_scored() -> None:
    protocol = Protocol("p", {})
    loss, word = Score("held_out_loss", 0.4, protocol, False), Score("truth_colour", 0.9, protocol, True)
    truth = Score("truth_all", 0.5, protocol, True)
    assert deciding_metric("held_out_loss", [loss, word]) == "held_out_loss"
    assert deciding_metric("held_out_loss", [loss, truth, word]) == "truth_all"
    assert deciding_metric("held_out_loss", [loss, dataclasses.replace(truth, value=None)]) == "held_out_loss"
    assert deciding_metric("truth_all", [loss]) == "truth_all"
