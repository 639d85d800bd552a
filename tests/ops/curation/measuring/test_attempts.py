from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.config import Curation, resolve
from ops.curation.measuring import attempts
from ops.curation.measuring.attempts import Task, attempt, demand_few_parked
from ops.curation.measuring.ledger import Ledger, Work, forget_asking, is_asked_again
from ops.curation.measuring.scores import Score, ScoreStore, identity_digest, score_key
from ops.exit_codes import TooManyParked
from ops.runtime import parallel
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project

pytestmark = pytest.mark.costly

STEP = "aesthetics"
ROOT = Path(__file__).resolve().parents[4]


def settings(**changes: Any) -> Curation:
    return resolve(ROOT, "tiny", {"curation": {"workers": 1, **changes}}).curation


def plan(subjects: Sequence[str], alone: bool) -> list[Task[str]]:
    """All in one task, whose item is `"a"+"b"+…`, unless each has to be alone."""
    groups = [(subject,) for subject in subjects] if alone else [tuple(subjects)]
    return [Task("+".join(group), "s", "a.mp4", group) for group in groups if group]


def scores_of(task: Task[str], values: dict[str, float]) -> list[Score]:
    return [
        Score(score_key(identity_digest(STEP, {}), subject), task.source, STEP, values[subject])
        for subject in task.subjects
    ]


class Doing:
    """`attempt` in this process, with what it hands out and how that goes under the test's control."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.tried, self.at_once = project, [], []  # type: ignore[var-annotated]
        self.behaviour: Callable[[str], Any] = lambda item: {}
        monkeypatch.setattr(parallel, "map", self._map)

    def __call__(self, subjects: Sequence[str], identity: Any = None, **changes: Any) -> dict[str, Failure]:
        curation = settings(**changes)
        with ScoreStore.of(self.project) as store:
            work = Work.of(STEP, store.remember(STEP, identity or {}), curation)
            progress = Progress.of(self.project, STEP, len(subjects), "things")
            return attempt(values, subjects, plan, scores_of, store, work, curation, progress)

    def _map(self, function, items, curation, progress, started, resources):
        for item in items:
            started(item)
            self.tried.append(item)
            self.at_once.append(curation.workers)
            result = self.behaviour(item)
            yield item, result

    def ledger(self) -> Ledger:
        return Ledger.of(self.project)

    def outcomes(self) -> list[tuple[int, str | None]]:
        return [(each["subjects"], each["outcome"]) for each in self.ledger().attempts()]


@pytest.fixture
def doing(project: Project, monkeypatch: pytest.MonkeyPatch) -> Doing:
    return Doing(project, monkeypatch)


def values(item: str) -> dict[str, float]:
    return {subject: float(len(subject)) for subject in item.split("+")}


def unless(bad: str) -> Callable[[str], Any]:
    return lambda item: Failure("broke", trace="Traceback: here") if bad in item.split("+") else values(item)


def test_what_works_is_done_once(doing: Doing) -> None:
    doing.behaviour = values
    assert doing(["a", "bb"]) == {}
    assert doing.tried == ["a+bb"]
    assert doing.outcomes() == [(2, "finished")]
    with ScoreStore.of(doing.project) as store:
        assert store.values(STEP, {}, ["a", "bb", "c"]) == {"a": 1.0, "bb": 2.0}
    assert doing.ledger().parked() == []


def test_many_are_laid_out_some_at_a_time(doing: Doing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "AT_ONCE", 2)
    doing.behaviour = unless("b")
    assert doing(["a", "b", "c", "d", "e"]) == {"b": Failure("broke")}
    assert doing.tried == ["a+b", "c+d", "e", "a", "b", "b"]
    assert doing(["f", "b", "a"]) == {"b": Failure("broke")}, "what was done and what is parked is not begun again"
    assert doing.tried[6:] == ["f+a"]


def test_a_bad_one_spoils_no_other_and_is_parked_after_three(doing: Doing) -> None:
    doing.behaviour = unless("b")
    assert doing(["a", "b", "c"]) == {"b": Failure("broke")}
    assert doing.tried == ["a+b+c", "a", "b", "c", "b"]
    (parked,) = doing.ledger().parked()
    assert (parked.step, parked.path, parked.subject, parked.attempts) == (STEP, "a.mp4", "b", 3)
    assert (parked.failure.reason, parked.failure.trace) == ("broke", "Traceback: here")
    with ScoreStore.of(doing.project) as store:
        assert set(store.values(STEP, {}, "abc")) == {"a", "c"}


def test_parked_ones_are_not_tried_again(doing: Doing) -> None:
    doing.behaviour = unless("b")
    first = doing(["b"])
    doing.tried.clear()
    assert doing(["b"]) == first == {"b": Failure("broke")}
    assert doing.tried == []
    assert [each.subject for each in doing.ledger().parked()] == ["b"]


def test_an_error_that_passes_leaves_no_trace_in_the_result(doing: Doing) -> None:
    seen = []

    def at_first_not(item: str) -> Any:
        seen.append(item)
        return Failure("busy") if len(seen) < 3 else values(item)

    doing.behaviour = at_first_not
    assert doing(["a"]) == {}
    assert doing.outcomes() == [(1, "failed"), (1, "failed"), (1, "finished")]


@pytest.mark.parametrize(
    "other",
    [{"identity": {"version": 2}}, {"time_limit_seconds": 7200.0}, {"memory_limit_gib": 9.0}, {"max_attempts": 4}],
    ids=lambda other: next(iter(other)),
)
def test_other_work_begins_anew(doing: Doing, other: dict[str, Any]) -> None:
    doing.behaviour = unless("b")
    doing(["b"])
    doing.tried.clear()
    doing(["b"], **other)
    assert len(doing.tried) == (1 if "max_attempts" in other else 3)


def test_retry_lets_them_be_tried_and_their_step_be_made_again(doing: Doing) -> None:
    doing.behaviour = unless("b")
    doing(["b", "c"])
    ledger = doing.ledger()
    assert not is_asked_again(doing.project, STEP)
    assert ledger.retry(step="shots") == []
    assert ledger.retry(path="other.mp4") == []
    assert [each.subject for each in ledger.retry(path="a.mp4")] == ["b"]
    assert is_asked_again(doing.project, STEP)
    assert ledger.parked() == []
    doing.behaviour = values
    doing.tried.clear()
    assert doing(["b"]) == {}
    assert doing.tried == ["b"]
    forget_asking(doing.project, STEP)
    assert not is_asked_again(doing.project, STEP)


def test_what_a_step_measures_under_another_name_lets_that_step_be_made_again(project: Project) -> None:
    with ScoreStore.of(project) as store:
        step, ledger = "shot_boundaries", Ledger(store)
        work = Work.of(step, store.remember(step, {}), project.settings.curation)
        ledger.fail(ledger.start(work, "s", "a.mp4", ["a"]), Failure("broken", "failed"))
        ledger.park(work, ledger.standings(work))
        assert [each.subject for each in ledger.retry(step)] == ["a"]
    assert is_asked_again(project, "shots")


def killed(doing: Doing, subjects: Sequence[str]) -> None:
    """As SIGKILL leaves the ledger: attempts that began and never ended."""
    with ScoreStore.of(doing.project) as store:
        work = Work.of(STEP, store.remember(STEP, {}), settings())
        for subject in subjects:
            Ledger(store).start(work, "s", "a.mp4", [subject])


def test_what_was_under_way_when_the_run_was_killed_comes_last_and_alone(doing: Doing) -> None:
    doing.behaviour = values
    killed(doing, ["b", "c"])
    assert doing(["a", "b", "c", "d"], workers=8) == {}
    assert doing.tried == ["a+d", "b", "c"]
    assert doing.at_once == [8, 1, 1]
    assert doing.outcomes() == [(1, "killed"), (1, "killed"), (2, "finished"), (1, "finished"), (1, "finished")]


def test_what_ends_every_run_is_given_up(doing: Doing) -> None:
    doing.behaviour = values
    for _ in range(3):
        killed(doing, ["b"])
    (failure,) = doing(["a", "b"]).values()
    assert failure.code == "crashed"
    assert "the run was killed" in failure.reason
    assert doing.tried == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interruption_is_held_against_nothing(doing: Doing, error: type[BaseException]) -> None:
    def stop(item: str) -> Any:
        raise error

    for _ in range(4):
        doing.behaviour = stop
        with pytest.raises(error):
            doing(["a", "b"])
    doing.behaviour = values
    assert doing(["a", "b"]) == {}
    assert doing.outcomes() == [*[(2, "interrupted")] * 4, (2, "finished")]


def test_a_score_is_kept_if_and_only_if_its_work_is_known_to_be_finished(
    doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    doing.behaviour = values

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "finish", no_space)
    with pytest.raises(OSError, match="No space"):
        doing(["a"])
    with ScoreStore.of(doing.project) as store:
        assert store.values(STEP, {}, ["a"]) == {}


def test_few_may_be_parked(project: Project) -> None:
    demand_few_parked(STEP, 0, 0, settings())
    demand_few_parked(STEP, 1, 10, settings())
    with pytest.raises(TooManyParked, match=r"aesthetics: 2 of 10 inputs are parked after 3 attempts") as error:
        demand_few_parked(STEP, 2, 10, settings())
    for command in ("soraflow curate parked --step aesthetics --trace", "soraflow curate retry --step aesthetics"):
        assert command in str(error.value)
    demand_few_parked(STEP, 10, 10, settings(max_parked_share=1.0))


def test_failures_on_a_cluster_count_though_nobody_here_sees_them_begin(
    doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def like_ray(function, items, curation, progress, started, *_):
        for item in items:
            yield item, unless("b")(item)

    monkeypatch.setattr(parallel, "map", like_ray)
    assert doing(["a", "b"]) == {"b": Failure("broke")}
    assert doing.outcomes() == [(2, "failed"), (1, "finished"), (1, "failed"), (1, "failed")]


def test_progress_comes_to_its_end(doing: Doing) -> None:
    progress = doing.project.var / "progress" / f"{STEP}.json"
    doing.behaviour = unless("b")
    for subjects in (["a", "b"], ["b", "c"]):  # the second time, b is parked from the beginning
        doing(subjects)
        state = json.loads(progress.read_text())
        assert (state["done"], state["total"]) == (2, 2)


def test_sigterm_is_an_interruption(project: Project, tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text(_LONG)
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not Ledger.of(project).attempts():
        assert process.poll() is None, process.stderr.read()  # type: ignore[union-attr]
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 128 + signal.SIGTERM
    assert [each["outcome"] for each in Ledger.of(project).attempts()] == ["interrupted"]


_LONG = """
import time
from ops.curation.measuring.attempts import Task, attempt
from ops.curation.measuring.ledger import Work
from ops.curation.measuring.scores import ScoreStore
from ops.runtime.progress import Progress
from ops.runtime.project import Project

def plan(subjects, alone):
    return [Task(600.0, "s", "a.mp4", ("x",))] if subjects else []

if __name__ == "__main__":
    project = Project.find()
    curation, store = project.settings.curation, ScoreStore.of(project)
    work = Work.of("shots", store.remember("shots", {}), curation)
    attempt(time.sleep, ["x"], plan, None, store, work, curation, Progress.of(project, "shots", 1, "clips"))
"""
