"""The ledger and the scores in its file, against a model in plain lists, through any order of what runs do to them."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ops.curation.measuring.ledger import FINISHED, INTERRUPTED, KILLED, Ledger, Standing, Work
from ops.curation.measuring.scores import Cost, Score, ScoreStore, identity_digest, score_key
from ops.runtime.parallel import Failure

STEPS = ("motion", "aesthetics")
IDENTITIES = ({"version": 1}, {"version": 2})
LIMITS = ("10 s, 1 GiB", "20 s, 1 GiB")
SUBJECTS = ("a", "b", "c")
WORKS = st.builds(
    lambda step, identity, limits: Work(step, identity_digest(step, identity), limits),
    st.sampled_from(STEPS),
    st.sampled_from(IDENTITIES),
    st.sampled_from(LIMITS),
)
SOME = st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=3, unique=True)
PICK = st.integers(0, 1000)
VALUES = (
    st.floats(allow_nan=False).map(lambda number: number + 0.0)  # SQLite knows no -0.0
    | st.integers(-(2**60), 2**60)
    | st.none()
    | st.text(max_size=5)
    | st.lists(st.floats(0, 1), max_size=3)
)


class Crash(Exception):
    """What ends a transaction half way."""


@dataclass
class Attempt:
    work: Work
    path: str
    subjects: tuple[str, ...]
    outcome: str | None = None
    counts_for: set[str] = field(default_factory=set)
    """The subjects against which it still counts."""


class LedgerStates(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.attempts: list[Attempt] = []
        self.parked: dict[tuple[str, str], tuple[int, int]] = {}
        """(step, subject) → its attempts, and the place of the last of them."""
        self.scores: dict[tuple[str, str], Score] = {}
        """(identity's digest, subject) → the score."""
        self.open()

    def open(self) -> None:
        self.store = ScoreStore(Path(self.folder.name) / "scores.sqlite")
        self.ledger = Ledger(self.store)
        for step in STEPS:
            for identity in IDENTITIES:
                self.store.remember(step, identity)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.store.close()
            self.folder.cleanup()

    def under_way(self) -> list[int]:
        return [place for place, attempt in enumerate(self.attempts) if attempt.outcome is None]

    @rule(work=WORKS, subjects=SOME, path=st.sampled_from(("x.mp4", "y.mp4")))
    def start(self, work: Work, subjects: list[str], path: str) -> None:
        number = self.ledger.start(work, "source", path, subjects)
        self.attempts.append(Attempt(work, path, tuple(subjects), counts_for=set(subjects)))
        assert number == len(self.attempts)

    @precondition(lambda self: self.under_way())
    @rule(pick=PICK, value=VALUES, crash=st.booleans())
    def finish_with_scores(self, pick: int, value: Any, crash: bool) -> None:
        """In one transaction, as `attempt` does it; of one that does not come to its end nothing is kept."""
        place = self.under_way()[pick % len(self.under_way())]
        attempt = self.attempts[place]
        digest, cost = attempt.work.identity_digest, Cost(1.0, 0.5, 7)
        made = [
            Score(score_key(digest, subject), "source", attempt.work.step, value, cost) for subject in attempt.subjects
        ]
        try:
            with self.store.transaction():
                self.store.put(made)
                self.ledger.finish(attempt.work, place + 1, attempt.subjects)
                if crash:
                    raise Crash
        except Crash:
            return
        attempt.outcome = FINISHED
        for score, subject in zip(made, attempt.subjects, strict=True):
            self.scores[digest, subject] = score
        for other in self.attempts:
            if other.work.identity_digest == digest:
                other.counts_for -= set(attempt.subjects)

    @precondition(lambda self: self.under_way())
    @rule(pick=PICK, code=st.sampled_from(("failed", "crashed", "too_slow", "out_of_memory")))
    def fail(self, pick: int, code: Any) -> None:
        place = self.under_way()[pick % len(self.under_way())]
        self.ledger.fail(place + 1, Failure(f"because of {place}", code, "trace"))
        self.attempts[place].outcome = code

    @precondition(lambda self: self.under_way())
    @rule()
    def interrupt(self) -> None:
        places = self.under_way()[:2]
        self.ledger.interrupt(place + 1 for place in places)
        for place in places:
            self.attempts[place].outcome = INTERRUPTED
            self.attempts[place].counts_for.clear()

    @precondition(lambda self: len(self.under_way()) > 1)
    @rule(step=st.sampled_from(STEPS))
    def killed_and_begun_again(self, step: str) -> None:
        """SIGKILL leaves what is committed; the next run of a step says what it finds under way."""
        self.store.close()
        self.open()
        self.ledger.note_killed(step)
        for attempt in self.attempts:
            if attempt.work.step == step and attempt.outcome is None:
                attempt.outcome = KILLED

    @precondition(lambda self: self.attempts and len(self.parked) < 2)
    @rule(pick=PICK, least=st.sampled_from((1, 1, 2)))
    def park(self, pick: int, least: int) -> None:
        work = self.attempts[pick % len(self.attempts)].work
        standings = self.ledger.standings(work)
        given_up = {subject: each for subject, each in standings.items() if each.attempts >= least}
        self.ledger.park(work, given_up)
        self.parked = {key: each for key, each in self.parked.items() if key[0] != work.step}
        self.parked |= {(work.step, subject): (each.attempts, each.last - 1) for subject, each in given_up.items()}

    @precondition(lambda self: self.parked)
    @rule(step=st.none() | st.sampled_from(STEPS), path=st.sampled_from((None, "x.mp4", "y.mp4")))
    def retry(self, step: str | None, path: str | None) -> None:
        chosen = [
            (of_step, subject)
            for (of_step, subject), (_, last) in self.parked.items()
            if step in (None, of_step) and path in (None, self.attempts[last].path)
        ]
        told = [(each.step, each.subject) for each in self.ledger.retry(step, path)]
        assert sorted(told) == sorted(chosen)
        for key in chosen:
            last = self.attempts[self.parked.pop(key)[1]]
            for attempt in self.attempts:
                if attempt.work.identity_digest == last.work.identity_digest:
                    attempt.counts_for.discard(key[1])

    @precondition(lambda self: self.scores)
    @rule(identity=st.sampled_from(IDENTITIES), subject=st.sampled_from(SUBJECTS))
    def put_what_nobody_has_spoken_of(self, identity: Any, subject: str) -> None:
        known = Score(score_key(identity_digest("motion", identity), subject), "source", "motion", -1.0)
        strange = Score(score_key(identity_digest("motion", {"version": 9}), subject), "source", "motion", -1.0)
        with pytest.raises(ValueError, match="nobody has said"):
            self.store.put([known, strange])

    @invariant()
    def standings_are_those_of_the_model(self) -> None:
        for work in {attempt.work for attempt in self.attempts}:
            expected: dict[str, Standing] = {}
            for place, attempt in enumerate(self.attempts):
                same = attempt.work[1:] == work[1:]
                for subject in attempt.counts_for if same else ():
                    before = expected.get(subject)
                    killed = (before.killed if before else 0) + (attempt.outcome in (KILLED, None))
                    attempts = (before.attempts if before else 0) + 1
                    expected[subject] = Standing(attempts, killed, place + 1, self.failure(place))
            assert self.ledger.standings(work) == expected

    def failure(self, place: int) -> Failure:
        outcome = self.attempts[place].outcome
        if outcome is None:
            return Failure("under way", "crashed")
        if outcome == KILLED:
            return Failure("the run was killed, or its machine went down, in the middle of it", "crashed")
        return Failure(f"because of {place}", outcome, "trace")  # type: ignore[arg-type]

    @invariant()
    def what_is_parked_is_listed(self) -> None:
        found = {(each.step, each.subject): (each.attempts, each.path) for each in self.ledger.parked()}
        expected = {key: (attempts, self.attempts[last].path) for key, (attempts, last) in self.parked.items()}
        assert found == expected

    @invariant()
    def every_attempt_is_on_record(self) -> None:
        found = [(each["step"], each["path"], each["subjects"], each["outcome"]) for each in self.ledger.attempts()]
        assert found == [(each.work.step, each.path, len(each.subjects), each.outcome) for each in self.attempts]

    @invariant()
    def scores_are_read_as_they_were_put(self) -> None:
        found = self.store.of_source("source")
        assert found.keys() == {score.key for score in self.scores.values()}
        for step in STEPS:
            for identity in IDENTITIES:
                digest = identity_digest(step, identity)
                expected = {subject: each.value for (known, subject), each in self.scores.items() if known == digest}
                values = self.store.values(step, identity, SUBJECTS)
                assert json.dumps(values, sort_keys=True) == json.dumps(expected, sort_keys=True)  # 1 is not 1.0
                column = self.store.column(step, identity).to_pydict()
                assert column["subject"] == sorted(expected)
        costs = self.store.costs()
        for step in STEPS:
            count = sum(score.step == step for score in self.scores.values())
            cost = costs.get(step, Cost(0.0, 0.0, 0))
            assert math.isclose(cost.cpu_seconds, count)
            assert (cost.gpu_seconds, cost.bytes) == (0.5 * count, 7 * count)


TestLedger = LedgerStates.TestCase
TestLedger.settings = settings(max_examples=30, stateful_step_count=25)
