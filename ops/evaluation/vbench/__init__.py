"""VBench: sixteen dimensions, each a score or the reason why there is none."""

from ops.evaluation.vbench.score import score, scores_of

__all__ = ["score", "scores_of"]
