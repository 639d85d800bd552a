"""Every metric by its name. Reading this file loads no network: a recipe is checked against it."""

from __future__ import annotations

import difflib

from ops.metrics.base import Metric, VideoMetric
from ops.metrics.held_out_loss import HeldOutLoss
from ops.metrics.lpips import Lpips
from ops.metrics.psnr import Psnr
from ops.metrics.ssim import Ssim
from ops.metrics.temporal_flickering import TemporalFlickering
from ops.metrics.truth import MEASURES, Truth

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        HeldOutLoss(),
        *(Psnr(), Ssim(), Lpips()),
        TemporalFlickering(),
        *(Truth(measure) for measure in MEASURES),
    )
}


def named(name: str) -> Metric:
    """Raises KeyError for a name that is not in the registry, with the one that was perhaps meant."""
    if name not in METRICS:
        close = difflib.get_close_matches(name, METRICS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(METRICS)}"
        raise KeyError(f"no metric is called '{name}'{hint}")
    return METRICS[name]


def of_reconstructions() -> list[VideoMetric]:
    """Those that hold a video against what it should be."""
    return [each for each in METRICS.values() if isinstance(each, VideoMetric) and each.needs.reference]


def of_generated() -> list[VideoMetric]:
    """Those that judge a video by itself, or by its prompt."""
    return [each for each in METRICS.values() if isinstance(each, VideoMetric) and not each.needs.reference]


def deciding() -> list[str]:
    """Names of the metrics by which checkpoints may be chosen and champions replaced."""
    compared = of_reconstructions()
    return [name for name, metric in METRICS.items() if metric.decides and metric not in compared]
