"""VBench: sixteen dimensions, each a score or the reason why there is none."""

from ops.evaluation.vbench.score import score

__all__ = ["score"]
