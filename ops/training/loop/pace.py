"""Which ranks make all others wait. All end a step together: what each does by itself tells them apart."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from ops.runtime.device import busy_seconds
from ops.training.loop.collective import by_rank, gathered

EVERY = 10
"""Steps are compared so often: on an accelerator, to measure is to wait for it."""
SLOW = 5.0
"""Times the seconds of the others."""
LEAST_SECONDS = 0.1
"""More than the others by less than this, a rank is not slow: small steps take what the system happens to do."""
READING, COMPUTING = "reading its batch", "its forward pass"


@dataclass
class Pace:
    """The seconds of this rank in a step that is compared. `alone` says whether its forward pass asks no other rank for
    anything; else it takes as long as that of the slowest."""

    device: torch.device
    alone: bool
    _own: dict[str, float] = field(default_factory=lambda: {READING: 0.0, COMPUTING: 0.0})
    _told: set[tuple[str, int]] = field(default_factory=set)
    """What was slow the last time and of whom: it is said once, until it is better."""

    def read(self, seconds: float) -> None:
        """So long it took to read the batch of the step that begins."""
        self._own = {READING: seconds, COMPUTING: 0.0}

    @contextmanager
    def computing(self, step: int) -> Iterator[None]:
        """Around a forward pass."""
        if step % EVERY or not self.alone:
            yield
            return
        busy_seconds(self.device, 0.0)  # what was queued before is none of it
        started = time.perf_counter()
        yield
        self._own[COMPUTING] += busy_seconds(self.device, started) or time.perf_counter() - started

    def compared(self, step: int) -> list[str]:
        """What is to be said of slow ranks after this step, on every rank alike; every rank calls this."""
        if step % EVERY:
            return []
        ranks = by_rank({what: torch.tensor(seconds) for what, seconds in self._own.items()}, self.device)
        found = {(what, rank) for what, seconds in ranks.items() for rank in slow(seconds)}
        new, self._told = found - self._told, found
        if not new:
            return []
        hosts = gathered([socket.gethostname()])
        return [_in_words(step, what, rank, ranks[what], hosts[rank]) for what, rank in sorted(new)]


def slow(seconds: Sequence[float]) -> list[int]:
    """The ranks that take far longer than most, by the seconds of each."""
    usual = statistics.median_low(seconds)
    return [rank for rank, own in enumerate(seconds) if own > SLOW * usual and own - usual > LEAST_SECONDS]


def _in_words(step: int, what: str, rank: int, seconds: Sequence[float], host: str) -> str:
    usual = statistics.median_low(seconds)
    where = "its disk and its other processes" if what == READING else "its clocks, its heat and its other processes"
    return (
        f"WARNING: step {step}: rank {rank} on {host} is slow: {what} took {seconds[rank]:.3g} s, others take "
        f"{usual:.3g} s and wait for it; look at {where}"
    )
