"""VAEs on any videos: how well they give them back, how fast they encode, and the published rows beside ours."""

from ops.evaluation.vae.score import VaeScores, score_vae

__all__ = ["VaeScores", "score_vae"]
