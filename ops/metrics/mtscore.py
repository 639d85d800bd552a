"""MTScore of ChronoMagic-Bench (Yuan et al. 2024, arXiv 2406.18522): whether a video looks like a time lapse, by how
near it is to five sentences that say so and to five that do not, to InternVideo2."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import PARITY, Frames, Measure, Needs, Value, Video, VideoMetric

if TYPE_CHECKING:
    from torch import Tensor

    from ops.weights.surroundings import Surroundings

SENTENCES, OF_TIME_LAPSES = "mtscore-sentences", 5
"""The last five of ten."""
LIST = "text_candidates"
KEPT = 5
FRAMES, SIDE, TEXT_LENGTH = 4, 224, 40


class MTScore(VideoMetric):
    name, version = "mtscore", "1"
    higher_is_better = True
    fooled_by = "a time lapse of anything"
    needs = Needs(frames=FRAMES, weights=("internvideo2", "minilm-l6", SENTENCES), accelerator=True)
    proof = f"{PARITY}, at reduced width"
    quirks = ("of the ten probabilities only the five largest count, and they are not made to sum to one",)

    def start(self, project: Surroundings) -> Measure:
        import torch

        from models.metrics.internvideo2 import load_internvideo2
        from models.metrics.internvideo2.network import probabilities
        from ops import weights
        from ops.metrics.networks.word_pieces import WordPieces
        from ops.weights.checkpoints import network

        model, words = network(project, "internvideo2", load_internvideo2), WordPieces(project)
        device = model.vision_proj.weight.device
        said = sentences(weights.ensure(project, SENTENCES) / weights.entry(SENTENCES).files[0].path)
        ids = torch.tensor([words.ids(text, TEXT_LENGTH) for text in said], device=device)
        with torch.inference_mode():
            texts = model.of_texts(ids, ids != 0)

        @torch.inference_mode()
        def measure(video: Video) -> Value:
            found = probabilities(model.of_videos(network_input(video.frames, device)), texts)[0]
            return Value(metamorphic(found.double().cpu().numpy()))

        return measure


def metamorphic(probabilities: NDArray[np.float64]) -> float:
    """What of the five largest of ten is of time lapses."""
    largest = np.argsort(-probabilities, kind="stable")[:KEPT]
    return float(probabilities[largest[largest >= len(probabilities) - OF_TIME_LAPSES]].sum())


def network_input(frames: Frames, device: object) -> Tensor:
    """The first four of every quarter-th frame, [1, 4, 3, 224, 224], whatever their shape: linear, 8 bits deep."""
    import torch
    from torchvision.transforms.functional import resize

    from ops.metrics.networks.frames import IMAGENET, as_tensor, normalised

    shown = as_tensor(frames[:: len(frames) // FRAMES][:FRAMES], torch.device(str(device)))
    return normalised(resize(shown, [SIDE, SIDE], antialias=False), IMAGENET)[None]


def sentences(file: Path) -> list[str]:
    """The ten of a Python file, which is read and not run.

    Raises:
        ValueError: it holds no such list.
    """
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == LIST for to in node.targets):
            found = ast.literal_eval(node.value)
            if isinstance(found, list) and len(found) == 2 * OF_TIME_LAPSES:
                return [str(each) for each in found]
    raise ValueError(f"{file} holds no list {LIST} of ten sentences; take it from ChronoMagic-Bench, MTScore/")
