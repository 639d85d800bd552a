"""How much memory there is for processes of ours."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),  # cgroup 2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # cgroup 1
)


def machine_gib() -> float:
    """Of the machine, or of the container where that may have less."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # not this kind of container; or `max`, which is no limit
            sizes.append(int(path.read_text(encoding="utf-8")))
    return min(sizes) / 2**30
