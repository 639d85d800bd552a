"""How the image-condition controller was taught: from half of the frames given to one (v1.3 report).

The report's learning rate is 1e-5 and its batch 256.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.control.condition_masks import MaskMixture, MaskType

DEFAULT_VIDEO = MaskMixture(
    {
        MaskType.T2IV: 1,
        MaskType.I2V: 8,
        MaskType.TRANSITION: 8,
        MaskType.CONTINUATION: 2,
        MaskType.CLEAR: 0,
        MaskType.RANDOM_TEMPORAL: 1,
    }
)
"""What the published `mask_config.yaml` draws for videos."""
DEFAULT_IMAGE = MaskMixture({MaskType.T2IV: 0, MaskType.CLEAR: 0})
"""And for images: both weights are zero there, which makes the two equally likely."""


@dataclass(frozen=True)
class ScheduleStep:
    """One row: its mixture, on how many samples it was trained, of how many frames and at most how many pixels each."""

    name: str
    mixture: MaskMixture
    samples: int
    frames: int
    max_area: int


def _step(
    name: str, percent: tuple[int, int, int, int, int, int], min_given: float, millions: int, max_area: int = 102_400
) -> ScheduleStep:
    columns = (
        MaskType.T2IV,
        MaskType.CONTINUATION,
        MaskType.RANDOM_TEMPORAL,
        MaskType.I2V,
        MaskType.TRANSITION,
        MaskType.CLEAR,
    )
    weights = {kind: float(value) for kind, value in zip(columns, percent, strict=True) if value}
    return ScheduleStep(name, MaskMixture(weights, min_given), millions * 10**6, 93, max_area)


PROGRESSIVE = (
    _step("1-1", (10, 40, 40, 0, 0, 10), 0.5, 4),
    _step("1-2", (10, 40, 40, 0, 0, 10), 0.25, 4),
    _step("1-3", (10, 40, 40, 0, 0, 10), 0.125, 4),
    _step("1-4", (10, 25, 60, 0, 0, 5), 0.125, 4),
    _step("1-5", (10, 25, 60, 0, 0, 5), 0.0, 8),
    _step("1-6", (10, 10, 20, 40, 20, 0), 0.0, 16),
    _step("1-7", (5, 5, 10, 40, 40, 0), 0.0, 10),
    _step("2", (5, 5, 10, 40, 40, 0), 0.0, 15, max_area=236_544),
)
"""Percent of t2iv, continuation, random_temporal, i2v, transition and clear; the least share given; million samples."""
