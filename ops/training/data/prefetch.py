"""Reading batches in the background, while those before them are being computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
AHEAD = 2
"""Of what one thread reads by itself."""


def prefetched(keys: Iterable[K], read: Callable[[K], V], ahead: int = AHEAD) -> Iterator[tuple[K, V]]:
    """Each key with what `read` makes of it, in order; a failed read is raised where its key comes up.

    `ahead` are there beyond the one that is taken. More than AHEAD are asked for where `read` waits for others who do
    the work: then all are read at the same time.
    """
    threads = 1 if ahead <= AHEAD else ahead
    with ThreadPoolExecutor(threads, thread_name_prefix="read-ahead") as pool:
        waiting: deque[tuple[K, Future[V]]] = deque()
        try:
            for key in keys:
                waiting.append((key, pool.submit(read, key)))
                if len(waiting) > ahead:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
