"""How far held-out items have come since the first validation of a training, and how sure that is."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ops.runtime.files import write_json
from ops.training.checkpoints.store import Files

FILE = "first_validation.json"


class Improvement:
    """Compares item by item: an item that is hard stays hard, so that the mean of the differences is far surer than
    the difference of the means. What is less than twice its error is no progress to speak of."""

    def __init__(self, items: Mapping[str, str], higher_is_better: bool) -> None:
        """`items` maps each held-out sample to what it was cut from; windows of one clip are one item."""
        self._items, self._sign = items, 1 if higher_is_better else -1
        self._first: dict[str, float] | None = None

    def figures(self, values: Mapping[str, float]) -> dict[str, float]:
        """`gain`, positive for better, and `gain_error`, its standard error, from the metric of each sample. Nothing
        at the first call, which is what later ones are compared with, and nothing about fewer than two items."""
        now = self._by_item(values)
        if self._first is None:
            self._first = now
            return {}
        gains = [self._sign * (now[item] - self._first[item]) for item in sorted(now.keys() & self._first.keys())]
        if len(gains) < 2:
            return {}
        mean = sum(gains) / len(gains)
        variance = sum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1)
        return {"gain": mean, "gain_error": math.sqrt(variance / len(gains))}

    def _by_item(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean of each item's samples; a PSNR may be infinite, and is then no measure of a way."""
        groups: dict[str, list[float]] = defaultdict(list)
        for sample_id, value in values.items():
            if math.isfinite(value):
                groups[self._items[sample_id]].append(value)
        return {item: sum(group) / len(group) for item, group in groups.items()}

    def files(self) -> Files:
        """What it is compared with does not change any more."""
        first = self._first
        return {} if first is None else {FILE: lambda file: write_json(file, first)}

    def restore(self, folder: Path) -> None:
        if (folder / FILE).is_file():
            self._first = json.loads((folder / FILE).read_text(encoding="utf-8"))
