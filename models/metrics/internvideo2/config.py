"""Sizes of InternVideo2."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InternVideo2Config:
    """The second stage of 1 B parameters with BERT-large, unless said otherwise."""

    width: int = 1408
    depth: int = 40
    heads: int = 16
    hidden: int = 6144
    pooling_heads: int = 16
    pooled: int = 768
    side: int = 224
    frames: int = 4
    text_width: int = 1024
    text_layers: int = 19
    """Those ahead of fusion, which compare nothing."""
    text_heads: int = 16
    text_hidden: int = 4096
    vocabulary: int = 30522
    positions: int = 512
    embedding: int = 512
