from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ops.reports.curves import MOST_POINTS, Curve, pieces
from ops.training.recording import gradient_curves


def lines(count: int, **named: float) -> list[dict[str, float]]:
    return [{"step": 0, "held_out_loss": 1.0}, *({"step": step, "loss": 1 / step, **named} for step in range(1, count))]


FIGURE_8 = {
    **{"dropped_batches": 0.0, "clip_threshold": 1.0, "largest_norm": 0.5, "norm_distance": 0.1, "kept_norm": 0.5},
    **{"norm_mean": 0.4, "norm_variance": 0.2},
}


def test_all_eight_curves_of_the_paper_are_drawn() -> None:
    drawn = gradient_curves._curves(lines(5, **FIGURE_8, grad_norm=0.1))
    assert [curve.title for curve in drawn] == list(gradient_curves.TITLES.values())
    assert len(drawn) == 8
    assert all(list(curve.steps) == [1, 2, 3, 4] for curve in drawn)


def test_a_rule_that_knows_no_ranks_has_those_that_it_knows() -> None:
    drawn = gradient_curves._curves(lines(5, grad_norm=0.5, clip_threshold=1.0, kept_norm=0.5))
    titles = ["loss", "norm of the gradient", "threshold of the norm", "the same, as clipped"]
    assert [curve.title for curve in drawn] == titles


def test_a_step_that_lacks_a_figure_is_a_gap_and_no_zero() -> None:
    told = [*lines(4, kept_norm=0.5), {"step": 4, "loss": 2.0}]
    kept = gradient_curves._curves(told)[-1]
    assert (list(kept.steps), list(kept.values)) == ([1, 2, 3], [0.5] * 3)


def test_the_picture_shows_each_panel(tmp_path: Path) -> None:
    path = tmp_path / "gradients.png"
    gradient_curves.draw("denoiser_joint", lines(50, **FIGURE_8), path)
    whole = np.asarray(Image.open(path).convert("L"), dtype=float)
    height, width = whole.shape
    assert width > 1200
    panels = [whole[row * height // 2 : (row + 1) * height // 2] for row in (0, 1)]
    assert all(part.std() > 5 for row in panels for part in np.array_split(row, 4, axis=1))
    again = tmp_path / "again.png"
    gradient_curves.draw("denoiser_joint", lines(50, **FIGURE_8), again)
    assert again.read_bytes() == path.read_bytes()


def test_around_a_step_only_what_is_near_is_drawn() -> None:
    near = gradient_curves.around(lines(1000, grad_norm=0.5), 500)
    assert Image.open(io.BytesIO(near)).size[0] > 300
    assert near != gradient_curves.around(lines(1000, grad_norm=0.5), 450)
    assert near == gradient_curves.around(lines(601, grad_norm=0.5), 500)


def test_what_is_not_finite_does_not_spoil_the_picture() -> None:
    told = [*lines(5, grad_norm=0.5), {"step": 5, "loss": float("nan"), "grad_norm": float("inf")}]
    assert gradient_curves.around(told, 5).startswith(b"\x89PNG")


def test_a_long_curve_is_drawn_in_pieces_that_keep_its_range() -> None:
    values = [float(step % 100 == 7) for step in range(20_000)]
    steps, low, mean, high = pieces(Curve("spikes", list(range(20_000)), values))
    assert len(steps) == MOST_POINTS
    assert (low.max(), high.max()) == (0.0, 1.0)
    assert mean.mean() == pytest.approx(0.01)
