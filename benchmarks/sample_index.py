"""What a rank needs to name and read the batches of a training: the index of samples, at 20 million of them.

`python -m benchmarks.sample_index` makes up a training set, has its index made, and lets two processes open it as two
ranks do; `--samples N` takes another number. Memory is what no other process shares (USS) and, of the index's own
pages, each process's share (PSS).
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from rich.console import Console

from benchmarks.report import Report
from ops.config import DEFAULT_CUT
from ops.data.sample_index import SampleIndex
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.training.data.data_order import DataOrder

Result = TypeVar("Result")

SAMPLES_OF_ALL, RANKS, BATCH = 20_000_000, 2, 1024
SIZES = ((640, 640), (352, 640), (640, 352), (480, 640), (640, 480))
LENGTHS = (93, 61, 29, 1)
CAPTION = "A man in a red coat walks along a wet street at night while cars pass, and the camera follows him. " * 2
STEPS = 40


@dataclass(frozen=True)
class Rank:
    """Seconds, and bytes: `own` are those that this process alone holds beyond what it held before it opened the index,
    `mapped` those of the index that it touched, and `share` its share of these, which others have mapped, too."""

    opening: float
    epoch: float
    naming: float
    reading: float
    own: int
    mapped: int
    share: int


@dataclass(frozen=True)
class Figures:
    samples: int
    table_bytes: int
    index_bytes: int
    making: float
    ranks: list[Rank]


def measure(samples: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="soraflow-benchmark-") as folder:
        table = Path(folder) / "samples.parquet"
        tables.write_parts(table, made_up(samples), SAMPLES)
        _, making = timed(lambda: SampleIndex(table))
        context = multiprocessing.get_context("spawn")
        barrier, answers = context.Barrier(RANKS), context.Queue()
        ranks = [context.Process(target=_rank, args=(table, number, barrier, answers)) for number in range(RANKS)]
        for rank in ranks:
            rank.start()
        found = [answers.get() for _ in ranks]
        for rank in ranks:
            rank.join()
        index = sum(file.stat().st_size for file in (table.parent / "index").iterdir())
        return Figures(samples, table.stat().st_size, index, making, found)


def made_up(samples: int, seed: int = 0) -> Iterator[pa.Table]:
    """Rows as long as real ones: clips of up to 93 frames, every twentieth a picture, one of a thousand held out."""
    random, frames = np.random.default_rng(seed), np.arange(max(LENGTHS))
    for start in range(0, samples, tables.GROUP):
        count = min(tables.GROUP, samples - start)
        number = start + np.arange(count)
        length = np.array(LENGTHS)[np.where(number % 20 == 0, 3, random.integers(0, 3, count))]
        height, width = np.array(SIZES)[random.integers(0, len(SIZES), count)].T
        listed = np.broadcast_to(frames * 2, (count, len(frames)))[np.arange(len(frames)) < length[:, None]]
        ends = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
        digits = random.bytes(8 * count).hex()
        ids = [digits[at : at + 16] for at in range(0, 16 * count, 16)]
        source = [f"{each:016x}" for each in (number // 20).tolist()]
        columns: dict[str, Any] = {
            "sample_id": ids,
            "item_id": ids,
            "source_id": source,
            "kind": np.where(length == 1, "image", "video"),
            "split": np.where(number // 20 % 1000 == 0, "held_out", "train"),
            "cut": np.full(count, DEFAULT_CUT),
            "bucket": [
                f"{f}x{h}x{w}" for f, h, w in zip(length.tolist(), height.tolist(), width.tolist(), strict=True)
            ],
            "frames": length,
            "height": height,
            "width": width,
            "root": ["/data/videos"] * count,
            "path": [f"{name}.mp4" for name in source],
            "sha256": [4 * name for name in source],
            "frame_indices": pa.ListArray.from_arrays(ends, listed),
            "caption": [f"{name} {CAPTION}" for name in ids],
        }
        whole = {name: columns.get(name, pa.nulls(count)) for name in SAMPLES.names}
        yield pa.table({name: pa.array(column) for name, column in whole.items()}).cast(SAMPLES)


def _rank(table: Path, number: int, barrier: Barrier, answers: Any) -> None:
    before = own_bytes()
    index, opening = timed(lambda: SampleIndex(table))
    members = index.members("train", ("video", "image"))
    order = DataOrder(members, dict.fromkeys(members, BATCH), 1, "v")
    _, epoch = timed(lambda: order.batch(1))
    steps = np.random.default_rng(number).integers(1, order.batches_per_epoch, STEPS).tolist()
    named = [timed(lambda step=step: order.batch(step)) for step in steps]
    reading = [timed(lambda names=names: [index[name] for name in names])[1] / BATCH for names, _ in named]
    order.batch(order.batches_per_epoch + 1)  # the next epoch is read ahead, beside this one
    barrier.wait()
    own = own_bytes() - before
    mapped, share = index_bytes(table.parent / "index")
    barrier.wait()
    answers.put(Rank(opening, epoch, median(seconds for _, seconds in named), median(reading), own, mapped, share))


def own_bytes() -> int:
    """Bytes of memory that this process shares with no other: its USS, without the pages of files."""
    found = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8")
    return _kilobytes(found, "Private_Dirty") * 1024


def index_bytes(folder: Path) -> tuple[int, int]:
    """Of the pages of an index: bytes in memory that this process has mapped, and its share of them."""
    rss = pss = 0
    for mapping in re.split(
        r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(encoding="utf-8"), flags=re.M
    ):
        if str(folder) in mapping.partition("\n")[0]:
            rss += _kilobytes(mapping, "Rss")
            pss += _kilobytes(mapping, "Pss")
    return 1024 * rss, 1024 * pss


def _kilobytes(text: str, name: str) -> int:
    return sum(int(found) for found in re.findall(rf"^{name}:\s+(\d+) kB", text, flags=re.M))


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def report(figures: Figures) -> Report:
    slowest = {name: max(getattr(rank, name) for rank in figures.ranks) for name in Rank.__dataclass_fields__}
    rows = [
        ("making it, once for each version", f"{figures.making:.0f} s"),
        ("samples.parquet", f"{figures.table_bytes / 1e9:.2f} GB"),
        ("the index beside it", f"{figures.index_bytes / 1e9:.2f} GB"),
        ("opening it", f"{slowest['opening']:.3f} s"),
        ("drawing the order of an epoch", f"{slowest['epoch']:.2f} s"),
        (f"naming a batch of {BATCH}, of any step", f"{1e3 * slowest['naming']:.2f} ms"),
        ("reading a row", f"{1e3 * slowest['reading']:.3f} ms"),
        ("memory of a rank that it shares with none, with two epochs drawn", f"{slowest['own'] / 1e6:.0f} MB"),
        ("pages of the index that a rank has touched", f"{slowest['mapped'] / 1e6:.0f} MB"),
        (f"its share of them, of {RANKS} ranks", f"{slowest['share'] / 1e6:.0f} MB"),
    ]
    return Report(
        "Index of samples",
        f"A rank opens {figures.samples:,} samples in {slowest['opening']:.2f} s and holds "
        f"{slowest['own'] / 1e6:.0f} MB of its own for them.",
        ("", "of the slower rank"),
        rows,
        (
            "Made-up samples of up to 93 frames with captions of 200 characters; two processes open the index at once.",
            "Own memory is what only this process has written to (Private_Dirty), beyond what it had before; the pages "
            "of the index are mapped from its files, and the kernel counts to each process its part (Pss).",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES_OF_ALL, help=f"{SAMPLES_OF_ALL:,} by default")
    asked, console = parser.parse_args().samples, Console()
    with console.status("making up a training set, and its index"):
        figures = measure(asked)
    result = report(figures)
    result.show(console)
    if asked == SAMPLES_OF_ALL:
        result.write()


if __name__ == "__main__":
    main()
