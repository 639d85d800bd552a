"""Draws the table of metrics in docs/evaluation.md from what each says of itself: `python docs/evaluation_table.py`."""

from __future__ import annotations

from pathlib import Path

from ops import weights
from ops.metrics.base import VideoMetric
from ops.metrics.registry import METRICS

PAGE = Path(__file__).parent / "evaluation.md"
BEGIN, END = "<!-- drawn by docs/evaluation_table.py -->", "<!-- end of the table -->"
HEAD = ("metric", "better", "weights and their licence", "proven by", "quirks of the published code that are kept")


def table() -> str:
    rows = [HEAD, ("---",) * len(HEAD), *(_row(each) for each in METRICS.values() if isinstance(each, VideoMetric))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(metric: VideoMetric) -> tuple[str, ...]:
    better = "higher" if metric.higher_is_better else "lower"
    licences = "; ".join(f"`{name}`: {weights.entry(name).licence}" for name in metric.needs.weights) or "none"
    fooled = f"{better}; fooled by {metric.fooled_by}" if metric.fooled_by else better
    return (f"`{metric.name}`", fooled, licences, metric.proof, "; ".join(metric.quirks) or "none")


def page(text: str) -> str:
    """The page with its table drawn anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
