"""Processes that can be killed: each works on one item at a time, within a time limit and a memory limit.

A pipe of its own ties each worker to its owner. So it is known what a worker was at when it died or was killed, and it
holds no lock that another one waits for.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import ModuleSpec
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Generic, Literal, TypeVar

from ops.runtime.device import cores
from ops.runtime.interruptions import held_back

Item = TypeVar("Item")
Result = TypeVar("Result")
TASKS_PER_WORKER = 64
"""A worker is replaced after this many items, because decoders leak memory."""
TASKS_AHEAD = 4
"""So many items before that, the successor of a lasting worker is started."""
LONGEST_TRACE = 20_000
"""Characters kept of it."""
PATIENCE = 5.0
"""Seconds that a worker without work has to end by itself, and that a killed one has to be gone."""

SECONDS_UNHEARD = 1.0
"""The longest that a signal may wait for its handler: one that comes just before a wait begins does not end it."""

_SPAWN = get_context("spawn")


@dataclass(frozen=True)
class _Done(Generic[Item, Result]):
    """An item and what came of it."""

    item: Item
    result: Result


@dataclass(frozen=True)
class _Died(Generic[Item]):
    """The item that a worker was at when it died."""

    item: Item


@dataclass(frozen=True)
class Failure:
    """What an item gave instead of a result."""

    reason: str
    code: Literal["failed", "crashed", "too_slow", "out_of_memory"] = "failed"
    trace: str = field(default="", compare=False)
    """Where an exception came from, of which the reason is the last line; its end, if it is very long."""


DIED_TWICE = Failure("its worker process died twice (out of memory, or a crash in the decoder)", "crashed")


@dataclass(frozen=True)
class Limits:
    seconds: float
    """Of one item; importing what the function needs does not count."""
    gib: float
    """Of data in one worker (RLIMIT_DATA, which does not count addresses that are only reserved)."""
    seconds_setting: str = "curation.time_limit_seconds"
    gib_setting: str = "curation.memory_limit_gib"
    """Where the two come from, for an error."""


def run(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    limits: Limits,
    died: list[Item],
    started: Callable[[Item], None] = lambda item: None,
    numbered: bool = False,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Yield (item, result) as they are done; an item whose worker died by itself goes into `died` instead.

    `started` hears of each item just before a worker gets it. `numbered` workers have a LOCAL_RANK each, as ranks of a
    training do, by which they take accelerators.

    Raises:
        RuntimeError: a worker ended before it was given any work.
    """
    waiting = deque(items)
    threads = max(1, cores() // max(1, workers))
    crew = [
        _Worker[Item, Result](function, threads, limits, number=number if numbered else None)
        for number in range(min(workers, len(items)))
    ]
    try:
        while crew:
            for worker in _awaited(crew):
                found = worker.take()
                if isinstance(found, _Died):
                    died.append(found.item)
                elif found is not None:
                    yield found.item, found.result
                if waiting and worker.is_spent:
                    worker.leave()
                    crew[crew.index(worker)] = _Worker(function, threads, limits, number=worker.number)
                elif waiting:
                    item = waiting.popleft()
                    started(item)
                    worker.give(item)
                else:
                    crew.remove(worker)
                    worker.leave()
    finally:
        for worker in crew:
            worker.kill()


class LastingWorker(Generic[Item, Result]):
    """One worker for an owner that comes by its items one after the other. It is started with the first of them."""

    def __init__(self, function: object, threads: int, limits: Limits, tasks: int = TASKS_PER_WORKER) -> None:
        """`function` is pickled, and what comes out takes an `Item` and gives a `Result`. Its process is replaced after
        so many `tasks`."""
        self._start = partial(_Worker[Item, Result], function, threads, limits, tasks)
        self._worker: _Worker[Item, Result] | None = None
        self._next: _Worker[Item, Result] | None = None
        """Started ahead, so that nobody waits for what it imports."""
        self._closed = False

    def result(self, item: Item) -> Result | Failure:
        """What the item gives, or its `Failure`; an item whose worker died has a second try.

        Raises:
            RuntimeError: a worker ended before it was given any work.
        """
        for _ in range(2):
            worker = self._ready()
            worker.give(item)
            if worker.is_nearly_spent and self._next is None:
                self._next = self._start()
            _awaited([worker])
            found = worker.take()
            if isinstance(found, _Done):
                return found.result
        return DIED_TWICE

    def discard(self) -> None:
        """End its process; the next item gets another one."""
        if self._worker is not None:
            self._worker.kill()

    def close(self) -> None:
        """End its processes for good, whatever they are at. Another thread may call this."""
        self._closed = True
        for worker in (self._worker, self._next):
            if worker is not None:
                worker.kill()

    def _ready(self) -> _Worker[Item, Result]:
        if self._closed:
            raise RuntimeError("the worker has been sent home")
        if self._worker is not None and not self._worker.is_spent:
            return self._worker
        if self._worker is not None:
            self._worker.leave()
        self._worker, self._next = self._next or self._start(), None
        _awaited([self._worker])
        self._worker.take()
        return self._worker


class Crew(Generic[Item, Result]):
    """Workers for an owner whose threads each bring a few items and wait for what comes of them.

    What hangs, crashes or swells is begun once more, by a fresh worker, before it is a `Failure`.
    """

    def __init__(
        self, function: Callable[[Item], Result], workers: int, limits: Limits, tasks: int = TASKS_PER_WORKER
    ) -> None:
        """`function` is pickled. Processes are started when there is work for them."""
        self._crew = [LastingWorker[Item, Result](function, 1, limits, tasks) for _ in range(workers)]
        self._orders: SimpleQueue[tuple[Item, int, SimpleQueue[tuple[int, Result | Failure | _Broken]]]] = SimpleQueue()
        for worker in self._crew:  # daemons, for the end of a program must not wait for an item that hangs
            threading.Thread(target=self._serve, args=(worker,), daemon=True).start()

    def results(self, items: Sequence[Item]) -> list[Result | Failure]:
        """What each item gives, in their order.

        Raises:
            RuntimeError: a worker ended before it was given any work, or the crew was sent home.
        """
        answers: SimpleQueue[tuple[int, Result | Failure | _Broken]] = SimpleQueue()
        for number, item in enumerate(items):
            self._orders.put((item, number, answers))
        told = [answers.get() for _ in items]
        found: dict[int, Result | Failure] = {}
        for number, each in told:
            if isinstance(each, _Broken):
                raise RuntimeError(each.message)
            found[number] = each
        return [found[number] for number in range(len(items))]

    def close(self) -> None:
        """End all workers; who waits for one gets an error."""
        for worker in self._crew:
            worker.close()

    def _serve(self, worker: LastingWorker[Item, Result]) -> None:
        while True:
            item, number, answers = self._orders.get()
            told: Result | Failure | _Broken = _begun_twice(worker, item)
            answers.put((number, told))


def _begun_twice(worker: LastingWorker[Item, Result], item: Item) -> Result | Failure | _Broken:
    try:
        result = worker.result(item)
        if isinstance(result, Failure) and result.code in ("too_slow", "out_of_memory"):
            worker.discard()  # what it holds may be what there was too much of
            result = worker.result(item)
    except (RuntimeError, OSError, ValueError) as error:  # the last two where its pipe is closed meanwhile
        return _Broken(str(error))
    return result


@dataclass(frozen=True)
class _Broken:
    """An error of the crew and not of an item."""

    message: str


def spare_own_module() -> None:
    """Keep workers from importing the program that this process runs, as `spawn` has them do: of a training that would
    be seconds and hundreds of megabytes each, and nothing in it is theirs."""
    sys.modules["__main__"].__spec__ = ModuleSpec("ops.__main__", None)  # `spawn` takes a package's own for no module


def caught(
    function: Callable[[Item], Result], item: Item, gib_setting: str = "curation.memory_limit_gib"
) -> Result | Failure:
    """The result, or the error as a `Failure`."""
    try:
        return function(item)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        if isinstance(error, MemoryError) or any(words in text for words in _MEMORY_WORDS):
            text = f"needs more memory than it may have ({gib_setting}): {text}"
            return Failure(text, "out_of_memory", _trace(error))
        return Failure(text, trace=_trace(error))


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))[-LONGEST_TRACE:]


_MEMORY_WORDS = ("out of memory", "can't allocate memory", "Cannot allocate memory", "Failed to allocate memory")
"""How torch (on a GPU and on a CPU), FFmpeg and onnxruntime say it without a MemoryError."""


def _awaited(crew: Sequence[_Worker[Item, Result]]) -> list[_Worker[Item, Result]]:
    """Wait for workers that have something to say, have ended, or are past their time."""
    soonest = min(worker.deadline for worker in crew)
    while True:
        left = max(0.0, soonest - time.monotonic())
        heard = wait([worker.connection for worker in crew], min(left, SECONDS_UNHEARD))
        now = time.monotonic()
        if ready := [worker for worker in crew if worker.connection in heard or worker.deadline <= now]:
            return ready


class _Worker(Generic[Item, Result]):
    """The owner's side of one process."""

    @held_back()
    def __init__(
        self,
        function: object,
        threads: int,
        limits: Limits,
        tasks: int = TASKS_PER_WORKER,
        number: int | None = None,
    ) -> None:
        self.number = number
        self.connection, theirs = _SPAWN.Pipe()
        self.deadline = math.inf
        self._limits, self._tasks = limits, tasks
        self._at: list[Item] = []
        """The item that it is at; none before it has its first, and between two."""
        self._given, self._killed = 0, False
        self._process = _SPAWN.Process(target=_serve, args=(theirs, threads, limits, number), daemon=True)
        self._process.start()
        theirs.close()
        self._send(function)

    @property
    def is_spent(self) -> bool:
        return self._killed or self._given >= self._tasks

    @property
    def is_nearly_spent(self) -> bool:
        return self._tasks - self._given <= TASKS_AHEAD

    def give(self, item: Item) -> None:
        self._at, self._given = [item], self._given + 1
        self.deadline = time.monotonic() + self._limits.seconds
        self._send(item)

    def take(self) -> _Done[Item, Result | Failure] | _Died[Item] | None:
        """What it was given last and what came of it; None of one that has only begun. A worker that died, or is past
        its time, is ended."""
        at, self._at, self.deadline = self._at, [], math.inf
        try:
            if self.connection.poll():
                answer = self.connection.recv()
                return _Done(at[0], answer) if at else None
        except (EOFError, OSError):
            self.kill()
            if not at:
                message = f"a worker process ended with code {self._process.exitcode} before it had any work"
                raise RuntimeError(f"{message}; its own error is printed above") from None
            return _Died(at[0])
        self.kill()
        limits = self._limits
        late = Failure(f"not done after {limits.seconds:g} s ({limits.seconds_setting}); stopped", "too_slow")
        return _Done(at[0], late) if at else None

    def leave(self) -> None:
        self.connection.close()
        self._process.join(PATIENCE)
        self.kill()

    def kill(self) -> None:
        self._killed = True
        self._process.kill()
        self._process.join(PATIENCE)
        self.connection.close()

    def _send(self, message: object) -> None:
        # whoever died meanwhile is noticed by the next `take`, for its pipe has ended
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)


def _serve(connection: Connection, threads: int, limits: Limits, number: int | None) -> None:
    """The worker's side. The function comes first: what it imports has to see the limits."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if number is not None:
        os.environ["LOCAL_RANK"] = str(number)
    threading.Thread(target=_end_with_owner, daemon=True).start()
    _limit_memory(round(limits.gib * 2**30))
    function = connection.recv()
    connection.send(None)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the owner is gone: nobody waits for an answer
        while True:
            _answer(connection, caught(function, connection.recv(), limits.gib_setting))


def _answer(connection: Connection, result: object) -> None:
    try:
        connection.send(result)
    except OSError:
        raise
    except Exception as error:
        connection.send(Failure(f"its result cannot be sent: {type(error).__name__}: {error}"))


def _limit_memory(limit: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _end_with_owner() -> None:
    """An owner that is killed with SIGKILL tells nobody, and a worker in the middle of an item does not look."""
    owner = parent_process()
    if owner is not None:
        owner.join()
        os._exit(1)
