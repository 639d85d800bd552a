"""Doing a step's work: each of its subjects is tried until it is done or parked, and the ledger knows of every try."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

from ops.config import Curation
from ops.curation.measuring.ledger import Ledger, Standing, Work
from ops.curation.measuring.scores import Score, ScoreStore
from ops.exit_codes import TooManyParked
from ops.runtime import parallel
from ops.runtime.interruptions import held_back
from ops.runtime.parallel import Failure, Resources
from ops.runtime.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
AT_ONCE = 50_000
"""Subjects whose tasks are laid out at a time. All workers are waited for in between."""


@dataclass(frozen=True)
class Task(Generic[Item]):
    """What one call of the function gets, and whose scores it gives."""

    item: Item
    source: str
    """As in `Score.source`."""
    path: str
    """Of the source's file, for people."""
    subjects: tuple[str, ...]


class Plan(Protocol[Item]):
    def __call__(self, subjects: Sequence[str], alone: bool) -> list[Task[Item]]:
        """Tasks for these subjects; `alone` asks for one of each, so that a bad one spoils no other."""


def attempt(
    function: Callable[[Item], Result],
    subjects: Sequence[str],
    plan: Plan[Item],
    scores: Callable[[Task[Item], Result], list[Score] | Failure],
    store: ScoreStore,
    work: Work,
    curation: Curation,
    progress: Progress,
    size: Resources | None = None,
) -> dict[str, Failure]:
    """Put the scores of all subjects into the store, each task's as soon as it is done; returns those that are parked
    and why. `scores` are what is kept of a result, or why it cannot be. `size` is what a worker needs on a cluster.

    What has not failed before comes first. What has is tried again by itself. What a killed run left unfinished comes
    last, one at a time, so that nothing else is under way if it brings the machine down again.
    """
    ledger = Ledger(store)
    ledger.note_killed(work.step)
    known = ledger.standings(work)
    standings = {subject: known[subject] for subject in subjects if subject in known}
    tried = frozenset(standings)
    rounds = _Rounds(function, scores, store, ledger, work, curation, progress, standings, size)
    with _ended_in_order():
        fresh = (subject for subject in subjects if subject not in tried)
        while part := list(islice(fresh, AT_ONCE)):
            rounds.run(plan(part, alone=False), curation)
        while again := rounds.to_try(killed=False):
            rounds.run(plan(again, alone=True), curation)
        while again := rounds.to_try(killed=True):
            rounds.run(plan(again, alone=True), curation.model_copy(update={"workers": 1}))
    ledger.park(work, standings)
    return {subject: standing.failure for subject, standing in standings.items()}


def demand_few_parked(step: str, parked: int, inputs: int, curation: Curation) -> None:
    """Raise `TooManyParked` if they are more than `curation.max_parked_share` of the step's inputs."""
    if parked <= curation.max_parked_share * inputs:
        return
    raise TooManyParked(
        f"{step}: {parked} of {inputs} inputs are parked after {curation.max_attempts} attempts each, more than "
        f"curation.max_parked_share ({curation.max_parked_share:g}) allows.\n"
        f"  soraflow curate parked --step {step} --trace    shows them and their errors\n"
        f"  soraflow curate retry --step {step}             lets them be tried again, once the cause is gone\n"
        "  soraflow run --set curation.max_parked_share=…   goes on without them"
    )


class _Rounds(Generic[Item, Result]):
    def __init__(
        self,
        function: Callable[[Item], Result],
        scores: Callable[[Task[Item], Result], list[Score] | Failure],
        store: ScoreStore,
        ledger: Ledger,
        work: Work,
        curation: Curation,
        progress: Progress,
        standings: dict[str, Standing],
        size: Resources | None,
    ) -> None:
        self._function, self._scores, self._store, self._ledger = function, scores, store, ledger
        self._work, self._most, self._progress = work, curation.max_attempts, progress
        self._standings, self._done, self._size = standings, 0, size
        self._open: dict[int, int] = {}
        self._count(sum(each.attempts >= self._most for each in standings.values()))

    def to_try(self, killed: bool) -> list[str]:
        """Subjects that were tried before, and may be once more."""
        standings = self._standings.items()
        return [name for name, each in standings if each.attempts < self._most and bool(each.killed) == killed]

    def run(self, tasks: Sequence[Task[Item]], curation: Curation) -> None:
        """Try each task once."""
        if not tasks:
            return
        self._open = {}
        by_item = {id(task.item): task for task in tasks}

        def started(item: object) -> None:
            if id(item) not in self._open:  # the pool may try an item twice
                with held_back():
                    self._open[id(item)] = self._start(by_item[id(item)])

        try:
            items = [task.item for task in tasks]
            for item, result in parallel.map(self._function, items, curation, None, started, self._size):
                task = by_item[id(item)]
                number = self._open.pop(id(item), None) or self._start(task)
                scores = result if isinstance(result, Failure) else self._scores(task, result)
                if isinstance(scores, Failure):
                    self._failed(task, number, scores)
                else:
                    self._finished(task, number, scores)
        except BaseException:
            self._ledger.interrupt(self._open.values())
            raise

    def _start(self, task: Task[Item]) -> int:
        return self._ledger.start(self._work, task.source, task.path, task.subjects)

    def _finished(self, task: Task[Item], number: int, scores: list[Score]) -> None:
        with self._store.transaction():
            self._store.put(scores)
            self._ledger.finish(self._work, number, task.subjects)
        for subject in task.subjects:
            self._standings.pop(subject, None)
        self._count(len(task.subjects))

    def _failed(self, task: Task[Item], number: int, failure: Failure) -> None:
        self._ledger.fail(number, failure)
        for subject in task.subjects:
            before = self._standings.get(subject)
            attempts, killed = (before.attempts, before.killed) if before else (0, 0)
            self._standings[subject] = Standing(attempts + 1, killed, number, failure)
            self._count(attempts + 1 >= self._most)

    def _count(self, settled: int) -> None:
        self._done += settled
        self._progress.update(self._done)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM, by which machines and schedulers take leave, be an interruption and not a suspicion."""

    def leave(number: int, frame: object) -> None:
        sys.exit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
