"""What is written in a picture: PP-OCRv6 from the package rapidocr, its detector and then its recogniser.

The recogniser gives, for each column of a text box scaled to 48 pixels of height, a probability of every character it
knows and of none (connectionist temporal classification, Graves et al. 2006), which is read greedily.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
from PIL import Image

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Box, Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Pictures, Scorer
from ops.curation.scorers.onnx_network import OnnxNetwork
from ops.curation.scorers.rapidocr import RapidOcrDetector
from ops.runtime.project import Project

HEIGHT = 48
WIDEST = 2400
"""Pixels of a box at that height; more is squeezed, so that one line cannot ask for any amount of memory."""
UPRIGHT = 1.5
"""A box this many times as high as wide holds a line that is turned by a right angle."""
NO_CHARACTER = 0


class Line(TypedDict):
    """One line of text: what it says, the mean probability of its characters, and where, in pixels."""

    text: str
    confidence: float
    box: Box


class TextRecogniser(Scorer):
    """The lines of text in a still picture, or in the picture in the middle of a clip."""

    name = "rapidocr-rec"
    weights = ("rapidocr-det", "rapidocr-rec")
    memory_gib = 1.0

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), 1)

    def start(self, project: Project) -> Measure:
        recogniser = Recogniser(weights.ensure(project, "rapidocr-rec") / "PP-OCRv6_rec_small.onnx")
        return TextReader(RapidOcrDetector.of(project), recogniser)

    def score(self, measure: Measure, pictures: Pictures, of: str) -> list[Line]:
        lines: list[Line] = measure(pictures[0])
        return lines


class TextReader:
    def __init__(self, detector: RapidOcrDetector, recogniser: Recogniser) -> None:
        self._detector, self._recogniser = detector, recogniser

    def __call__(self, picture: np.ndarray) -> list[Line]:
        """The lines in a uint8 RGB picture [H, W, 3], from top to bottom and left to right; empty ones are left out."""
        (boxes,) = self._detector([picture])
        lines = []
        for box in in_reading_order(boxes):
            x0, x1, y0, y1 = box
            text, confidence = self._recogniser(picture[y0:y1, x0:x1])
            if text:
                lines.append(Line(text=text, confidence=round(confidence, 4), box=box))
        return lines


class Recogniser:
    def __init__(self, model: Path, threads: int = 1) -> None:
        self._network = OnnxNetwork(model, threads)
        known = self._network.metadata("character").split("\n")
        self._characters = ["", *known, " "]

    def __call__(self, line: np.ndarray) -> tuple[str, float]:
        """(text, confidence) of a uint8 RGB picture [H, W, 3] of one line; ("", 0.0) where nothing can be read.

        A line that stands upright is read both ways, and the surer one counts.
        """
        if line.shape[0] >= UPRIGHT * line.shape[1]:
            return max((self._read(np.rot90(line, turns)) for turns in (1, -1)), key=lambda found: found[1])
        return self._read(line)

    def _read(self, line: np.ndarray) -> tuple[str, float]:
        probability = self._network(line_input(line))
        return read_greedily(probability[0], self._characters)


def line_input(line: np.ndarray) -> np.ndarray:
    """float32 [1, 3, 48, W'] in [-1, 1], channels blue, green, red."""
    height, width = line.shape[:2]
    size = (min(WIDEST, max(HEIGHT, round(width * HEIGHT / height))), HEIGHT)
    resized = np.asarray(Image.fromarray(line).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
    return np.ascontiguousarray((resized[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)[None])


def read_greedily(probability: np.ndarray, characters: Sequence[str]) -> tuple[str, float]:
    """The best character of each column of `probability` [columns, characters], repetitions and gaps taken out."""
    best = probability.argmax(axis=1)
    new = (best != NO_CHARACTER) & (best != np.concatenate([[NO_CHARACTER], best[:-1]]))
    text = "".join(characters[index] for index in best[new])
    stripped = " ".join(text.split())
    return (stripped, float(probability[new, best[new]].mean())) if stripped else ("", 0.0)


def in_reading_order(boxes: Sequence[Box]) -> list[Box]:
    """Rows from top to bottom; boxes belong to one row when the middle of one lies within the other's height."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box[2] + box[3]):
        if rows and (box[2] + box[3]) / 2 < rows[-1][0][3]:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row)]
