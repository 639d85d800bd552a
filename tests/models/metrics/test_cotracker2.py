from __future__ import annotations

from math import ceil

import pytest
import torch

from models.metrics.cotracker2 import VISIBLE, CoTracker2, follow_grid, load_cotracker2
from models.metrics.cotracker2.features import CELL, Correlation, sample
from models.metrics.cotracker2.network import WINDOW
from models.metrics.cotracker2.predictor import grid
from models.published import UnfitWeights

TOLERANCE = 1e-4


@pytest.fixture
def video(uniform):
    """The blocks of a case that glide to the left, with noise: [T, 3, H, W], 0 to 255."""

    def made(case) -> torch.Tensor:
        rule = case.facts["input"]
        seed, frames, cell, height, width = (rule[key] for key in ("seed", "frames", "cell", "height", "width"))
        coarse = uniform(seed, (3, ceil(height / cell), ceil((width + frames) / cell)))
        wide = coarse.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, :height]
        shown = torch.stack([wide[:, :, frame : frame + width] for frame in range(frames)])
        shown = shown + 0.2 * uniform(seed + 1, (frames, 3, height, width))
        return ((shown.clip(-1, 1) + 1) / 2 * 255).floor()

    return made


def loaded(case) -> CoTracker2:
    return load_cotracker2(case.state_dict(), tuple(case.facts["config"]["model_resolution"]))


@torch.inference_mode()
def test_each_part_is_the_published_networks(metric_case, video, normal) -> None:
    case = metric_case("cotracker2_step")
    network, clip = loaded(case), video(case)
    side, (height, width) = case.facts["grid"], case.facts["config"]["model_resolution"]
    case.agree(network.time_emb[0, :, ::19], "time_emb", TOLERANCE)
    case.agree(network.pos_emb[0, ::19, ::5, ::5], "pos_emb.sample", TOLERANCE)
    features = network.fnet(2 * clip / 255 - 1)
    case.agree(features[:, ::16], "fnet.sample", TOLERANCE)
    points = grid(side, height, width) / CELL
    feature = sample(features[:1], points[None])[0]
    case.agree(feature, "track_feat", TOLERANCE)
    correlation, of = Correlation(features), feature.expand(WINDOW, -1, -1)
    still = points.expand(WINDOW, -1, -1)
    moved = still + torch.arange(WINDOW)[:, None, None] * torch.tensor([0.37, -0.185])
    for places, name in ((still, "correlation.sample"), (moved, "correlation_moved.sample")):
        case.agree(correlation.around(places, of).transpose(0, 1)[:, ::3, ::3], name, TOLERANCE)
    tokens = normal(case.facts["input"]["seed"] + 2, (1, side**2, WINDOW, 456))[0]
    case.agree(network.updateformer(tokens)[:, ::3, ::5], "update.sample", TOLERANCE)
    for refinements, pixels, probability in ((1, 1e-3, 1e-3), (2, 5e-2, 2e-2)):
        found = network(clip, points * CELL, refinements)
        case.agree(found.places[None], f"coordinates_{refinements}", pixels, scaled=False)
        logits_or_not = case.expected[f"visibility_{refinements}"]
        seen = found.visibility if logits_or_not.min() >= 0 and logits_or_not.max() <= 1 else found.visibility.logit()
        case.agree(seen[None], f"visibility_{refinements}", probability, scaled=False)


@pytest.mark.parametrize(
    "name",
    [
        "cotracker2_four_frames",
        pytest.param("cotracker2_tracks", marks=pytest.mark.slow),
        pytest.param("cotracker2_full_resolution", marks=pytest.mark.slow),
    ],
)
@torch.inference_mode()
def test_tracks_are_the_published_networks(metric_case, video, name: str) -> None:
    case = metric_case(name)
    size = tuple(case.facts["config"]["model_resolution"])
    found = follow_grid(loaded(case), video(case), case.facts["grid"], size)
    case.agree(found.places[None], "tracks", 1e-2, scaled=False)
    probability = case.expected["visibility_probability"]
    assert (found.visibility[None, 1:] - probability[:, 1:]).abs().max() <= 1e-3
    certain = (probability - VISIBLE).abs() > 1e-3
    assert torch.equal((found.visibility[None] > VISIBLE)[certain], case.expected["visible"][certain])


@torch.inference_mode()
def test_windows_follow_each_other(metric_case, video) -> None:
    """Of 13 frames there are three windows, four frames apart: the first four frames are the first window's alone, and
    the others are not left as they were."""
    case = metric_case("cotracker2_tracks")
    network, clip = loaded(case), video(case)
    clip = torch.nn.functional.interpolate(clip, (96, 128))
    whole = network(clip, grid(2, 96, 128), refinements=1)
    first = network(clip[:8], grid(2, 96, 128), refinements=1)
    torch.testing.assert_close(whole.places[:4], first.places[:4], rtol=0, atol=1e-2)
    assert whole.places.shape == (13, 4, 2)
    assert (whole.places[4:8] - first.places[4:]).abs().max() > 0
    assert whole.places.abs().sum(dim=(1, 2)).min() > 0


def test_every_published_name_has_its_place(metric_case, shapes_of) -> None:
    with torch.device("meta"):
        network = CoTracker2()
    ours = {name: list(value.shape) for name, value in network.state_dict().items()}
    ours |= {name: list(value.shape) for name, value in network.named_buffers()}
    assert ours == shapes_of("cotracker2_full_state_dict.json")


def test_other_tables_are_refused(metric_case) -> None:
    case = metric_case("cotracker2_step")
    with pytest.raises(UnfitWeights, match="time_emb"):
        load_cotracker2({**case.state_dict(), "time_emb": torch.zeros(1, 8, 456)}, (96, 128))
