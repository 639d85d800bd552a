"""rFVD: how far reconstructions of videos are from what they should be, by features of I3D (Unterthiner et al. 2018).

`rfvd` is the distance of the two sets. `rfvd_pairwise` is the mean squared distance of each video's features from its
reconstruction's: what the published evaluation of WF-VAE computes, whose batches hold one video, so that tables print
it as rFVD. The first is smaller by far; they are not comparable with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import PARITY, Measure, Needs, Value, Video, VideoMetric
from ops.metrics.frechet import Moments, frechet_distance
from ops.metrics.networks.video_features import i3d_features
from ops.statistics.bootstrap import Interval

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings

STABLE = 1000
"""Videos below which a set's distance says little."""
FULL_RANK = 400
"""Features, and videos up to which the covariance is singular."""
RESAMPLES = 20


class Rfvd(VideoMetric):
    """Of a set alone; a video by itself has features, and no value. The interval is of resampled sets, whose distance
    lies above that of the set: of fewer different videos it is larger."""

    name, version = "rfvd", "i3d-styleganv-1"
    higher_is_better = False
    needs = Needs(frames=10, reference=True, weights=("i3d",))
    terms: ClassVar = {"features": list, "reference_features": list}
    proof = PARITY

    def start(self, project: Surroundings) -> Measure:
        features = i3d_features(project)

        def measure(video: Video) -> Value:
            found, wanted = video.once(features), video.once(features.of_reference, of_reference=True)
            return Value(None, {"features": found.tolist(), "reference_features": wanted.tolist()})

        return measure

    def over(self, values: Sequence[Value]) -> Interval:
        found, wanted = (
            np.array([each.terms[name] for each in values if name in each.terms], dtype=np.float64)
            for name in ("features", "reference_features")
        )
        if not len(found):
            raise ValueError("the distance of no videos does not exist")
        distance = frechet_distance(Moments.of(wanted), Moments.of(found))
        return Interval(distance, *_resampled(wanted, found), len(found))


class RfvdPairwise(VideoMetric):
    name, version = "rfvd_pairwise", "i3d-styleganv-1"
    higher_is_better = False
    needs = Needs(frames=10, reference=True, weights=("i3d",))
    proof = PARITY
    quirks = ("printed as rFVD in the tables of WF-VAE and Open-Sora Plan, whose covariances drop out",)

    def start(self, project: Surroundings) -> Measure:
        features = i3d_features(project)

        def measure(video: Video) -> Value:
            wanted = video.once(features.of_reference, of_reference=True).astype(np.float64)
            apart = video.once(features) - wanted
            return Value(float(np.square(apart).sum()))

        return measure


def caution(videos: int) -> str | None:
    """What must be said of a set's distance of so many videos."""
    if videos <= FULL_RANK:
        return f"unstable: {videos} videos have no covariance of full rank for {FULL_RANK} features"
    return f"unstable below {STABLE} videos" if videos < STABLE else None


def _resampled(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[float, float]:
    random = np.random.default_rng(0)
    distances = []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(found), len(found))
        distances.append(frechet_distance(Moments.of(wanted[drawn]), Moments.of(found[drawn])))
    low, high = np.percentile(distances, [2.5, 97.5])
    return float(low), float(high)
