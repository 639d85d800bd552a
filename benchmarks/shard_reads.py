"""What a training reads of cached latents: bytes from the disk for a sample, by name in random order and in sequence.

`python -m benchmarks.shard_reads` writes shards of latents of 29×352×640, forgets them from the page cache before each
way of reading, and writes its section of docs/benchmarks.md; `--in FOLDER` takes another disk than that of /tmp.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from safetensors import safe_open

from benchmarks.report import Report
from ops.data import tensor_shards
from ops.data.latents import SHARD_SAMPLES
from ops.data.tensor_shards import Shards

SHARDS, READ = 20, 256
LATENT = (8, 8, 44, 80)
SAMPLE_BYTES = 2 * 4 * int(np.prod(LATENT))
PARTS = ("mean", "log_variance")

Place = tuple[str, str]
"""A shard and a sample in it."""
Reader = Callable[[str, Sequence[str]], list[torch.Tensor]]
Way = Callable[[Path], AbstractContextManager[Reader]]


class Found(NamedTuple):
    way: str
    order: str
    bytes: float
    """From the disk, of one sample."""


def measure(folder: Path) -> Iterator[Found]:
    numbers = product(range(SHARDS), range(SHARD_SAMPLES))
    places = [(f"{shard}.safetensors", f"{shard:04x}{each:012x}") for shard, each in numbers]
    for shard in dict.fromkeys(shard for shard, _ in places):
        names = [f"{sample}.{part}" for of, sample in places if of == shard for part in PARTS]
        tensor_shards.write(folder / shard, {name: torch.randn(LATENT) for name in names})
    os.sync()
    drawn = np.random.default_rng(0).permutation(len(places))[:READ]
    orders = {"random": [places[each] for each in drawn], "in sequence": places[:READ]}
    for order, chosen in orders.items():
        for way, reader in (("mapped", mapped), ("positional", positional)):
            yield Found(way, order, _bytes_of_each(folder, reader, chosen))


@contextmanager
def mapped(folder: Path) -> Iterator[Reader]:
    """As safetensors reads: files that were opened stay open."""
    files: dict[str, safe_open] = {}

    def read(shard: str, names: Sequence[str]) -> list[torch.Tensor]:
        if shard not in files:
            files[shard] = safe_open(folder / shard, framework="pt")
        return [files[shard].get_tensor(name) for name in names]

    yield read


@contextmanager
def positional(folder: Path) -> Iterator[Reader]:
    shards = Shards(folder)
    yield lambda shard, names: shards.get(shard, *names)


def _bytes_of_each(folder: Path, reader: Way, places: Sequence[Place]) -> float:
    for file in folder.iterdir():
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with reader(folder) as read:
        before = _bytes_read()
        for shard, sample in places:
            read(shard, [f"{sample}.{part}" for part in PARTS])
        return (_bytes_read() - before) / len(places)


def _bytes_read() -> int:
    """That this process had the disk read."""
    lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


def report(found: Sequence[Found]) -> Report:
    by = {(each.order, each.way): each for each in found}
    ours, theirs = (by["random", way].bytes / SAMPLE_BYTES for way in ("positional", "mapped"))
    return Report(
        "Reading cached latents",
        f"In random order a sample costs {ours:.2f} times its bytes (mapped files: {theirs:.2f} times), in sequence "
        f"{by['in sequence', 'positional'].bytes / SAMPLE_BYTES:.2f} times.",
        ("", "MB a sample", "of its bytes"),
        [
            (f"{each.order}, {each.way}", f"{each.bytes / 1e6:.2f}", f"{each.bytes / SAMPLE_BYTES:.2f}")
            for each in found
        ],
        (
            f"{SHARDS} shards of {SHARD_SAMPLES} samples, mean and log-variance of {SAMPLE_BYTES / 1e6:.1f} MB "
            f"together; {READ} of them are read, and none is in the page cache. `positional` is how trainings read: a "
            "sample is one read. `mapped` is the library of safetensors.",
            "Bytes are those that the kernel had the disk read (`read_bytes`), what it read ahead included; how much "
            "that is depends on the disk's settings. Opening a shard is in.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in", dest="inside", type=Path, help="a folder on the disk that is meant; else that of /tmp")
    with tempfile.TemporaryDirectory(prefix="soraflow-benchmark-", dir=parser.parse_args().inside) as folder:
        result = report(list(measure(Path(folder))))
    result.show(Console())
    result.write()


if __name__ == "__main__":
    main()
