"""Which part of every global batch this rank computes, and in which micro-batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ops.config import ConfigError
from ops.training.launching.ranks import Ranks

T = TypeVar("T")


def micro_batch(batch_size: int, parts: int, accumulation: int, setting: str = "batch_size") -> int:
    """The samples that a rank computes at once, if a global batch falls into `parts` that are each computed in
    `accumulation` micro-batches. `setting` of the schedule is where its size comes from.

    Raises:
        ConfigError: naming the settings, when that does not come out even.
    """
    size, rest = divmod(batch_size, parts * accumulation)
    if rest or not size:
        raise ConfigError(
            f"schedule.{setting} {batch_size} cannot be divided over {parts} ranks with "
            f"gradient_accumulation_steps {accumulation}; use a multiple of {parts * accumulation}"
        )
    return size


@dataclass(frozen=True)
class DataShare:
    """The places of a global batch fall into `parts` of equal size, side by side; this rank computes the part `part`.

    A part belongs to one rank, or to the ranks of a group that compute the same samples together.
    """

    batch_size: int
    """Of all ranks."""
    micro_batch: int
    part: int = 0
    parts: int = 1

    @classmethod
    def of(cls, batch_size: int, accumulation: int, ranks: Ranks, ranks_of_a_part: int = 1) -> DataShare:
        """Consecutive ranks share a part.

        Raises:
            ConfigError: when batches cannot be divided so.
        """
        parts, rest = divmod(ranks.world_size, ranks_of_a_part)
        if rest:
            raise ConfigError(f"{ranks.world_size} ranks cannot be divided into groups of {ranks_of_a_part}")
        return cls(batch_size, micro_batch(batch_size, parts, accumulation), ranks.rank // ranks_of_a_part, parts)

    def resized(self, batch_size: int) -> DataShare:
        """Of a batch of another size, in as many micro-batches."""
        return replace(self, batch_size=batch_size, micro_batch=self.micro_batch * batch_size // self.batch_size)

    @property
    def positions(self) -> range:
        """This rank's places in the global batch."""
        return self.positions_of(self.part)

    def positions_of(self, part: int) -> range:
        """The places of one part."""
        size = self.batch_size // self.parts
        return range(part * size, (part + 1) * size)

    @property
    def micro_batches(self) -> list[range]:
        """The same places, in the portions that are computed at once."""
        starts = self.positions[:: self.micro_batch]
        return [range(start, start + self.micro_batch) for start in starts]

    def portion(self, things: Sequence[T]) -> Sequence[T]:
        """This rank's portion of any list of things that ranks share out."""
        return things[self.part :: self.parts]


@dataclass(frozen=True)
class Shares:
    """This rank's share of a batch, by what is in it: a group computes videos together, but of images each of its ranks
    computes its own, as far as the batch goes round."""

    video: DataShare
    image: DataShare

    @classmethod
    def of(
        cls, batch_size: int, accumulation: int, ranks: Ranks, ranks_of_a_video: int = 1, multiple: int | None = None
    ) -> Shares:
        """`multiple` is what the sizes of all batches are a multiple of (`schedule.batch_multiple`).

        Raises:
            ConfigError: when batches cannot be divided so.
        """
        video = DataShare.of(batch_size, accumulation, ranks, ranks_of_a_video)
        if multiple:
            micro_batch(multiple, video.parts, accumulation, "batch_multiple")
        divided = multiple or batch_size
        fewest = next(
            together
            for together in range(1, ranks_of_a_video + 1)
            if ranks_of_a_video % together == 0 and divided % (ranks.world_size // together * accumulation) == 0
        )
        return cls(video, DataShare.of(batch_size, accumulation, ranks, fewest))

    def of_batch(self, frames: int, batch_size: int) -> DataShare:
        """Of a batch of so many samples of so many frames each; an image has one."""
        return (self.image if frames == 1 else self.video).resized(batch_size)
