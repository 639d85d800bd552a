"""The clips that a VAE is scored on: first frames at stride 1, at the protocol's square size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from ops.data.columns import Sample
from ops.evaluation.reconstruction import held_out_clips
from ops.evaluation.vbench.clips import SUFFIXES
from ops.metrics.base import Frames
from ops.runtime.files import digest, sha256
from ops.runtime.project import Project
from ops.runtime.tables import Row


class UnfitClip(ValueError):
    """A clip that cannot be scored; the message goes on after its name."""


@dataclass(frozen=True)
class Clip:
    name: str
    content: str
    """What names its pixels."""
    read: Callable[[], Frames]
    """Raises UnfitClip."""


@dataclass(frozen=True)
class Cut:
    """What is taken of a video."""

    frames: int = 33
    side: int = 256


def of_folder(folder: Path, cut: Cut) -> list[Clip]:
    """Videos of a folder and those below it.

    Raises:
        FileNotFoundError: there is no such folder, or no video in it.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise FileNotFoundError(f"{folder} holds no video ({', '.join(SUFFIXES)}); --videos takes a folder of them")
    return [Clip(str(path.relative_to(folder)), sha256(path), partial(_first_frames, path, cut)) for path in files]


def of_dataset(project: Project, version: str) -> list[Clip]:
    """The held-out items of a version of the training set, at the size and length of the recipe's protocol."""
    return [
        Clip(row["item_id"], digest([row["item_id"], version]), partial(_held_out, project, row))
        for row in held_out_clips(project, version)
    ]


def _first_frames(path: Path, cut: Cut) -> Frames:
    import av

    from ops.runtime.mp4 import read_mp4

    try:
        frames = read_mp4(path, most=cut.frames)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise UnfitClip(f"cannot be decoded: {error}") from error
    if len(frames) < cut.frames:
        raise UnfitClip(f"has {len(frames)} frames, the protocol takes {cut.frames}")
    return squared(frames, cut.side)


def _held_out(project: Project, row: Row) -> Frames:
    from ops.data.pixels import UnreadableSource, read_sample

    if row["frame_indices"] is None:
        raise UnfitClip(f"has {row['available']} frames, the protocol takes {row['frames']}")
    try:
        return read_sample(project, cast(Sample, row))
    except UnreadableSource as error:
        raise UnfitClip(f"{error}") from error


def squared(frames: Frames, side: int) -> Frames:
    """The short side bilinear to `side`, antialiased, and the middle cut out; 8 bits."""
    import torch
    from torchvision.transforms.functional import center_crop, resize

    video = torch.from_numpy(frames).permute(0, 3, 1, 2)
    small = center_crop(resize(video, [side], antialias=True), [side])
    found: Frames = small.permute(0, 2, 3, 1).contiguous().numpy()
    return found
