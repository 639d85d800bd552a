"""The Haar transforms: filters as specified, reconstruction up to the specified gain, energy, causality."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.wfvae.wavelets import HaarAnalysis, HaarSynthesis, filters

GAIN = {"thw": 8 * 0.3536**2, "hw": 1.0}
seeds = st.integers(0, 2**31 - 1)
sizes = st.integers(1, 3)


def video(seed: int, frames: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, frames, height, width, generator=generator)


def test_filters_of_three_axes():
    bank = filters("thw")
    for band in range(8):
        for t in range(2):
            for h in range(2):
                for w in range(2):
                    sign = (-1) ** ((band >> 2) * t + (band >> 1 & 1) * h + (band & 1) * w)
                    assert bank[band, t, h, w] == torch.tensor(0.3536 * sign)


def test_filters_of_two_axes_put_rows_first():
    rows, columns = filters("hw")[1, 0], filters("hw")[2, 0]
    assert rows.tolist() == [[0.5, 0.5], [-0.5, -0.5]]
    assert columns.tolist() == [[0.5, -0.5], [0.5, -0.5]]


@given(seeds, sizes, sizes, sizes, st.sampled_from(["thw", "hw"]))
@settings(max_examples=25, deadline=None)
def test_round_trip_is_the_input_times_the_gain(seed, m, h, w, axes):
    x = video(seed, 2 * m - 1, 2 * h, 2 * w)
    there = HaarAnalysis(axes)(x)
    back = HaarSynthesis(axes)(there)
    assert there.shape == (2, 24 if axes == "thw" else 12, m if axes == "thw" else 2 * m - 1, h, w)
    torch.testing.assert_close(back, GAIN[axes] * x, rtol=0, atol=1e-5)


@given(seeds, sizes, sizes, sizes, st.sampled_from(["thw", "hw"]))
@settings(max_examples=25, deadline=None)
def test_energy_is_kept_up_to_the_gain(seed, m, h, w, axes):
    x = video(seed, 2 * m - 1, 2 * h, 2 * w)
    energy = x.square().sum()
    if axes == "thw":  # frame 0 goes in twice
        energy = energy + x[:, :, 0].square().sum()
    torch.testing.assert_close(HaarAnalysis(axes)(x).square().sum(), GAIN[axes] * energy, rtol=1e-5, atol=0)


def test_channels_are_sub_band_major():
    x = video(0, 3, 4, 4)
    whole = HaarAnalysis("thw")(x)
    for colour in range(3):
        alone = HaarAnalysis("thw")(x[:, colour : colour + 1])
        torch.testing.assert_close(whole[:, colour::3], alone)


def test_first_frame_has_no_detail_in_time():
    coefficients = HaarAnalysis("thw")(video(1, 5, 4, 4))
    assert coefficients[:, 12:, 0].abs().max() < 1e-6
    assert coefficients[:, 12:, 1].abs().max() > 0.1


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_filters_are_real_even_in_a_model_built_without_memory(device):
    with torch.device(device):
        assert HaarAnalysis("thw").matrix.device.type == "cpu"
