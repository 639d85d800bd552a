"""Which curves show how a training's gradients were: those of the paper's figure 8 (arXiv 2412.00131), as one picture.

A rule that knows no ranks has fewer of them; a curve that a training does not have is not drawn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.reports.curves import Curve, draw_curves

NAME = "gradients"
"""Of the picture, among the charts of a run."""
PICTURE = f"{NAME}.png"
"""In the training's folder."""
WINDOW = 100
"""Steps before an incident, and after it, that its page shows."""
TITLES = {
    "loss": "loss",
    "dropped_batches": "dropped batches",
    "clip_threshold": "threshold of the norm",
    "largest_norm": "largest norm",
    "norm_distance": "largest norm: squared distance from mean",
    "kept_norm": "largest norm that was kept",
    "norm_mean": "mean of the norm",
    "norm_variance": "variance of the norm",
}
WHERE_RANKS_ARE_NOT_TOLD = {**TITLES, "grad_norm": "norm of the gradient", "kept_norm": "the same, as clipped"}
Lines = Sequence[Mapping[str, float]]


def draw(asset: str, lines: Lines, path: Path) -> None:
    """Write the picture of a whole training, from the lines of its loss curve."""
    draw_curves(f"Gradients of {asset}", _curves(lines), path)


def around(lines: Lines, step: int) -> bytes:
    """A PNG of the same curves from `WINDOW` steps before a step to as many after it, with the step marked."""
    near = [line for line in lines if abs(line["step"] - step) <= WINDOW]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PICTURE
        draw_curves(f"Around step {step}", _curves(near), path, mark=step)
        return path.read_bytes()


def _curves(lines: Lines) -> list[Curve]:
    by_rank = any("largest_norm" in line for line in lines)
    titles = TITLES if by_rank else WHERE_RANKS_ARE_NOT_TOLD
    order = TITLES if by_rank else {**dict.fromkeys(("loss", "grad_norm")), **TITLES}
    curves = []
    for name in order:
        points = [(line["step"], line[name]) for line in lines if name in line]
        if points:
            curves.append(Curve(titles[name], [step for step, _ in points], [value for _, value in points]))
    return curves
