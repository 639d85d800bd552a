from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ops.curation.decoding.pictures import read_picture
from ops.curation.scorers.phash import as_text, from_text, perceptual_hash

PICTURES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def photograph(name: str) -> np.ndarray:
    folder = importlib.metadata.distribution("scikit-image").locate_file("skimage/data")
    return read_picture(Path(str(folder)) / name)


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


def resized(picture: np.ndarray, share: float) -> np.ndarray:
    size = (round(picture.shape[1] * share), round(picture.shape[0] * share))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("name", PICTURES)
def test_size_light_and_noise_change_few_bits(name: str) -> None:
    picture = photograph(name)
    assert apart(picture, picture) == 0
    assert apart(picture, resized(picture, 0.4)) <= 2
    assert apart(picture, (picture * 0.8 + 20).astype(np.uint8)) <= 4
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    assert apart(picture, (picture + noise).clip(0, 255).astype(np.uint8)) <= 4


@pytest.mark.parametrize("name", PICTURES)
def test_a_mirrored_picture_is_another_one(name: str) -> None:
    picture = photograph(name)
    assert apart(picture, np.ascontiguousarray(picture[:, ::-1])) > 16


def test_other_pictures_have_other_bits() -> None:
    pictures = [photograph(name) for name in PICTURES]
    assert min(apart(one, other) for one in pictures for other in pictures if one is not other) > 16


def test_half_of_the_bits_are_set_where_there_is_something_to_see() -> None:
    assert perceptual_hash(photograph("coffee.png")).bit_count() == 32


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_even_pictures_are_all_alike(level: int) -> None:
    """Rounding errors of the transform must not set bits."""
    assert apart(np.full((90, 160, 3), level, np.uint8), np.full((72, 72, 3), 200, np.uint8)) <= 1


def test_text_and_back() -> None:
    hashes = [0, 1, 2**64 - 1, perceptual_hash(photograph("rocket.jpg"))]
    assert as_text(hashes)[:3] == ["0" * 16, "0" * 15 + "1", "f" * 16]
    assert from_text([as_text(hashes), as_text(hashes[::-1])]).tolist() == [hashes, hashes[::-1]]
    assert from_text([]).shape == (0, 1)
