"""The samples of a training: those that it learns from, in their order, and those that it is judged by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from ops.catalogue import Kind
from ops.data.columns import Sample
from ops.data.drawn_windows import DrawnWindows
from ops.data.sample_index import SampleIndex
from ops.training.data.batch_sizes import batch_sizes, largest, too_small
from ops.training.data.data_order import DataOrder
from ops.training.data.images_behind import IMAGES, ImagesBehind
from ops.training.job import Job
from ops.training.loop.randomness import seed_of


class NoHeldOutSamples(ValueError):
    """A training that could not be judged."""


@dataclass(frozen=True)
class TrainingSamples:
    """`by_id` reads any of them; `train` and `held_out` count those that are learned from and those that are not, of
    which a validation looks at `looked_at`. `too_small` are buckets that are not trained on, with their samples.
    `windows` draws the windows of those that are learned from, where that is done anew in each epoch. `behind` are
    images that ride behind videos, of which there are none among the others."""

    by_id: SampleIndex
    train: int
    held_out: int
    looked_at: Sequence[Sample]
    order: DataOrder
    too_small: Mapping[str, int] = field(default_factory=dict)
    windows: DrawnWindows | None = None
    behind: ImagesBehind | None = None

    @classmethod
    def of(cls, job: Job, kinds: tuple[Kind, ...], joint_images: int = 0) -> TrainingSamples:
        """Those of these kinds that are cut for this training, of the version of the training set that the job names,
        and as many images behind each video.

        Raises:
            NoHeldOutSamples: when none is held out.
            NoBatches: when there is none to learn from, or too few of each size.
        """
        schedule, seed = job.schedule, job.settings.seed
        index = SampleIndex.of(job.project, job.dataset_version)
        cut, dataset = job.training.cut, job.training.dataset
        buckets, held_out = (index.members(split, kinds, cut) for split in ("train", "held_out"))
        held_out_count = sum(map(len, held_out.values()))
        require_held_out(held_out_count, kinds)
        sizes = batch_sizes(buckets, largest(dataset, kinds), schedule)
        small = too_small({name: len(ids) for name, ids in buckets.items()}, sizes, schedule)
        train = {name: ids for name, ids in buckets.items() if name not in small}
        order = DataOrder(train, sizes, seed, job.dataset_version)
        behind = None
        if joint_images:
            images = index.members("train", IMAGES, cut)
            behind = ImagesBehind.of(
                joint_images, {name: sizes[name] for name in train}, images, seed, job.dataset_version
            )
        looked_at = index.rows(drawn(held_out, schedule.validate_samples, seed))
        return cls(index, sum(map(len, train.values())), held_out_count, looked_at, order, small, behind=behind)

    @property
    def count(self) -> int:
        """How many the training looks at, those of a validation included."""
        return self.train + len(self.looked_at) + (self.behind.count if self.behind else 0)

    def shown(self, sample_id: str, epoch: int) -> Sample:
        """A sample as it is read in an epoch."""
        sample = self.by_id[sample_id]
        return sample if self.windows is None or sample["split"] != "train" else self.windows.of(sample, epoch)

    def source(self, sample_id: str) -> str:
        """The file that a sample is of, for a person."""
        return self.by_id[sample_id]["path"]

    def bucket(self, sample_id: str) -> str:
        """The bucket that it is in."""
        return self.by_id[sample_id]["bucket"]

    def notes(self) -> list[str]:
        """For the log: what of the training set is not learned from, and not looked at by a validation."""
        seen, of = len(self.looked_at), self.held_out
        small = [
            f"bucket {name} is left out: its {count:,} samples are fewer than schedule.least_batches asks for"
            for name, count in sorted(self.too_small.items())
        ]
        unseen = f"validation looks at {seen:,} of {of:,} held-out samples (schedule.validate_samples)"
        images = self.behind and f"{self.behind.each} of {self.behind.count:,} images ride behind each video"
        return [*small, *[unseen] * (seen < of), *([images] if images else [])]


def require_held_out(count: int, kinds: Sequence[str]) -> None:
    if not count:
        raise NoHeldOutSamples(
            f"the training set holds out no sample of kind {' or '.join(kinds)}, so this training could not be judged: "
            "raise dataset.held_out_share, or add sources"
        )


def drawn(buckets: Mapping[str, Sequence[str]], count: int, seed: int) -> list[str]:
    """Up to `count` sample ids, evenly over the buckets, at least one of each as long as `count` allows.

    A sample's place depends on the seed and on its own id, so a set that grows a little is drawn from much as before.
    """
    places: dict[str, tuple[float, int]] = {}
    for ids in buckets.values():
        keyed = ((seed_of(seed, "validation", name), name) for name in ids)
        first = nsmallest(count, keyed)  # of a bucket no others can be among them
        places |= {name: (place / len(ids), key) for place, (key, name) in enumerate(first)}
    return sorted(places, key=places.__getitem__)[:count]


def same_size_batches(rows: Sequence[Sample], batch_size: int) -> list[list[Sample]]:
    """Every row once, in batches of one bucket, the last of a bucket perhaps smaller. The order is fixed."""
    buckets: dict[str, list[Sample]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["sample_id"]):
        buckets[row["bucket"]].append(row)
    return [
        members[i : i + batch_size]
        for _, members in sorted(buckets.items())
        for i in range(0, len(members), batch_size)
    ]


def spread_samples(rows: Sequence[Sample], count: int) -> list[Sample]:
    """Up to `count` rows, evenly over the list, videos first."""
    ordered = sorted(rows, key=lambda row: (row["kind"] != "video", row["sample_id"]))
    return [ordered[i * len(ordered) // count] for i in range(count)] if len(ordered) > count else ordered
