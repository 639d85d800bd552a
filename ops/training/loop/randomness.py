"""Random numbers that depend on what they are for and on nothing else.

Every draw of a training step is keyed by (seed, purpose, step, sample), so that it is the same after a resume and
for any number of ranks; there is no generator whose position would have to be kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import torch


def seed_of(*key: int | str) -> int:
    """A 63-bit seed, a hash of the key."""
    text = "\x1f".join(map(str, key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*key: int | str) -> torch.Generator:
    """A CPU generator for one purpose; on the CPU, so that every accelerator sees the same numbers."""
    return torch.Generator().manual_seed(seed_of(*key))


def normal(shape: Sequence[int], *key: int | str) -> torch.Tensor:
    """Standard normal numbers, float32, on the CPU."""
    return torch.randn(tuple(shape), generator=generator(*key))


@lru_cache(maxsize=4)  # the micro-batches of a step ask for the same
def permutation(count: int, *key: int | str) -> tuple[int, ...]:
    """The numbers below `count`, in an order of chance."""
    return tuple(torch.randperm(count, generator=generator(*key)).tolist())


def uniform(*key: int | str) -> float:
    """One number in [0, 1)."""
    return seed_of(*key) / 2**63
