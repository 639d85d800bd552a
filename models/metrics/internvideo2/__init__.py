"""InternVideo2, by which videos and sentences are compared."""

from models.metrics.internvideo2.config import InternVideo2Config
from models.metrics.internvideo2.network import InternVideo2, load_internvideo2

__all__ = ["InternVideo2", "InternVideo2Config", "load_internvideo2"]
