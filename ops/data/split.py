"""The held-out split: whole sources, never single clips of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


class EmptySplit(ValueError):
    """A kind of source that cannot fill both splits; the message says how many there are."""


def held_out(contents: Iterable[str], share: float, seed: int, kind: str) -> set[str]:
    """The sha256 of the contents to hold out; equal files are one content, so copies stay together.

    Each content draws a number from its own hash, so one that was held out stays so when others are added. At least
    one is held out and at least one is left.

    Raises:
        EmptySplit: there is only one content.
    """
    order = sorted(set(contents), key=lambda content: _draw(content, seed))
    if not order:
        return set()
    if len(order) == 1:
        raise EmptySplit(
            f"only 1 {kind} source has usable samples, and a held-out split needs a second: add {kind} sources"
        )
    wanted = sum(_draw(content, seed) < share for content in order)
    return set(order[: min(max(wanted, 1), len(order) - 1)])


def _draw(content: str, seed: int) -> float:
    """A number in [0, 1) that only the content and the seed decide."""
    digest = hashlib.sha256(f"{seed}:{content}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
