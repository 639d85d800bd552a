"""Plain implementations of the released models, to measure ours against.

Written from the published description in the style in which such models are usually published: one operation after the
other, each as the description states it. Their state dicts have the released names.
"""

from benchmarks.published_style.denoiser import PlainDenoiser
from benchmarks.published_style.wfvae import PlainWFVAE

__all__ = ["PlainDenoiser", "PlainWFVAE"]
