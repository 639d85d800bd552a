"""How often the filter is right, from a person's verdicts on a sample: a share with its 95 % interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.curation.audit.sample import KEPT
from ops.curation.audit.verdict_store import ACCEPT, Entry
from ops.statistics.wilson import wilson


@dataclass(frozen=True)
class Estimate:
    """`share` of the filter's decisions that the person shares, with the ends of its interval; all None before the
    first verdict, for no verdicts are not a precision of 0."""

    right: int
    judged: int
    share: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.share is None or self.low is None or self.high is None:
            return "none judged yet"
        return f"{self.share:.0%} [{self.low:.0%}, {self.high:.0%}], {self.right} of {self.judged}"


def estimate(judged: Sequence[tuple[float, bool]]) -> Estimate:
    """From (weight, whether the filter was right) of each judged clip.

    Strata are sampled unevenly, so a clip counts for as many as it stands for. The interval is Wilson's for the
    effective sample size (Σw)²/Σw² (Kish 1965), which for equal weights is the number judged.
    """
    if not judged:
        return Estimate(0, 0, None, None, None)
    total = sum(weight for weight, _ in judged)
    share = sum(weight for weight, right in judged if right) / total
    effective = total**2 / sum(weight**2 for weight, _ in judged)
    low, high = wilson(min(1.0, share) * effective, effective)
    return Estimate(sum(right for _, right in judged), len(judged), share, low, high)


def precision(sizes: Mapping[str, int], verdicts: Iterable[tuple[str, Entry]]) -> dict[str, Estimate]:
    """The estimates of `kept` (clips kept that a person accepts), of `rejected` (clips rejected that a person rejects,
    over all steps), and of each step that rejected.

    `sizes` are the clips of each stratum in the table, `verdicts` pairs of stratum and verdict.
    """
    judged = [(name, (verdict == ACCEPT) is (name == KEPT)) for name, verdict in verdicts]
    counts = Counter(name for name, _ in judged)
    weighted = [(name, (sizes[name] / counts[name], right)) for name, right in judged]
    found = {
        KEPT: estimate([pair for name, pair in weighted if name == KEPT]),
        "rejected": estimate([pair for name, pair in weighted if name != KEPT]),
    }
    steps = [name for name in sizes if name != KEPT]
    return found | {step: estimate([pair for name, pair in weighted if name == step]) for step in steps}
