"""Perceptual hashes: 64 bits that say what a picture looks like, nearly the same ones after scaling and compression.

The hash is the usual one by cosine transform (Zauner 2010): the 8×8 lowest frequencies of the grey picture, each above
their median or not. A mirrored, turned or much cropped picture has other bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import fft

SIDE, LOWEST = 32, 8
BITS = LOWEST * LOWEST


def perceptual_hash(picture: np.ndarray) -> int:
    """Of a uint8 RGB picture [H, W, 3]: 64 bits, the lowest frequency first."""
    grey = Image.fromarray(picture).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    # rounded, so that frequencies which an even picture lacks are no toss-up
    lowest = fft.dctn(np.asarray(grey, np.float64))[:LOWEST, :LOWEST].round(3)
    bits = (lowest > np.median(lowest)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes())


def as_text(hashes: Sequence[int]) -> list[str]:
    """As tables hold them: 16 hexadecimal digits each, for Parquet and JSON have no unsigned 64-bit numbers."""
    return [f"{each:016x}" for each in hashes]


def from_text(hashes: Sequence[str]) -> list[int]:
    return [int(each, 16) for each in hashes]
