from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from ops.catalogue.reasons import Reason
from ops.curation.decoding.pictures import UndecodableImage, read_picture
from ops.curation.rules.reasons import Rejection


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


def profile(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """An ICC profile of three primaries (XYZ under D50) and one gamma."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide" + bytes(1 + 78)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = [(b"desc", name + bytes(-len(name) % 4)), (b"wtpt", b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249))]
    tags += [
        (tag, b"XYZ " + bytes(4) + fixed(*xyz)) for tag, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    ]
    tags += [(tag, curve) for tag in (b"rTRC", b"gTRC", b"bTRC")]
    table, data, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, content in tags:
        table += tag + struct.pack(">II", start + len(data), len(content))
        data += content
    head = struct.pack(">I4xI", 128 + len(table) + len(data), 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    head = head.ljust(68, b"\0") + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + table + data


ADOBE = profile(((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.19922)
P3 = profile(((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)), 2.2)
COLOURS = np.array([(200, 120, 80), (60, 140, 180), (255, 255, 255), (0, 0, 0), (128, 128, 128), (255, 0, 0)], np.uint8)


def stripes() -> Image.Image:
    return Image.fromarray(COLOURS[None].repeat(16, axis=0).repeat(16, axis=1))


def off(picture: np.ndarray) -> int:
    return int(np.abs(picture[8, 8::16].astype(int) - COLOURS).max())


@pytest.mark.parametrize("icc", [ADOBE, P3], ids=["adobe", "p3"])
@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("jpg", {"quality": 100, "subsampling": 0})])
def test_colours_are_those_that_a_profile_means(tmp_path: Path, icc: bytes, suffix: str, options: dict) -> None:
    wide = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    stored = ImageCms.profileToProfile(stripes(), ImageCms.createProfile("sRGB"), wide)
    stored.save(tmp_path / f"a.{suffix}", icc_profile=icc, **options)
    assert off(np.asarray(stored)) > 10
    assert off(read_picture(tmp_path / f"a.{suffix}")) <= 4


def test_a_profile_counts_below_alpha_and_after_a_turn(tmp_path: Path) -> None:
    wide = ImageCms.ImageCmsProfile(io.BytesIO(ADOBE))
    stored = ImageCms.profileToProfile(stripes(), ImageCms.createProfile("sRGB"), wide)
    clear = stored.copy()
    clear.putalpha(Image.fromarray(np.full((16, 96), 255, np.uint8)))
    clear.putpixel((0, 0), (0, 0, 0, 0))
    clear.save(tmp_path / "a.png", icc_profile=ADOBE)
    picture = read_picture(tmp_path / "a.png")
    assert off(picture) <= 4
    assert picture[0, 0].tolist() == [255, 255, 255]
    exif = stored.getexif()
    exif[0x0112] = 6
    stored.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.png", icc_profile=ADOBE, exif=exif)
    assert off(read_picture(tmp_path / "b.png")) <= 4


@pytest.mark.parametrize("icc", [b"no profile at all", ADOBE[:200]], ids=["junk", "cut"])
def test_a_damaged_profile_is_passed_over(tmp_path: Path, icc: bytes) -> None:
    stripes().save(tmp_path / "a.png", icc_profile=icc)
    assert off(read_picture(tmp_path / "a.png")) == 0


def test_an_srgb_profile_changes_nothing(tmp_path: Path, videos) -> None:
    picture = videos.scene(4)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture).save(tmp_path / "a.png", icc_profile=srgb)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture)
