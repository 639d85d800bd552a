"""A whole text-to-video model: the parts around a checkpoint, and the videos that they make together."""
