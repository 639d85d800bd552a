"""One `map` over many items: a pool of processes here, or Ray Data on a cluster.

Work that brings its process down costs its own item only. That is what quarantines a file whose decoder crashes. The
pool also ends what takes too long or too much memory; on a cluster that is left to Ray (its memory monitor).
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from ops.config import Curation
from ops.runtime import workers
from ops.runtime.progress import Progress
from ops.runtime.workers import Failure

__all__ = ["Failure", "map", "worker_count"]
Item = TypeVar("Item")
Result = TypeVar("Result")


def map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    curation: Curation,
    progress: Progress | None = None,
    started: Callable[[Item], None] | None = None,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Yield (item, result) as they are done, in no particular order.

    `started` hears of each item just before a process of the pool gets it, once for each try; on Ray, which begins
    items where nobody here sees it, it hears of none. `function` must be importable by name; an exception in it, the
    death of its process, or more time or memory than the settings allow gives a `Failure`.
    """
    engine = _over_ray if curation.engine == "ray" else partial(_over_pool, started=started or _nobody_listens)
    for done, (item, result) in enumerate(engine(function, items, curation), start=1):
        yield item, result
        if progress is not None:
            progress.update(done)


def worker_count(curation: Curation) -> int:
    return curation.workers or os.cpu_count() or 1


def _nobody_listens(item: Any) -> None:
    return None


def _over_pool(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    curation: Curation,
    started: Callable[[Item], None] = _nobody_listens,
) -> Iterator[tuple[Item, Result | Failure]]:
    """An item whose worker died has a second try, alone: perhaps a neighbour had taken all the memory."""
    limits = workers.Limits(curation.time_limit_seconds, curation.memory_limit_gib)
    suspects: list[Item] = []
    yield from workers.run(function, items, min(worker_count(curation), len(items)), limits, suspects, started)
    guilty: list[Item] = []
    yield from workers.run(function, suspects, 1, limits, guilty, started)
    for item in guilty:
        yield item, Failure("its worker process died twice (out of memory, or a crash in the decoder)", "crashed")


def _over_ray(
    function: Callable[[Item], Result], items: Sequence[Item], curation: Curation
) -> Iterator[tuple[Item, Result | Failure]]:
    """Items travel pickled inside our own cluster. A worker that dies is retried by Ray; then its item fails."""
    import ray

    if not ray.is_initialized():
        ray.init(address=curation.ray_address, log_to_driver=False)
    ray.data.DataContext.get_current().max_errored_blocks = -1
    rows = [{"index": index, "item": pickle.dumps(item)} for index, item in enumerate(items)]
    results = ray.data.from_items(rows, override_num_blocks=len(rows)).map(partial(_ray_row, function))
    seen = set()
    for row in results.iter_rows():
        seen.add(row["index"])
        yield items[row["index"]], pickle.loads(row["result"])
    for index in sorted(set(range(len(items))) - seen):
        yield items[index], Failure("its Ray worker died", "crashed")


def _ray_row(function: Callable[[Any], Any], row: dict[str, Any]) -> dict[str, Any]:
    return {"index": row["index"], "result": pickle.dumps(workers.caught(function, pickle.loads(row["item"])))}
