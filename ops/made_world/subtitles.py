"""Writing under a picture, as broadcasters burn it in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ENLARGED = 4
"""A clip with subtitles is this many times as large on each side, so that they can be read."""
BAND = 0.14
"""The share of the height, at the bottom, that they take."""


def top(side: int) -> int:
    """The first row of the band in a picture of this height."""
    return side - round(side * BAND)


def under(pictures: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """A copy of RGB uint8 [T, H, W, 3] with white text on a black band along the bottom."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = pictures.shape[1:3]
    first = top(height)
    band = Image.new("RGB", (width, height - first))
    size = (height - first) * 0.6
    font = ImageFont.load_default(size)
    while font.getlength(text) > width * 0.95:
        size *= 0.9
        font = ImageFont.load_default(size)
    ImageDraw.Draw(band).text((width / 2, (height - first) / 2), text, fill="white", font=font, anchor="mm")
    written = pictures.copy()
    written[:, first:] = np.asarray(band)
    return written
