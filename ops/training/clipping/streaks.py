"""How many steps in a row something has gone on: of all steps, and of those of each bucket for itself.

A batch is of one bucket, and buckets differ in their norms: what hits every batch of videos between many of pictures
would never be found in two steps in a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STEPS = "steps"
"""All of them; other names are those of buckets, such as `17x48x64`."""


@dataclass
class Streaks:
    """`lengths` maps the name of a streak to its length; those that have ended are left out."""

    lengths: dict[str, int] = field(default_factory=dict)

    def note(self, again: bool, *names: str) -> int:
        """Whether it is so once more, for the streaks of these names. Returns the length of the longest of them."""
        now = {name: self.lengths.get(name, 0) + 1 if again else 0 for name in names}
        self.lengths = {name: length for name, length in {**self.lengths, **now}.items() if length}
        return max(now.values())
