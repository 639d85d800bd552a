"""What the found objects are, in words: one word piece after the other, greedily."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.metrics.bert import Encoder, causal
from models.metrics.grit.config import GritConfig

SIDE = 14
"""Of the features that the decoder sees of a box."""
END, LONGEST = 102, 40
"""The id that ends a text, and the most ids of one, with that which begins it."""
NEVER = -10000.0
POSITIONS = 1024


class Task(IntEnum):
    """What is asked for, by the id with which a text begins."""

    NAMES = 101
    """Of objects, such as 'dog'."""
    CAPTIONS = 104
    """Such as 'a brown dog'."""


class Texts(NamedTuple):
    ids: Tensor
    """[N, at most 40], the first of them the task's; those after the end are ends, too."""
    log_probability: Tensor
    """[N], the mean over the ids of a text."""


class WordEmbedding(nn.Module):
    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(POSITIONS, width)
        self.layer_norm = nn.LayerNorm(width, eps=1e-8)

    def forward(self, ids: Tensor) -> Tensor:
        return self.layer_norm(self.words(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device)))


class Transformer(nn.Module):
    """Only a place for names."""

    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.text_layers, config.text_width, config.text_heads, config.text_hidden)


class Textual(nn.Module):
    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        width = config.text_width
        self.object_feature_projection = nn.Sequential(nn.Linear(config.pyramid, width), nn.LayerNorm(width))
        self.embedding = WordEmbedding(config.vocabulary, width)
        self.transformer = Transformer(config)
        self.output = nn.Linear(width, config.vocabulary)
        self.output.weight = self.embedding.words.weight

    def objects(self, features: Tensor) -> list[Tensor]:
        """What each layer sees of the objects, whose features are [N, 196, C]. They see no text, so that they are the
        same for every text."""
        seen = [self.object_feature_projection(features)]
        for layer in self.transformer.encoder.layer:
            seen.append(layer(seen[-1]))
        return seen[:-1]

    def logits(self, objects: list[Tensor], ids: Tensor) -> Tensor:
        """Of the id after each of `ids` [N, L]: [N, L, vocabulary]."""
        x = self.embedding(ids)
        mask = causal(ids.shape[1], ids.device, before=objects[0].shape[1])
        for layer, seen in zip(self.transformer.encoder.layer, objects, strict=True):
            x = layer(x, mask, before=seen)
        return self.output(x)

    def say(self, features: Tensor, task: Task) -> Texts:
        """The texts of objects with `features` [N, 196, C].

        An id is never said twice in a row. Where the first one ends every text, all of them are empty.
        """
        objects = self.objects(features)
        ids = torch.full((len(features), 1), int(task), device=features.device)
        first = self.logits(objects, ids)[:, -1].log_softmax(dim=-1).max(dim=-1)
        ids, total = torch.cat([ids, first.indices[:, None]], dim=1), first.values
        if bool((first.indices == END).all()):
            return Texts(ids, total)
        while ids.shape[1] < LONGEST and not bool((ended := ids[:, -1] == END).all()):
            found = self.logits(objects, ids)[:, -1]
            found.scatter_(1, ids[:, -1:], NEVER)
            best = found.log_softmax(dim=-1).max(dim=-1)
            ids = torch.cat([ids, best.indices.masked_fill(ended, END)[:, None]], dim=1)
            total = total + best.values.masked_fill(ended, 0.0)
        said = (ids != END).sum(dim=1) + (ids == END).any(dim=1) - 1
        return Texts(ids, total / said.clamp(min=1))


class TextDecoder(nn.Module):
    """Only a place for names."""

    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        self.textual = Textual(config)
