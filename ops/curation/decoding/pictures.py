"""Still pictures as RGB, whatever mode they are stored in."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ops.curation.rules.reasons import Reason, Rejection

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 200_000_000
"""Larger ones are taken for an attack (a small file that unpacks to gigabytes)."""


class UndecodableImage(ValueError):
    """A file without a usable picture; the message is a reason that a person can act on."""

    def __init__(self, message: str, code: Reason = Reason.DAMAGED) -> None:
        super().__init__(message)
        self.rejection = Rejection(code, message)


def read_picture(path: Path, short_side: int | None = None) -> np.ndarray:
    """RGB uint8 [H, W, 3], upright (EXIF orientation applied), transparent parts on white, grey as equal channels;
    reduced so that the short side is at most `short_side`.

    Raises:
        UndecodableImage: empty, damaged, cut short, too large, or not JPEG, PNG or WebP.
    """
    if path.stat().st_size == 0:
        raise UndecodableImage("the file is empty", Reason.EMPTY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    size = f"{image.width}x{image.height}"
                    raise UndecodableImage(f"{size} is more than {MAX_PIXELS} pixels", Reason.TOO_LARGE)
                picture = _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise UndecodableImage("its content is not JPEG, PNG or WebP", Reason.UNKNOWN_FORMAT) from None
    except UndecodableImage:
        raise
    except Image.DecompressionBombError as error:
        raise UndecodableImage(str(error), Reason.TOO_LARGE) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UndecodableImage(str(error)) from None
    return np.asarray(reduced(picture, short_side))


def reduced(picture: Image.Image, short_side: int | None) -> Image.Image:
    """The picture, made smaller with an area average if its short side is longer than `short_side`."""
    side = min(picture.size)
    if short_side is None or side <= short_side:
        return picture
    size = (round(picture.width * short_side / side), round(picture.height * short_side / side))
    return picture.resize(size, Image.Resampling.BOX)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _sixteen_bits(image).convert("RGB")
    if image.has_transparency_data:
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB")


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey at 255 when it converts; scale it instead."""
    return Image.fromarray((np.asarray(image, dtype=np.float64) / 257).clip(0, 255).astype(np.uint8))
