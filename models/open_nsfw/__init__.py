"""open_nsfw, which tells pictures that are not for every eye."""

from models.open_nsfw.network import MEAN_BGR, SIDE, OpenNsfw

__all__ = ["MEAN_BGR", "SIDE", "OpenNsfw"]
