"""CoTracker2, which follows points through a video."""

from models.metrics.cotracker2.network import SIZE, CoTracker2, Tracks, load_cotracker2
from models.metrics.cotracker2.predictor import VISIBLE, follow_grid

__all__ = ["SIZE", "VISIBLE", "CoTracker2", "Tracks", "follow_grid", "load_cotracker2"]
