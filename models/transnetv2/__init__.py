"""TransNetV2, which finds the boundaries between shots, hard cuts and gradual ones."""

from models.transnetv2.network import HEIGHT, WIDTH, Probabilities, TransNetV2
from models.transnetv2.windows import probabilities

__all__ = ["HEIGHT", "WIDTH", "Probabilities", "TransNetV2", "probabilities"]
