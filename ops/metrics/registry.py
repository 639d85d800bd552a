"""Every metric by its name. Reading this file loads no network: a recipe is checked against it."""

from __future__ import annotations

import difflib

from ops.metrics.aesthetic_quality import AestheticQuality
from ops.metrics.appearance_style import AppearanceStyle
from ops.metrics.background_consistency import BackgroundConsistency
from ops.metrics.base import Metric, VideoMetric
from ops.metrics.chscore import NAMES, CHScore
from ops.metrics.color import Color
from ops.metrics.dynamic_degree import DynamicDegree
from ops.metrics.held_out_loss import HeldOutLoss
from ops.metrics.lpips import Lpips
from ops.metrics.motion_smoothness import MotionSmoothness
from ops.metrics.mtscore import MTScore
from ops.metrics.multiple_objects import MultipleObjects
from ops.metrics.object_class import ObjectClass
from ops.metrics.psnr import Psnr
from ops.metrics.rfvd import Rfvd, RfvdPairwise
from ops.metrics.scene import Scene
from ops.metrics.spatial_relationship import SpatialRelationship
from ops.metrics.ssim import Ssim
from ops.metrics.subject_consistency import SubjectConsistency
from ops.metrics.temporal_flickering import TemporalFlickering
from ops.metrics.truth import MEASURES, Truth

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        HeldOutLoss(),
        *(Psnr(), Ssim(), Lpips(), Rfvd(), RfvdPairwise()),
        *(SubjectConsistency(), BackgroundConsistency(), TemporalFlickering(), MotionSmoothness(), DynamicDegree()),
        *(AestheticQuality(), AppearanceStyle(), ObjectClass(), MultipleObjects(), Color(), SpatialRelationship()),
        *(Scene(), Scene(batched=False)),
        *(CHScore(kind) for kind in NAMES),
        MTScore(),
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
