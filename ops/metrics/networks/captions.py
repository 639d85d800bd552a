"""Sentences about the frames of a video, as VBench asks Tag2Text for them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ops import weights
from ops.metrics.base import Frames
from ops.metrics.networks.frames import IMAGENET, as_tensor, middle_frames, normalised

if TYPE_CHECKING:
    from torch import Tensor

    from models.metrics.tag2text import Tag2Text
    from ops.metrics.networks.word_pieces import WordPieces
    from ops.weights.surroundings import Surroundings

WEIGHTS = ("tag2text", "minilm-l6", "vbench-suite")
SIDE = 384
FRAMES, COPIES = 16, 3
"""Of the published batch: its states are copied for three beams once too often and cut to the first rows, so that the
caption of frame i is that of frame i // 3."""
PREFIX = len("a picture of ")


@dataclass(frozen=True)
class Captions:
    """Of 16 frames; `batched`: the first of them stand for those after them, as in the published scores."""

    network: Tag2Text
    batched: bool
    words: WordPieces = field(compare=False)
    names: tuple[str, ...] = field(compare=False)

    def __call__(self, frames: Frames) -> list[str]:
        import torch
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.functional import resize

        places = middle_frames(len(frames), FRAMES)
        if self.batched:
            places = places[: 1 + (FRAMES - 1) // COPIES]
        different = sorted(set(places))  # a short video shows some frames more than once
        device = self.network.fc.W.device
        with torch.inference_mode():
            shown = resize(
                as_tensor(frames[different], device), [SIDE, SIDE], InterpolationMode.BICUBIC, antialias=True
            )
            pictures = zip(different, normalised(shown, IMAGENET), strict=True)
            said = {place: self.caption(picture[None]) for place, picture in pictures}
        told = [said[place] for place in places]
        return [told[number // COPIES] for number in range(FRAMES)] if self.batched else told

    def caption(self, picture: Tensor) -> str:
        """Of one normalised picture [1, 3, 384, 384]."""
        import torch

        from models.metrics.tag2text import END
        from models.metrics.tag2text.network import PROMPT

        image = self.network.visual_encoder(picture)
        tags = self.network.tags(self.network.tag_logits(image))[0]
        ids = torch.tensor([self.ids([self.names[number] for number in tags])], device=image.device)
        states = self.network.tag_encoder(ids, image)[0]
        found = self.network.text_decoder.caption(states, PROMPT, END)
        return self.words.text(found.ids)[PREFIX:]

    def ids(self, tags: list[str]) -> list[int]:
        """The text of tags, which begins with an id of its own."""
        from models.metrics.tag2text.network import ENCODE, TEXT_LENGTH

        return [ENCODE, *self.words.ids(" | ".join(tags), TEXT_LENGTH)[1:]]


def tag_names(file: Path) -> tuple[str, ...]:
    """The list in a Python file, which is read and not run.

    Raises:
        ValueError: the file holds no list of 3429 names.
    """
    from models.metrics.tag2text.network import TAGS

    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.List) and len(node.elts) == TAGS:
            return tuple(ast.literal_eval(node))
    raise ValueError(f"{file} holds no list of {TAGS} tags; delete it and run `soraflow weights fetch vbench-suite`")


def captions(project: Surroundings, batched: bool) -> Captions:
    """Raises MissingWeights."""
    from models.metrics.tag2text import load_tag2text
    from ops.metrics.networks.word_pieces import WordPieces
    from ops.weights.checkpoints import network

    names = tag_names(weights.ensure(project, "vbench-suite") / "tag_class.py")
    return Captions(network(project, "tag2text", load_tag2text), batched, WordPieces(project), names)
