"""GRiT, which finds objects and says what they are."""

from models.metrics.grit.config import GritConfig
from models.metrics.grit.network import Detected, Grit, load_grit, network_input
from models.metrics.grit.text import Task

__all__ = ["Detected", "Grit", "GritConfig", "Task", "load_grit", "network_input"]
