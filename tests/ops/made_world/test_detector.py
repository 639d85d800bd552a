"""The detector against drawings whose truth is known: true clips, shuffled ones, and what is no clip of the world."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ops.made_world.detector import agrees, read
from ops.made_world.drawing import draw
from ops.made_world.scenes import combinations, scene_of

WORDS = ("presence", "count", "colour", "shape", "direction")


def shrunk(frames: np.ndarray, side: int) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.BOX)) for frame in frames])


@pytest.fixture(scope="module")
def clips():
    """Two clips of every combination, as training sees them: 9 frames of 32×32."""
    random = np.random.default_rng(0)
    return [(each, shrunk(draw(scene_of(each, random), 9, 64), 32)) for each in combinations() for _ in range(2)]


@pytest.fixture(scope="module")
def readings(clips):
    return [read(frames) for _, frames in clips]


def shares(wanted, readings) -> dict[str, float]:
    found = [agrees(reading, each) for reading, each in zip(readings, wanted, strict=True)]
    return {word: sum(each[word] for each in found) / len(found) for word in WORDS}


def test_true_clips_are_read_rightly(clips, readings) -> None:
    found = shares([each for each, _ in clips], readings)
    assert min(found.values()) >= 0.99, found


def test_judged_by_each_others_prompts_they_are_at_chance(clips, readings) -> None:
    wanted = [each for each, _ in clips]
    draws = [np.random.default_rng(seed).permutation(len(wanted)) for seed in range(20)]
    found = [shares([wanted[i] for i in order], readings) for order in draws]
    means = {word: np.mean([each[word] for each in found]) for word in WORDS}
    assert means["colour"] == pytest.approx(1 / 4, abs=0.03)
    assert means["shape"] == pytest.approx(1 / 3, abs=0.03)
    assert means["direction"] == pytest.approx(1 / 4, abs=0.03)


def test_what_compression_and_noise_do_is_borne(clips) -> None:
    random = np.random.default_rng(1)
    wanted, spoilt = [], []
    for each, frames in clips[::3]:
        noisy = (frames + random.normal(0, 8, frames.shape)).clip(0, 255).astype(np.uint8)
        wanted.append(each)
        spoilt.append(read(np.stack([_jpeg(frame) for frame in noisy])))
    found = shares(wanted, spoilt)
    assert min(found.values()) >= 0.9, found


def _jpeg(frame: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "jpeg", quality=80)
    return np.asarray(Image.open(stream))


def test_mush_noise_and_plain_pictures_hold_nothing() -> None:
    random = np.random.default_rng(2)
    noise = random.integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
    plain = np.full((9, 32, 32, 3), (120, 130, 125), np.uint8)
    smear = np.linspace(90, 160, 32)[None, None, :, None] + np.array([20, -15, 20])
    mush = np.broadcast_to(smear, (9, 32, 32, 3)).astype(np.uint8)
    assert [read(frames).present for frames in (noise, plain, mush)] == [False, False, False]


def test_a_still_thing_has_no_direction_and_one_frame_is_enough_to_see_it(clips) -> None:
    wanted, frames = clips[0]
    still = read(np.repeat(frames[:1], 9, axis=0)).things[0]
    assert (still.colour, still.shape, still.direction) == (wanted.colour, wanted.shape, None)
    assert read(frames[:1]).things[0].colour == wanted.colour


def test_two_things_are_two() -> None:
    random = np.random.default_rng(3)
    red = next(each for each in combinations() if each.colour == "red")
    blue = next(each for each in combinations() if each.colour == "blue")
    reading = read(draw(scene_of(red, random, blue), 9, 64))
    assert reading.count == 2
    assert {(thing.colour, thing.shape, thing.direction) for thing in reading.things} == {
        (each.colour, each.shape, each.direction) for each in (red, blue)
    }
    assert not agrees(reading, red)["count"]


def test_what_is_no_video_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"must be \[T, H, W, 3\]"):
        read(np.zeros((32, 32, 3), np.uint8))
