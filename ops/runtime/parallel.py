"""One `map` over many items: a pool of processes here, or Ray Data on a cluster.

Work that brings its process down costs its own item only. That is what quarantines a file whose decoder crashes.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from ops.config import Curation
from ops.runtime.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
TASKS_PER_WORKER = 64
"""A worker is replaced after this many items, because decoders leak memory."""


@dataclass(frozen=True)
class Failure:
    """What an item gave instead of a result."""

    reason: str


def map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    curation: Curation,
    progress: Progress | None = None,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Yield (item, result) as they are done, in no particular order.

    `function` must be importable by name; an exception in it, or the death of its process, gives a `Failure`.
    """
    engine = _over_ray if curation.engine == "ray" else _over_pool
    for done, (item, result) in enumerate(engine(function, items, curation), start=1):
        yield item, result
        if progress is not None:
            progress.update(done)


def worker_count(curation: Curation) -> int:
    return curation.workers or os.cpu_count() or 1


def _over_pool(
    function: Callable[[Item], Result], items: Sequence[Item], curation: Curation
) -> Iterator[tuple[Item, Result | Failure]]:
    """A broken pool does not say whose fault it was, so what was under way is tried again one item at a time."""
    workers = min(worker_count(curation), len(items))
    waiting = deque(items)
    while waiting:
        suspects: list[Item] = []
        yield from _run(function, waiting, workers, suspects)
        for item in suspects:
            alone: list[Item] = []
            yield from _run(function, deque([item]), 1, alone)
            if alone:
                yield (
                    item,
                    Failure("its worker process died twice (out of memory, or a crash in the decoder)"),
                )


def _run(
    function: Callable[[Item], Result], waiting: deque[Item], workers: int, suspects: list[Item]
) -> Iterator[tuple[Item, Result | Failure]]:
    """Work through `waiting`; when the pool breaks, leave what was under way in `suspects` and return."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), _start_worker, (threads,), max_tasks_per_child=TASKS_PER_WORKER
    )
    running: dict[Future[Result | Failure], Item] = {}
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                item = waiting.popleft()
                running[pool.submit(_caught, function, item)] = item
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield running.pop(future), result
    except BrokenProcessPool:
        suspects.extend(running.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _caught(function: Callable[[Item], Result], item: Item) -> Result | Failure:
    try:
        return function(item)
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")


def _start_worker(threads: int) -> None:
    """Before anything heavy is imported, share the cores out; and never outlive the process that asked for work."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's workers wait for ever when its owner is killed with SIGKILL, which cannot tell them."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


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
        yield items[index], Failure("its Ray worker died")


def _ray_row(function: Callable[[Any], Any], row: dict[str, Any]) -> dict[str, Any]:
    return {"index": row["index"], "result": pickle.dumps(_caught(function, pickle.loads(row["item"])))}
