"""One `map` over many items: a pool of processes here, or Ray Data on a cluster.

Work that brings its process down, takes too long or too much memory costs its own item only. That is what quarantines
a file whose decoder crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ops.config import Curation
from ops.runtime import ray_engine, workers
from ops.runtime.device import cores
from ops.runtime.memory import machine_gib
from ops.runtime.progress import Progress
from ops.runtime.ray_engine import Resources
from ops.runtime.workers import Failure

__all__ = ["Failure", "Resources", "map", "worker_count"]
Item = TypeVar("Item")
Result = TypeVar("Result")


def map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    curation: Curation,
    progress: Progress | None = None,
    started: Callable[[Item], None] | None = None,
    resources: Resources | None = None,
    numbered: bool = False,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Yield (item, result) as they are done, in no particular order.

    `function` must be importable by name; an exception in it, the death of its process, or more time or memory than
    the settings allow gives a `Failure`. `started` hears of each item just before a process of the pool gets it, once
    for each try; on Ray, which begins items where nobody here sees it, it hears of none. `resources` say what a worker
    needs: on a cluster where it has room (without them it is taken to need what it may have), here how many have.
    `numbered` gives each process of the pool an accelerator of its own.
    """
    if curation.engine == "ray":
        resources = resources or Resources(curation.memory_limit_gib)
        results = ray_engine.run(function, items, curation, resources)
    else:
        results = _over_pool(function, items, curation, started or _nobody_listens, resources, numbered)
    for done, (item, result) in enumerate(results, start=1):
        yield item, result
        if progress is not None:
            progress.update(done)


def worker_count(curation: Curation, resources: Resources | None = None) -> int:
    """Of the pool: what the recipe says, or one per core, but no more than the machine has memory for."""
    if curation.workers:
        return curation.workers
    if resources is None:
        return cores()
    return max(1, min(cores(), int(machine_gib() / resources.memory_gib)))


def _nobody_listens(item: object) -> None:
    return None


def _over_pool(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    curation: Curation,
    started: Callable[[Item], None] = _nobody_listens,
    resources: Resources | None = None,
    numbered: bool = False,
) -> Iterator[tuple[Item, Result | Failure]]:
    """An item whose worker died has a second try, alone: perhaps a neighbour had taken all the memory."""
    limits = workers.Limits(curation.time_limit_seconds, curation.memory_limit_gib)
    count = min(worker_count(curation, resources), len(items))
    suspects: list[Item] = []
    yield from workers.run(function, items, count, limits, suspects, started, numbered)
    guilty: list[Item] = []
    yield from workers.run(function, suspects, 1, limits, guilty, started)
    for item in guilty:
        yield item, workers.DIED_TWICE
