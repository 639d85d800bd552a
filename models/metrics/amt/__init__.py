"""AMT-S, which makes the frame in the middle between two."""

from models.metrics.amt.network import MULTIPLE, SHORTEST, AmtS, load_amt_s

__all__ = ["MULTIPLE", "SHORTEST", "AmtS", "load_amt_s"]
