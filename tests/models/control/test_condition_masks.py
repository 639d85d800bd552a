"""The six mask types, their mixture, what hidden frames become, and the mask on the latent's grid."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from models.control import ImageConditionedDenoiser
from models.control.condition_masks import (
    MaskMixture,
    MaskType,
    compress_mask,
    frame_mask,
    masked_video,
    spread,
)
from models.control.mask_schedule import DEFAULT_IMAGE, DEFAULT_VIDEO, PROGRESSIVE
from models.dit import DenoiserConfig

CASES = json.loads((Path(__file__).parents[1] / "parity" / "image_condition.json").read_text(encoding="utf-8"))
SHAPES = np.load(Path(__file__).parents[1] / "parity" / "image_condition.npz")


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: f"{case['name']} {case['kind']}")
def test_the_published_masks(case):
    """The mask of each type, how many frames it may give, its compressed form, and the masked video."""
    frames, shares, kind = case["frames"], case["share"], MaskType(case["kind"])
    drawn = [frame_mask(kind, frames, random(seed), *shares) for seed in range(200)]
    if case["fixed"]:
        given_frames = [torch.nonzero(mask == 0).flatten().tolist() for mask in drawn]
        assert case["given"] in given_frames
        assert kind is MaskType.CONTINUATION or given_frames == [case["given"]] * 200
    if kind in (MaskType.CONTINUATION, MaskType.RANDOM_TEMPORAL):
        low, high = case["given_range"]
        assert {int((mask == 0).sum()) for mask in drawn} == set(range(low, high + 1))
    mask = torch.ones(1, frames)
    mask[0, case["given"]] = 0
    mask = spread(mask, case["height"], case["width"])
    torch.testing.assert_close(compress_mask(mask), torch.from_numpy(SHAPES[f"{case['name']}.mask"]), rtol=0, atol=1e-6)
    rule = case["pixels"]
    uniform = np.random.RandomState(rule["seed"]).uniform(-1, 1, rule["shape"]).astype(np.float32)
    pixels = torch.from_numpy(np.round((uniform + 1) * 127.5)).transpose(0, 1)[None]
    masked = masked_video(pixels, mask)
    assert masked.mean(dim=(0, 1, 3, 4)).tolist() == pytest.approx(case["masked_frame_means"], abs=1e-6)
    assert float(masked.double().square().sum()) == pytest.approx(case["masked_checksum"], rel=1e-6)


def test_the_published_mixtures():
    for row, step in zip(CASES["schedule"], PROGRESSIVE, strict=True):
        percent = [100 * step.mixture.probabilities().get(MaskType(kind), 0.0) for kind in CASES["schedule_columns"]]
        assert percent == pytest.approx(row["percent"])
        facts = (step.name, step.mixture.min_given, step.samples, step.frames, step.max_area)
        assert facts == (
            row["step"],
            row["least_given"],
            row["million_samples"] * 10**6,
            row["frames"],
            row["max_area"],
        )
    for mixture, kind in ((DEFAULT_VIDEO, "video"), (DEFAULT_IMAGE, "image")):
        chances = {each.value: chance for each, chance in mixture.probabilities().items()}
        assert chances == pytest.approx(CASES["default_probabilities"][kind])


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (MaskType.T2IV, [1, 1, 1, 1, 1]),
        (MaskType.I2V, [0, 1, 1, 1, 1]),
        (MaskType.TRANSITION, [0, 1, 1, 1, 0]),
        (MaskType.CLEAR, [0, 0, 0, 0, 0]),
    ],
)
def test_types_without_chance(kind, expected):
    generator = random()
    before = generator.get_state()
    assert frame_mask(kind, 5, generator).tolist() == expected
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(
    ("shares", "counts"),
    [((0.0, 1.0), range(10)), ((0.5, 0.5), (4, 5)), ((0.25, 0.5), range(2, 6)), ((1.0, 1.0), (9,))],
)
@pytest.mark.parametrize("kind", [MaskType.CONTINUATION, MaskType.RANDOM_TEMPORAL])
def test_how_many_frames_are_given(kind, shares, counts):
    """⌊9·min⌋ to ⌈9·max⌉, both included and equally likely."""
    generator = random()
    seen = Counter(int((frame_mask(kind, 9, generator, *shares) == 0).sum()) for _ in range(1500))
    assert sorted(seen) == list(counts)
    assert max(seen.values()) - min(seen.values()) < 0.15 * 1500


def test_continuation_gives_the_beginning_and_random_gives_any():
    generator = random()
    for _ in range(50):
        mask = frame_mask(MaskType.CONTINUATION, 9, generator)
        assert mask.tolist() == sorted(mask.tolist())
    given_often = torch.stack([1 - frame_mask(MaskType.RANDOM_TEMPORAL, 9, generator) for _ in range(1500)]).mean(0)
    assert (given_often - 0.5).abs().max() < 0.06


@given(st.sampled_from(MaskType), st.integers(1, 93), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_same_seed_same_mask(kind, frames, seed):
    first, second = (frame_mask(kind, frames, random(seed)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (frames,)
    assert set(first.tolist()) <= {0.0, 1.0}


def test_draws_follow_the_weights():
    generator = random()
    seen = Counter(DEFAULT_VIDEO.draw(5, generator)[0] for _ in range(4000))
    for kind, share in DEFAULT_VIDEO.probabilities().items():
        assert seen[kind] / 4000 == pytest.approx(share, abs=0.03)
    assert seen[MaskType.CLEAR] == 0


def test_weights_of_zero_mean_any_of_those_listed():
    generator = random()
    seen = Counter(DEFAULT_IMAGE.draw(1, generator)[0] for _ in range(400))
    assert set(seen) == {MaskType.T2IV, MaskType.CLEAR}
    assert min(seen.values()) > 160


def test_a_draw_keeps_to_the_shares():
    mixture = MaskMixture({MaskType.RANDOM_TEMPORAL: 1, MaskType.CONTINUATION: 2}, 0.5, 0.75)
    generator = random()
    given_counts = {int((mixture.draw(8, generator)[1] == 0).sum()) for _ in range(100)}
    assert given_counts == {4, 5, 6}


def test_the_progressive_schedule():
    assert len(PROGRESSIVE) == 8
    assert all(sum(step.mixture.weights.values()) == 100 for step in PROGRESSIVE)
    assert sum(step.samples for step in PROGRESSIVE) == 65_000_000
    least = [step.mixture.min_given for step in PROGRESSIVE]
    assert least == sorted(least, reverse=True)
    assert PROGRESSIVE[-1].mixture.probabilities()[MaskType.I2V] == 0.4


def test_hidden_frames_become_black():
    pixels = torch.randint(0, 256, (1, 3, 5, 8, 8), dtype=torch.uint8)
    mask = spread(frame_mask(MaskType.TRANSITION, 5, random())[None], 8, 8)
    video = masked_video(pixels, mask)
    assert torch.equal(video[:, :, 1:4], torch.full((1, 3, 3, 8, 8), -1.0))
    for frame in (0, 4):
        torch.testing.assert_close(video[:, :, frame], pixels[:, :, frame].float() / 127.5 - 1)
    assert video.dtype == torch.float32


@pytest.mark.parametrize(("frames", "latents"), [(1, 1), (5, 2), (93, 24), (4, 1), (8, 2)])
def test_compressed_mask_by_a_loop(frames, latents):
    """Every place from the published rule, one frame at a time: channel c of latent t is frame 4t + c − 3 or 4t + c."""
    mask = (torch.rand(2, 1, frames, 16, 24, generator=random()) < 0.5).float()
    compressed = compress_mask(mask)
    assert compressed.shape == (2, 4, latents, 2, 3)
    first = 3 if frames % 2 else 0
    for t in range(latents):
        for channel in range(4):
            frame = mask[:, :, max(0, 4 * t + channel - first)]
            expected = F.interpolate(frame, size=(2, 3), mode="bilinear")
            torch.testing.assert_close(compressed[:, channel, t], expected[:, 0], rtol=0, atol=0)


def test_a_mask_of_truth_values_is_compressed_too():
    mask = torch.rand(1, 1, 5, 16, 16, generator=random()) < 0.5
    assert torch.equal(compress_mask(mask), compress_mask(mask.float()))
    assert compress_mask(mask.bfloat16()).dtype == torch.bfloat16


def test_resizing_takes_the_four_pixels_about_a_centre():
    mask = torch.zeros(1, 1, 1, 8, 8)
    mask[..., 3, 3] = 1
    assert compress_mask(mask)[0, :, 0, 0, 0].tolist() == [0.25] * 4
    assert compress_mask(1 - mask.roll((1, 2), (3, 4)))[0, 0, 0, 0, 0] == 1


@torch.no_grad()
def test_the_controller_takes_a_compressed_mask():
    config = DenoiserConfig(layers=1, heads=1, head_width=6, in_channels=4, text_width=8)
    latent = torch.randn(1, 4, 3, 4, 4)
    mask = compress_mask(spread(frame_mask(MaskType.I2V, 9, random())[None], 32, 32))
    assert mask[0, :, :, 0, 0].tolist() == [[0, 1, 1]] * 4
    arguments = (latent, torch.tensor([500]), torch.randn(1, 2, 8))
    predicted = ImageConditionedDenoiser(config)(*arguments, condition_latent=latent, condition_mask=mask)
    assert predicted.shape == latent.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: frame_mask(MaskType.I2V, 0, random()), "frames is 0, but must be at least 1"),
        (lambda: frame_mask(MaskType.I2V, 5, random(), 0.6, 0.5), "min_given is 0.6 and max_given 0.5, but must be in"),
        (lambda: MaskMixture({}), "weights is empty, but must list at least one"),
        (lambda: MaskMixture({MaskType.I2V: -1}), r"weights\['i2v'\] is -1, but must be finite and at least 0"),
        (lambda: MaskMixture({MaskType.I2V: 1}, 0.0, 1.5), "max_given 1.5, but must be in order within 0 to 1"),
        (lambda: compress_mask(torch.ones(1, 5, 16, 16)), r"mask has shape .* must be \[B, 1, T, H, W\]"),
        (lambda: compress_mask(torch.ones(1, 1, 7, 16, 16)), r"mask has 7 frames, but must have 4n\+1, or 4n"),
        (lambda: compress_mask(torch.ones(1, 1, 5, 16, 20)), "mask is 16x20, but both sides must be multiples of 8"),
        (
            lambda: masked_video(torch.ones(1, 3, 5, 8, 8), torch.ones(1, 1, 4, 8, 8)),
            r"mask has shape \[1, 1, 4, 8, 8\], but must be \[1, 1, 5, 8, 8\]",
        ),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
