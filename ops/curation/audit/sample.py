"""A random sample of clips to judge: half of it from those kept, the rest in turns from each step that rejected."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ops.runtime.tables import Row

KEPT = "kept"


def stratum(row: Row) -> str:
    """`kept`, or the step that rejected the clip."""
    return row["rejected_by"] or KEPT


def strata(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each stratum, `kept` first, then steps in the order in which they first appear."""
    groups: dict[str, list[Row]] = defaultdict(list)
    groups[KEPT] = []
    for row in rows:
        groups[stratum(row)].append(row)
    return {name: members for name, members in groups.items() if members}


def draw(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` rows (all, if there are fewer) in random order, the same for the same clips and seed.

    Within a stratum every clip is as likely as any other. A clip's place follows from its id and the seed alone, so
    neither the order of the table nor a larger `count` exchanges clips that were drawn before.
    """
    groups = strata(rows)
    sizes = allocation({name: len(members) for name, members in groups.items()}, count)
    drawn = [row for name, members in groups.items() for row in ranked(members, seed)[: sizes[name]]]
    return ranked(drawn, seed)


def allocation(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many to take of each stratum: half of `count`, rounded up, of those kept, the rest in turns from each other
    stratum while it lasts. What one side cannot give, the other does."""
    kept, rejected = sizes.get(KEPT, 0), sum(size for name, size in sizes.items() if name != KEPT)
    of_kept = min(kept, max(count - count // 2, count - rejected))
    taken = {name: of_kept if name == KEPT else 0 for name in sizes}
    left = min(count - of_kept, rejected)
    while left:
        for name in sizes:
            if left and name != KEPT and taken[name] < sizes[name]:
                taken[name] += 1
                left -= 1
    return taken


def ranked(rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows in the random order that their ids and the seed give; its beginning is a simple random sample."""
    return sorted(rows, key=lambda row: rank(row["clip_id"], seed))


def rank(name: str, seed: int) -> bytes:
    """By which a clip is drawn: the lowest first."""
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
