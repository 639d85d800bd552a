"""How well the chunks of a long video meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Seam:
    """Between a frame and the one before it, of another chunk."""

    frame: int
    difference: float
    """Mean absolute difference of the two in grey levels, 0 to 255."""
    ratio: float | None
    """That over the median of neighbours within chunks: 1 is as smooth as the rest. None where nothing moves."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class Seams:
    """Looks at frames as they come, and keeps one of them and a number each."""

    def __init__(self) -> None:
        self._inside: list[float] = []
        self._across: dict[int, float] = {}

    def watched(self, chunks: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """The frames [H, W, 3] of chunks [T, H, W, 3], one after the other."""
        before: NDArray[np.uint8] | None = None
        number = 0
        for chunk in chunks:
            for place, frame in enumerate(chunk):
                if before is not None:
                    difference = float(np.abs(frame.astype(np.int16) - before).mean())
                    if place == 0:
                        self._across[number] = difference
                    else:
                        self._inside.append(difference)
                yield frame
                before, number = frame, number + 1

    def found(self) -> list[Seam]:
        """Of what has been watched to its end."""
        usual = median(self._inside) if self._inside else 0.0
        return [
            Seam(frame, round(difference, 4), round(difference / usual, 4) if usual else None)
            for frame, difference in self._across.items()
        ]
