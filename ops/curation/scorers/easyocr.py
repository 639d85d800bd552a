"""Text boxes by EasyOCR's detector CRAFT, with the package's own defaults. Its recogniser is not loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ops import weights
from ops.curation.clip import Box
from ops.curation.scorers.base import Measure
from ops.curation.scorers.text import TextScorer
from ops.runtime.project import Project
from ops.weights import MissingWeights


class EasyOcr(TextScorer):
    name = "easyocr"
    weights = ("easyocr",)
    memory_gib = 2.0

    def start(self, project: Project) -> Measure:
        return EasyOcrDetector(weights.ensure(project, "easyocr"))


class EasyOcrDetector:
    def __init__(self, folder: Path) -> None:
        if find_spec("easyocr") is None:
            raise MissingWeights(
                "curation.text_crop.scorer is 'easyocr': its weights are here, but not its code; "
                "run `pip install easyocr`, or set scorer: rapidocr"
            )
        import easyocr

        self._reader = easyocr.Reader(
            ["en"], gpu=False, model_storage_directory=str(folder), download_enabled=False, recognizer=False
        )

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[list[Box]]:
        """The text boxes of each uint8 RGB picture [H, W, 3]."""
        return [self._boxes(picture) for picture in pictures]

    def _boxes(self, picture: np.ndarray) -> list[Box]:
        (level,), (slanted,) = self._reader.detect(picture)
        polygons = [([x for x, _ in points], [y for _, y in points]) for points in slanted]
        outer = [(min(x), max(x), min(y), max(y)) for x, y in polygons]
        return [(int(x0), int(x1), int(y0), int(y1)) for x0, x1, y0, y1 in [*level, *outer]]
