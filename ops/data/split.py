"""The held-out split: whole sources, never single clips of one."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

AT_ONCE = 65_536


class EmptySplit(ValueError):
    """A kind of source that cannot fill both splits; the message says how many there are."""


def held_out(contents: pa.Array, share: float, seed: int, kind: str) -> NDArray[np.int64]:
    """The places of the contents to hold out, of different ones named by their sha256; equal files are one content, so
    copies stay together.

    Each content draws a number from its own hash, so one that was held out stays so when others are added. At least
    one is held out and at least one is left.

    Raises:
        EmptySplit: there is only one content.
    """
    if not len(contents):
        return np.array([], np.int64)
    if len(contents) == 1:
        raise EmptySplit(
            f"only 1 {kind} source has usable samples, and a held-out split needs a second: add {kind} sources"
        )
    names = (name for at in range(0, len(contents), AT_ONCE) for name in contents.slice(at, AT_ONCE).to_pylist())
    drawn = np.fromiter((_draw(name, seed) for name in names), float, len(contents))
    wanted = int((drawn < share).sum())
    chosen: NDArray[np.int64] = np.argsort(drawn, kind="stable")[: min(max(wanted, 1), len(contents) - 1)]
    return chosen


def _draw(content: str, seed: int) -> float:
    """A number in [0, 1) that only the content and the seed decide."""
    digest = hashlib.sha256(f"{seed}:{content}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
