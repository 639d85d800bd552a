"""CLIP's byte pairs (Radford et al. 2021): ids of a text, by the merges that OpenAI published."""

from __future__ import annotations

import gzip
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

LENGTH = 77
MERGES = 49152 - 256 - 2
"""Of the file, whose first line is a heading."""
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE)
LAST = "</w>"


class ClipWords:
    """Texts in English are in lower case; one that is too long is refused, as there."""

    def __init__(self, merges: Path) -> None:
        lines = gzip.decompress(merges.read_bytes()).decode("utf-8").split("\n")[1 : 1 + MERGES]
        pairs = [(first, second) for first, second in (line.split() for line in lines)]
        letters = [*byte_letters().values()]
        words = [*letters, *(letter + LAST for letter in letters), *("".join(pair) for pair in pairs), BEGIN, END]
        self._ids = {word: number for number, word in enumerate(words)}
        self._ranks = {pair: number for number, pair in enumerate(pairs)}

    def ids(self, text: str) -> list[int]:
        """77 of them, filled by zeros.

        Raises:
            ValueError: the text has more.
        """
        cleaned = " ".join(text.split()).lower()
        parts = [part for word in WORD.findall(cleaned) for part in self._merged(word)]
        if len(parts) + 2 > LENGTH:
            raise ValueError(f"'{text}' has {len(parts)} word pieces; CLIP reads {LENGTH - 2}")
        found = [self._ids[part] for part in (BEGIN, *parts, END)]
        return found + [0] * (LENGTH - len(found))

    def _merged(self, word: str) -> list[str]:
        """Its pieces, the pair of neighbours that was learned first merged first."""
        letters = byte_letters()
        parts = [letters[byte] for byte in word.encode("utf-8")]
        parts[-1] += LAST
        while len(parts) > 1:
            best = min(pairwise(parts), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            parts = _joined(parts, best)
        return parts


def _joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if found and (found[-1], part) == pair:
            found[-1] = pair[0] + pair[1]
        else:
            found.append(part)
    return found


@cache
def byte_letters() -> dict[int, str]:
    """A letter for each byte: its own where it can be seen, and else one from 256 on; in the order of the ids."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + number) for number, byte in enumerate(others)}
