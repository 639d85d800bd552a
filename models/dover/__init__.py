"""The technical branch of DOVER, a score of how well a video was filmed and coded."""

from models.dover.config import DoverConfig
from models.dover.technical import TechnicalBranch, load_technical
from models.published import UnfitWeights

__all__ = ["DoverConfig", "TechnicalBranch", "UnfitWeights", "load_technical"]
