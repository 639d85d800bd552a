"""Sizes of GRiT."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GritConfig:
    """GRiT-B, unless said otherwise."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    cells: int = 64
    """A side of the map that the tables of positions of global blocks were made for."""
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    pyramid: int = 256
    box_hidden: int = 1024
    vocabulary: int = 30522
    text_width: int = 768
    text_layers: int = 6
    text_heads: int = 12
    text_hidden: int = 3072
