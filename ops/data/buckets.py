"""Buckets: samples of one shape train together, and every shape costs about the same number of tokens.

Sizes follow the min-max token rule of Open-Sora Plan (in `ops.config.dataset`), lengths the VAE's
1 + 4n frames (§2.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import log

from models.geometry import latent_frames, video_frames
from ops.config import Cut, ratio_of


class Unusable(ValueError):
    """An item that no bucket takes; the message is the reason."""


class NotChosen(Unusable):
    """An item that `where` does not choose: it is not counted as dropped."""


@dataclass(frozen=True, order=True)
class Bucket:
    """Frames, height and width of its samples; written `17x48x64`."""

    frames: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.frames}x{self.height}x{self.width}"

    @classmethod
    def parse(cls, key: str) -> Bucket:
        if not re.fullmatch(r"\d+x\d+x\d+", key):
            raise ValueError(f"'{key}' is not a bucket such as 17x48x64")
        return cls(*map(int, key.split("x")))


def nearest_size(
    height: int, width: int, sizes: Mapping[str, tuple[int, int]], min_kept_share: float = 0.5
) -> tuple[int, int]:
    """The bucket size (height, width) whose ratio is nearest; too tall by a factor is as far as too wide by it.

    Raises:
        Unusable: even that one would keep less of the picture than `min_kept_share`.
    """
    ratio = min(sizes, key=lambda ratio: abs(log(height / width) - log(ratio_of(ratio))))
    if kept_share(height, width, sizes[ratio]) < min_kept_share:
        shape = "tall" if height / width > ratio_of(ratio) else "wide"
        raise Unusable(
            f"too {shape} for the buckets, which would keep less than dataset.min_kept_share ({min_kept_share:g}) of "
            "the picture: add a ratio to dataset.ratios, or lower the share"
        )
    return sizes[ratio]


def require_size(height: int, width: int, size: tuple[int, int]) -> None:
    """Of a picture that is not to be enlarged: that it covers a bucket's size (height, width).

    Raises:
        Unusable: it would have to be.
    """
    if height < size[0] or width < size[1]:
        raise Unusable(
            f"smaller than its bucket's {size[0]}x{size[1]}: set dataset.enlarge, or lower dataset.max_area to train "
            "on smaller sizes"
        )


def kept_share(height: int, width: int, size: tuple[int, int]) -> float:
    """The share of a picture that is left when it is cut to the shape of a bucket."""
    ratio, wanted = height / width, size[0] / size[1]
    return min(ratio, wanted) / max(ratio, wanted)


def usable_frames(available: int, cut: Cut) -> int:
    """The longest 1 + 4n frames of those available, at most `num_frames`, whose latent frames are a multiple of
    `latent_frames_multiple`.

    Raises:
        Unusable: fewer than `min_frames` are left.
    """
    latents = latent_frames(min(available, cut.num_frames))
    frames = video_frames(latents - latents % cut.latent_frames_multiple)
    if frames < cut.min_frames:
        raise Unusable(f"too short for dataset.min_frames ({cut.min_frames} at {cut.fps:g} a second)")
    return frames
