"""Which tokens of a sequence each rank of a group holds. Numbers alone, without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TokenShare:
    """`tokens` in runs of equal length, one for each of `ranks` side by side.

    Where they do not come out even the last runs are filled up: at most `ranks` − 1 places hold nothing.
    """

    tokens: int
    ranks: int

    @property
    def each(self) -> int:
        """Places of a rank, those that are filled up included."""
        return -(-self.tokens // self.ranks)

    @property
    def padding(self) -> int:
        """Places that are filled up, over all ranks."""
        return self.each * self.ranks - self.tokens

    def run(self, rank: int) -> range:
        """The tokens of a rank."""
        first, end = (min(place * self.each, self.tokens) for place in (rank, rank + 1))
        return range(first, end)

    def frames(self, rank: int, tokens_of_a_frame: int) -> range:
        """The frames, of equally many tokens one after the other, that a rank's run lies in."""
        run = self.run(rank)
        return range(run.start // tokens_of_a_frame, -(-run.stop // tokens_of_a_frame)) if run else range(0)
