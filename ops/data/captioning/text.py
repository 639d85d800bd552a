"""Tidying of captions, whoever wrote them."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 2000
"""Longer captions are cut: 512 tokens, the most that an encoder reads, are about as many characters of English."""

OPENINGS = (
    "In the video, ",
    *(
        f"The video {verb} "
        for verb in (
            "depicts",
            "captures",
            "showcases",
            "features",
            "is",
            "appears to be",
            "shows",
            "begins with",
            "displays",
            "begins in",
            "consists of",
            "opens with",
            "opens on",
            "appears to capture",
            "appears to show",
            "appears to depict",
            "opens in",
            "appears to focus closely on",
            "starts with",
            "begins inside",
            "presents",
            "takes place in",
            "appears to showcase",
            "appears to display",
            "appears to focus on",
            "appears to feature",
        )
    ),
)
"""How captioning models like to begin; dropped, since they describe the medium (arXiv 2412.00131 §4)."""


def tidy(caption: str) -> str:
    """One line without control characters, halves of characters, doubled spaces or one of the `OPENINGS`."""
    caption = unicodedata.normalize("NFC", caption)
    spaced = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in caption)
    return without_opening(re.sub(r"\s+", " ", spaced).strip())


def without_opening(caption: str) -> str:
    """Drop the opening, or several one after the other, and let the rest begin with a capital, as sentences do."""
    while opening := next((each for each in OPENINGS if caption.startswith(each)), None):
        rest = caption[len(opening) :]
        caption = rest[:1].upper() + rest[1:]
    return caption


def cut(caption: str, limit: int = MAX_CHARACTERS) -> str:
    """At most `limit` characters, ending with a whole word where there is one."""
    if len(caption) <= limit:
        return caption
    head, space, _ = caption[: limit + 1].rpartition(" ")
    return (head if space else caption[:limit]).rstrip()
