"""Curves on one axis, as SVG that stands in a page: sharp at any size, and in the colours of the page's theme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from ops.reports.curves import Curve, pieces
from ops.reports.html_page import text

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 14, 30
"""Room around the curves, for the figures of the axes."""
TICKS = 5
COLOURS = 6
"""Classes `line-0` and so on, which the style of the page gives a colour each."""


@dataclass(frozen=True)
class Mark:
    """A place on a curve that is pointed out: the step of a checkpoint, say."""

    step: float
    words: str
    colour: int


def line_chart(title: str, curves: Sequence[tuple[Curve, int]], marks: Sequence[Mark] = ()) -> str:
    """A figure with the curves, each in the colour of its number, on one axis of steps and one of values. Of a long
    curve the means of pieces are drawn. No curve with a point gives nothing."""
    drawn = [(pieces(curve), curve.title, colour % COLOURS) for curve, colour in curves if len(curve.steps)]
    if not drawn:
        return ""
    lows = [float(values.min()) for (_, _, values, _), _, _ in drawn]
    highs = [float(values.max()) for (_, _, values, _), _, _ in drawn]
    ends = [float(steps[-1]) for (steps, *_), _, _ in drawn]
    across, down = _Axis(0.0, max(ends), LEFT, WIDTH - RIGHT), _Axis(min(lows), max(highs), HEIGHT - BOTTOM, TOP)
    parts = [*_grid(across, down)]
    for mark in marks:
        x = across.place(mark.step)
        parts.append(
            f"<line class='mark line-{mark.colour % COLOURS}' x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' "
            f"y2='{HEIGHT - BOTTOM}'><title>{text(mark.words)}</title></line>"
        )
    for (steps, _, values, _), name, colour in drawn:
        points = " ".join(f"{across.place(x):.1f},{down.place(y):.1f}" for x, y in zip(steps, values, strict=True))
        parts.append(f"<polyline class='line-{colour}' points='{points}'><title>{text(name)}</title></polyline>")
    names = "; ".join(f"{name}, {values[-1]:.4g} at the end" for (_, _, values, _), name, _ in drawn)
    about = f"{title} over training steps: {names}"
    return (
        f"<figure class='chart'><figcaption><b>{text(title)}</b></figcaption>"
        f"<svg role='img' aria-label='{text(about)}' viewBox='0 0 {WIDTH} {HEIGHT}'>{''.join(parts)}</svg></figure>"
    )


@dataclass(frozen=True)
class _Axis:
    """Values from `low` to `high` along pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """About `TICKS` round values within the range."""
        if self.high <= self.low:
            return [self.low]
        rough = (self.high - self.low) / TICKS
        unit = 10 ** floor(log10(rough))
        step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= rough)
        first = ceil(self.low / step)
        return [number * step for number in range(first, floor(self.high / step + 1e-9) + 1)]


def _grid(across: _Axis, down: _Axis) -> Iterator[str]:
    for value in down.ticks():
        y = down.place(value)
        yield f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}'/>"
        yield f"<text x='{LEFT - 7}' y='{y + 4:.1f}' text-anchor='end'>{value:.4g}</text>"
    for value in across.ticks():
        x = across.place(value)
        yield f"<text x='{x:.1f}' y='{HEIGHT - BOTTOM + 18}' text-anchor='middle'>{value:,.0f}</text>"
