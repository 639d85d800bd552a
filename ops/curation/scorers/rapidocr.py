"""Where text stands in a picture: PP-OCRv6's detector from the package rapidocr, run by onnxruntime.

The network gives a probability of text for each pixel (differentiable binarisation, Liao et al. 2020); boxes are the
bounds of connected text regions, grown again by what the network was trained to shrink them by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Box, Clip
from ops.curation.scorers.base import Measure
from ops.curation.scorers.onnx_network import OnnxNetwork
from ops.curation.scorers.text import TextScorer
from ops.runtime.project import Project

SHORT_SIDE, LONG_SIDE = 480, 960
"""The network's input: its short side is at least this, unless the long side would exceed the other."""
MOST_ENLARGED = 4.0
"""A letter of five pixels, about the smallest that can be read, is twenty high then; more only costs time."""
PIXEL_THRESHOLD, BOX_THRESHOLD, GROWTH = 0.3, 0.5, 1.6
SMALLEST_BOX = 5
"""Sides of a region, in pixels of the network's output; smaller is not readable."""


class RapidOcr(TextScorer):
    name = "rapidocr"
    version = 3
    weights = ("rapidocr-det",)
    memory_gib = 0.5

    def side(self, clip: Clip, sampling: Sampling) -> int:
        """Of what the network takes in."""
        return round(min(clip.width, clip.height) * min(1.0, input_scale(clip.width, clip.height)))

    def start(self, project: Project) -> Measure:
        return RapidOcrDetector.of(project)


class RapidOcrDetector:
    def __init__(self, model: Path, threads: int = 1) -> None:
        self._network = OnnxNetwork(model, threads)

    @classmethod
    def of(cls, project: Project) -> RapidOcrDetector:
        return cls(weights.ensure(project, "rapidocr-det") / "PP-OCRv6_det_small.onnx")

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[list[Box]]:
        """The text boxes of each uint8 RGB picture [H, W, 3]."""
        return [self._boxes(picture) for picture in pictures]

    def _boxes(self, picture: np.ndarray) -> list[Box]:
        probability = self._network(network_input(picture))
        return boxes_of(probability[0, 0], picture.shape[1], picture.shape[0])


def network_input(picture: np.ndarray) -> np.ndarray:
    """float32 [1, 3, H', W'] in [-1, 1], channels blue, green, red, sides multiples of 32."""
    height, width = picture.shape[:2]
    scale = input_scale(width, height)
    size = tuple(max(32, round(side * scale / 32) * 32) for side in (width, height))
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
    return np.ascontiguousarray((resized[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)[None])


def input_scale(width: int, height: int) -> float:
    """From a picture's size to that of the network's input."""
    wanted = max(1.0, SHORT_SIDE / min(height, width))
    return min(wanted, LONG_SIDE / max(height, width), MOST_ENLARGED)


def boxes_of(probability: np.ndarray, width: int, height: int) -> list[Box]:
    """Boxes in a picture of `width` × `height` from a map of text probabilities [H', W']."""
    regions, _ = ndimage.label(ndimage.binary_dilation(probability > PIXEL_THRESHOLD, np.ones((2, 2))))
    boxes = []
    for rows, columns in ndimage.find_objects(regions):
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        if min(tall, wide) < SMALLEST_BOX or probability[rows, columns].mean() < BOX_THRESHOLD:
            continue
        grow = tall * wide * GROWTH / (2 * (tall + wide))
        x = np.clip(np.array([columns.start - grow, columns.stop + grow]) / probability.shape[1], 0, 1) * width
        y = np.clip(np.array([rows.start - grow, rows.stop + grow]) / probability.shape[0], 0, 1) * height
        boxes.append((round(x[0]), round(x[1]), round(y[0]), round(y[1])))
    return boxes
