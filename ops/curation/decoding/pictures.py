"""Still pictures as sRGB, whatever mode they are stored in."""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ops.catalogue.reasons import Reason
from ops.curation.rules.reasons import Rejection

VERSION = 2
"""Raised when the same file gives another picture."""
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 200_000_000
"""Larger ones are taken for an attack (a small file that unpacks to gigabytes)."""


class UndecodableImage(ValueError):
    """A file without a usable picture; the message is a reason that a person can act on."""

    def __init__(self, message: str, code: Reason = Reason.DAMAGED) -> None:
        super().__init__(message)
        self.rejection = Rejection(code, message)


def read_picture(path: Path, short_side: int | None = None) -> np.ndarray:
    """sRGB uint8 [H, W, 3], upright (EXIF orientation applied), colours as its ICC profile means them, transparent
    parts on white, grey as equal channels; reduced so that the short side is at most `short_side`.

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
    profile = image.info.get("icc_profile") or b""
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        colours = _in_srgb(whole.convert("RGB"), profile)
        colours.putalpha(whole.getchannel("A"))
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(colours)
        return opaque.convert("RGB")
    return _in_srgb(image.convert("RGB") if image.mode == "P" else image, profile).convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The picture with the colours that its profile means. It stays as it is without one, and with one that is damaged
    or made for other channels: viewers ignore such profiles, too."""
    change = _to_srgb(profile, image.mode) if profile else None
    if change is None:
        return image
    changed = ImageCms.applyTransform(image, change)
    return image if changed is None else changed


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB; None where there is nothing to change."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        stored = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        change = ImageCms.buildTransform(stored, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    return None if mode == "RGB" and _changes_nothing(change) else change


def _changes_nothing(change: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours from all over the cube stay where they are, as those of most profiles do, which are sRGB."""
    corners = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(corners, corners, corners), axis=-1).reshape(27, 27, 3)
    changed = ImageCms.applyTransform(Image.fromarray(cube), change)
    return bool(np.abs(np.asarray(changed).astype(int) - cube).max() <= 1)


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey at 255 when it converts; scale it instead."""
    return Image.fromarray((np.asarray(image, dtype=np.float64) / 257).clip(0, 255).astype(np.uint8))
