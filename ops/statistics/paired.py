"""Two models on the same prompts: which is better, by how much, and how many more videos it would take to tell.

The unit is the prompt. Videos of one prompt are alike, so the seeds of a prompt are averaged before prompts are drawn
anew. A difference is of the second model to the first, and above 0 where the second is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Literal

import numpy as np

from ops.statistics.bootstrap import RESAMPLES
from ops.statistics.wilson import Z

Word = Literal["better", "no worse", "worse", "cannot tell"]
FEWEST = 6
"""Prompts without which nothing is told: of five that all agree, chance alone gives one set in sixteen (2 · 2⁻⁵)."""
POWER_Z = 0.8416212335729143
"""Of the standard normal distribution, 80 % lies below this: so often is the number of videos enough."""
MOST = 1_000_000
"""Videos; a difference that takes more is none that anybody would see."""


@dataclass(frozen=True)
class Pair:
    """What one metric says of the two videos of one prompt and seed."""

    prompt: str
    first: float
    second: float


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference with its 95 % interval over `prompts`, and what it says.

    `margin` is the loss that is tolerated. `more_videos` is about how many more would tell, where it cannot be told:
    None where it can, or where the models are too alike for any number.
    """

    mean: float
    low: float
    high: float
    prompts: int
    videos: int
    margin: float
    word: Word
    more_videos: int | None = None

    @property
    def figures(self) -> str:
        """The mean with its interval, such as '+0.1 [-0.02, +0.22]'."""
        return f"{_signed(self.mean)} [{_signed(self.low)}, {_signed(self.high)}]"

    @property
    def verdict(self) -> str:
        """The word, and what would settle it."""
        if self.word != "cannot tell":
            return self.word
        if self.more_videos is None:
            return "cannot tell, and no number of videos would: they are too alike"
        return f"cannot tell, needs about {self.more_videos:,} more videos"


def paired_difference(
    pairs: Sequence[Pair], higher_is_better: bool = True, margin: float = 0.0, seed: int = 0
) -> PairedDifference:
    """Compare two models on the videos that both have made; equal pairs give equal intervals.

    `better`: the interval lies above 0. `no worse`: it lies above −margin. `worse`: it lies below −margin. Otherwise,
    and of fewer than `FEWEST` prompts, it cannot be told.

    Raises:
        ValueError: there is no pair.
    """
    if not pairs:
        raise ValueError("two models without a video of the same prompt and seed cannot be compared")
    by_prompt: dict[str, list[float]] = {}
    for pair in pairs:
        gain = pair.second - pair.first
        by_prompt.setdefault(pair.prompt, []).append(gain if higher_is_better else -gain)
    differences = np.array([float(np.mean(gains)) for gains in by_prompt.values()])
    low, high = _interval(differences, seed)
    mean, word = float(differences.mean()), _word(low, high, margin, len(differences))
    needed = _prompts_needed(differences, margin) if word == "cannot tell" else None
    each = len(pairs) / len(differences)
    more = None if needed is None else _rounded((needed - len(differences)) * each)
    return PairedDifference(mean, low, high, len(differences), len(pairs), margin, word, more)


def _word(low: float, high: float, margin: float, prompts: int) -> Word:
    if prompts < FEWEST:
        return "cannot tell"
    if low > 0:
        return "better"
    if low >= -margin:
        return "no worse"
    return "worse" if high < -margin else "cannot tell"


def _interval(differences: np.ndarray, seed: int) -> tuple[float, float]:
    """The expanded percentile interval (Hesterberg 2015, section 5.3): percentiles of the bootstrap's means, as far out
    as makes up for few prompts, with which the plain 2.5 and 97.5 lie too close together."""
    from scipy.stats import norm, t

    count = len(differences)
    draws = np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))
    means = differences[draws].mean(axis=1)
    if count == 1:
        return float(means.min()), float(means.max())
    tail = 100 * float(norm.cdf(np.sqrt(count / (count - 1)) * t.ppf(0.025, count - 1)))
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def _prompts_needed(differences: np.ndarray, margin: float) -> int | None:
    """So many that, if the mean and the spread are what they seem, the interval leaves −margin out four times in five
    (the usual sample size of a paired test); None where no number would do."""
    count = len(differences)
    spread = float(differences.std(ddof=1)) if count > 1 else 0.0
    gap = abs(float(differences.mean()) + margin)
    if spread == 0:
        return max(FEWEST, count + 1)
    if gap == 0 or (needed := ((Z + POWER_Z) * spread / gap) ** 2) > MOST:
        return None
    return max(FEWEST, count + 1, ceil(needed))


def _signed(value: float) -> str:
    return f"{value:+.3g}" if value else "0"


def _rounded(videos: float) -> int:
    """Upwards, to two digits: it is an estimate."""
    unit = 10 ** max(0, floor(log10(max(1.0, videos))) - 1)
    return int(ceil(videos / unit) * unit)
