"""Batches by tokens: what of a step's tokens is wasted, on a mixture of sizes and lengths as the paper's.

`python -m benchmarks.token_batches` plans an epoch of `--samples N` (20 million by default) made-up images and clips on
256 ranks: no training is run, for tokens can be counted. Beside it stand batches that are drawn from all sizes.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.report import Report
from models.geometry import PIXELS_PER_TOKEN, TEMPORAL
from ops.config import Dataset, Schedule
from ops.data.buckets import Bucket, Unusable, nearest_size, usable_frames
from ops.training.data.batch_sizes import batch_sizes, largest, tokens, too_small
from ops.training.data.data_order import DataOrder
from ops.training.data.data_share import Shares
from ops.training.launching.ranks import Ranks

SAMPLES = 20_000_000
RANKS = 256
MOST = 0.03
DATASET = Dataset(num_frames=93, min_frames=29, fps=16, max_area=640 * 640, latent_frames_multiple=2)
SCHEDULE = Schedule.model_validate(
    {
        **{"steps": 1, "checkpoint_every": 1, "validate_every": 1, "optimizer": {"learning_rate": 1e-4}},
        **{"batch_size": 1024, "batch_by": "tokens", "batch_multiple": RANKS, "least_batches": 4},
    }
)
VIDEOS = {
    **{(720, 1280): 60, (1080, 1920): 12, (576, 1024): 6, (360, 640): 4, (480, 852): 4},
    **{(1280, 720): 8, (1080, 608): 3, (1024, 576): 3},
}
"""Heights and widths of videos as figure 12 of the paper names the commonest, with shares of our own."""
IMAGES = {(1500, 2250): 40, (2250, 1500): 20, (512, 512): 20, (512, 768): 10, (768, 512): 10}
SECONDS = (2.0, 16.0)
"""Of clips, drawn so that each doubling is as common as the next."""
IMAGE_SHARE = 0.3


@dataclass(frozen=True)
class Waste:
    """Shares of the tokens that ranks have time for: of padding, and of waiting for the rank that has most."""

    padding: float
    waiting: float

    @property
    def both(self) -> float:
        return 1 - (1 - self.padding) * (1 - self.waiting)


def mixture(samples: int, seed: int = 1) -> Counter[Bucket]:
    """How many samples are in which bucket; what fits none is left out."""
    random = np.random.Generator(np.random.PCG64(seed))
    images = int(samples * IMAGE_SHARE)
    found: Counter[Bucket] = Counter()
    for sizes, count in ((IMAGES, images), (VIDEOS, samples - images)):
        shares = np.array(list(sizes.values()), float)
        for (height, width), number in zip(sizes, random.multinomial(count, shares / shares.sum()), strict=True):
            try:
                size = nearest_size(height, width, DATASET.sizes())
            except Unusable:
                continue
            for frames, many in Counter(_lengths(random, number) if sizes is VIDEOS else {1: number}).items():
                found[Bucket(frames, *size)] += many
    return found


def _lengths(random: np.random.Generator, count: int) -> Counter[int]:
    low, high = np.log(SECONDS)
    available = (np.exp(random.uniform(low, high, count)) * DATASET.fps).astype(int)
    kept: Counter[int] = Counter()
    for frames, number in zip(*np.unique(available, return_counts=True), strict=True):
        if frames >= DATASET.min_frames:
            kept[usable_frames(int(frames), DATASET)] += int(number)
    return kept


def planned(buckets: Counter[Bucket]) -> tuple[DataOrder, NDArray[np.int64]]:
    """The order of an epoch, and the tokens of a rank in each of its steps, [steps, ranks]."""
    counts = {str(bucket): number for bucket, number in buckets.items()}
    sizes = batch_sizes(counts, largest(DATASET, ("image", "video")), SCHEDULE)
    small = too_small(counts, sizes, SCHEDULE)
    members = {name: range(number) for name, number in counts.items() if name not in small}
    order = DataOrder(members, sizes, 1, "made")  # type: ignore[arg-type]  # numbers serve for names
    shares = Shares.of(SCHEDULE.batch_size, 1, Ranks(0, RANKS, 0), multiple=SCHEDULE.batch_multiple)
    held = []
    for count in order.counts():
        bucket = Bucket.parse(count.bucket)
        share = shares.of_batch(bucket.frames, count.batch_size)
        a_rank = [len(share.positions_of(part)) * tokens(bucket) for part in range(share.parts)]
        held += [a_rank] * count.batches
    return order, np.array(held)


def drawn_from_all(buckets: Counter[Bucket], padded: bool, seed: int = 1) -> NDArray[np.int64]:
    """Tokens of each rank's samples in batches that mix sizes, [steps, ranks, samples]; padded to the rank's largest in
    each of time, height and width."""
    random = np.random.Generator(np.random.PCG64(seed))
    kinds = np.array([(b.frames, b.height, b.width) for b in buckets])
    drawn = random.permutation(np.repeat(np.arange(len(kinds)), list(buckets.values())))
    a_rank = SCHEDULE.batch_size // RANKS
    steps = len(drawn) // SCHEDULE.batch_size
    sizes = kinds[drawn[: steps * SCHEDULE.batch_size]].reshape(steps, RANKS, a_rank, 3)
    if padded:
        sizes = np.broadcast_to(sizes.max(axis=2, keepdims=True), sizes.shape)
    sides = sizes[..., 1:] // PIXELS_PER_TOKEN
    return ((sizes[..., 0] - 1) // TEMPORAL + 1) * sides[..., 0] * sides[..., 1]


def waste(held: NDArray[np.int64], padded: NDArray[np.int64] | None = None) -> Waste:
    """`held` are a rank's own tokens, [steps, ranks]; `padded` what it computes instead."""
    computed = held if padded is None else padded
    return Waste(1 - held.sum() / computed.sum(), 1 - computed.sum() / (computed.max(axis=1).sum() * RANKS))


def report(samples: int) -> Report:
    buckets = mixture(samples)
    order, by_tokens = planned(buckets)
    own = drawn_from_all(buckets, padded=False).sum(axis=2)
    mixed = waste(own, drawn_from_all(buckets, padded=True).sum(axis=2))
    ours = waste(by_tokens)
    full = SCHEDULE.batch_size * tokens(largest(DATASET, ("image", "video"))) // RANKS
    kept = sum(count.samples for count in order.counts())
    repeated = sum(count.repeated for count in order.counts()) / kept
    steps: defaultdict[str, float] = defaultdict(float)
    for name, each in (("least", by_tokens.min()), ("mean", by_tokens.mean()), ("most", by_tokens.max())):
        steps[name] = float(each) / full
    return Report(
        "Batches by tokens",
        f"Of what {RANKS} ranks have time for, batches by tokens waste {ours.both:.1%} (to reach: at most {MOST:.0%}), "
        f"batches drawn from all sizes {mixed.both:.0%}.",
        ("", "padding", "waiting for the fullest rank", "both"),
        [
            ("batches by tokens", f"{ours.padding:.1%}", f"{ours.waiting:.1%}", f"{ours.both:.1%}"),
            ("drawn from all sizes, padded", f"{mixed.padding:.1%}", f"{mixed.waiting:.1%}", f"{mixed.both:.1%}"),
        ],
        (
            f"{buckets.total():,} made-up images and clips of the sizes that figure 12 of the paper names, in "
            f"{len(order.buckets)} buckets of at most 93x640x640; batches of {SCHEDULE.batch_size} of those, in "
            f"multiples of {SCHEDULE.batch_multiple}.",
            f"A step has {steps['mean']:.0%} of the tokens of the fullest that the settings allow, at least "
            f"{steps['least']:.0%} and at most {steps['most']:.0%}; {repeated:.2%} of an epoch's samples are seen "
            f"twice, to fill last batches, and {1 - kept / buckets.total():.2%} of all are in buckets too small for "
            "four.",
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    asked = parser.parse_args()
    result = report(asked.samples)
    result.show(Console())
    if asked.samples == SAMPLES:
        result.write()


if __name__ == "__main__":
    main()
