from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ops.curation.decoding.pictures import UndecodableImage, read_picture
from ops.curation.rules.reasons import Reason, Rejection


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    grey = Image.linear_gradient("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257)
    else:
        image = grey.convert("RGB").convert(mode)
    image.save(path)
    picture = read_picture(path)
    assert picture.shape == (256, 256, 3)
    assert picture.dtype == np.uint8
    assert picture[:16].mean() < 40
    assert picture[-16:].mean() > 215


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    image.paste((0, 0, 255, 0), (0, 0, 32, 64))
    image.save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 63].tolist() == [255, 0, 0]


def test_cameras_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (80, 40))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").shape == (80, 40, 3)


def test_large_pictures_are_reduced_and_small_ones_are_not(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100)).save(tmp_path / "a.webp")
    assert read_picture(tmp_path / "a.webp", 50).shape == (50, 100, 3)
    assert read_picture(tmp_path / "a.webp", 500).shape == (100, 200, 3)


def test_damaged_files_have_a_reason(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.jpg", tmp_path / "a.jpg"
    Image.effect_noise((200, 200), 80).save(whole)
    for content, reason, code in (
        (b"", "empty", Reason.EMPTY),
        (b"a letter", "not JPEG, PNG or WebP", Reason.UNKNOWN_FORMAT),
        (whole.read_bytes()[:2000], "truncated", Reason.DAMAGED),
    ):
        path.write_bytes(content)
        with pytest.raises(UndecodableImage, match=reason) as raised:
            read_picture(path)
        assert raised.value.rejection == Rejection(code, str(raised.value))


def test_a_small_file_of_a_huge_picture_is_not_decoded(tmp_path: Path) -> None:
    Image.new("1", (14_000, 14_000)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 100_000
    with pytest.raises(UndecodableImage, match="exceeds limit") as raised:
        read_picture(tmp_path / "a.png")
    assert raised.value.rejection.code == Reason.TOO_LARGE


def test_another_format_under_a_known_name_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    with pytest.raises(UndecodableImage, match="not JPEG, PNG or WebP"):
        read_picture(tmp_path / "a.png")
