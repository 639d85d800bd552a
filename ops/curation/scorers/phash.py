"""Perceptual hashes: 64 bits that say what a picture looks like, nearly the same ones after scaling and compression.

The hash is the usual one by cosine transform (Zauner 2010): the 8×8 lowest frequencies of the grey picture, each above
their median or not. A mirrored, turned or much cropped picture has other bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import fft

from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames
from ops.curation.scorers.base import Measure, Pictures, Scorer
from ops.runtime.project import Project

SIDE, LOWEST = 32, 8
BITS = LOWEST * LOWEST


@dataclass(frozen=True)
class PerceptualHash(Scorer):
    """A hash of each of a few frames at the middles of equal parts, so that the n-th frames of two clips belong
    together even if their rates differ. Its value: 16 hexadecimal digits a frame."""

    frames: int

    name = "phash"
    pixels = "gray"

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        """Always `frames` of them: some come more than once where fewer are sampled."""
        sampled = sampled_frames(clip, sampling.frames_per_second)
        return [sampled[int((part + 0.5) * len(sampled) / self.frames)] for part in range(self.frames)]

    def side(self, clip: Clip, sampling: Sampling) -> int:
        return 2 * SIDE

    def start(self, project: Project) -> Measure:
        return hashes

    def score(self, measure: Measure, pictures: Pictures, of: str) -> list[str]:
        return as_text(measure(pictures))


def hashes(pictures: Sequence[np.ndarray]) -> list[int]:
    return [perceptual_hash(picture) for picture in pictures]


def perceptual_hash(picture: np.ndarray) -> int:
    """Of a grey picture [H, W] or an RGB one [H, W, 3], uint8: 64 bits, the lowest frequency first."""
    grey = Image.fromarray(picture).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    # rounded, so that frequencies which an even picture lacks are no toss-up
    lowest = fft.dctn(np.asarray(grey, np.float64))[:LOWEST, :LOWEST].round(3)
    bits = (lowest > np.median(lowest)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes())


def as_text(hashes: Sequence[int]) -> list[str]:
    """As tables hold them: 16 hexadecimal digits each, for Parquet and JSON have no unsigned 64-bit numbers."""
    return [f"{each:016x}" for each in hashes]


def from_text(series: Sequence[Sequence[str]]) -> np.ndarray:
    """The hashes of several clips as numbers, uint64 [clips, frames]."""
    whole = np.frombuffer(bytes.fromhex("".join("".join(each) for each in series)), ">u8")
    return whole.astype(np.uint64).reshape(len(series), -1) if series else np.empty((0, 1), np.uint64)
