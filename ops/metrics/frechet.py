"""The Fréchet distance of two sets of features, taken for normal distributions (Heusel et al. 2017; Unterthiner et al.
2018 for videos)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Mean [d] and covariance [d, d] of features, float64; the covariance is unbiased, and None of a single one."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64] | None

    @classmethod
    def of(cls, features: Features) -> Moments:
        """Of features [N, d].

        Raises:
            ValueError: there are none.
        """
        if features.ndim != 2 or not len(features):
            raise ValueError(f"features are [N, d] with at least one row, not {list(features.shape)}")
        wide = features.astype(np.float64)
        covariance = np.atleast_2d(np.cov(wide, rowvar=False)) if len(wide) > 1 else None
        return cls(wide.mean(axis=0), covariance)


def frechet_distance(first: Moments, second: Moments) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½); of two single features the first part alone.

    The root is taken symmetrically, of Σ₁^½ Σ₂ Σ₁^½, whose eigenvalues below 0 are rounding and count 0.
    """
    apart = float(np.square(first.mean - second.mean).sum())
    if first.covariance is None or second.covariance is None:
        return apart
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ second.covariance @ root).clip(0)
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(shared).sum()
    return apart + float(spread)
