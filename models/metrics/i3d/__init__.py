"""I3D, by whose features distances between sets of videos are measured, and the two ways in which it is fed."""

from models.metrics.i3d.inputs import as_styleganv, as_videogpt
from models.metrics.i3d.network import CLASSES, LEAST_FRAMES, InceptionI3d, load_i3d

__all__ = ["CLASSES", "LEAST_FRAMES", "InceptionI3d", "as_styleganv", "as_videogpt", "load_i3d"]
