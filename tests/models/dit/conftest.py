"""A group of ranks in one process: a thread each, which hand tensors over at a barrier."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Protocol, TypeVar

import pytest
import torch
from torch import Tensor

from models.dit.sequence import SequenceGroup

T = TypeVar("T")
SECONDS = 60


class Together(Protocol):
    def __call__(self, size: int, run: Callable[[SequenceGroup], T]) -> list[T]:
        """What `run` gives on each of so many ranks."""
        ...


@pytest.fixture(scope="session")
def together() -> Together:
    return _together


def _together(size: int, run: Callable[[SequenceGroup], T]) -> list[T]:
    barrier, posted = Barrier(size, timeout=SECONDS), [torch.empty(0)] * size

    def on(rank: int) -> T:
        def exchange(parts: Tensor) -> Tensor:
            assert parts.is_contiguous()
            assert len(parts) == size
            posted[rank] = parts
            barrier.wait()
            received = torch.stack([each[rank] for each in posted])
            barrier.wait()
            return received

        try:
            return run(SequenceGroup(size, rank, exchange))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(on, range(size)))
