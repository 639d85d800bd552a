from __future__ import annotations

import pytest
import torch

from models.metrics.i3d import InceptionI3d, as_styleganv, as_videogpt, load_i3d

TOLERANCE = 2e-5


@pytest.fixture
def video(uniform):
    """The clip of a case, in [0, 1]."""
    return lambda case: (uniform(case.facts["input"]["seed"], tuple(case.facts["input"]["shape"])) + 1) / 2


@pytest.mark.parametrize("name", ["i3d_wide", "i3d_tall_odd"])
def test_what_goes_in_is_as_published(metric_case, video, name: str) -> None:
    case = metric_case(name)
    for path, into in (("styleganv", as_styleganv), ("videogpt", as_videogpt)):
        case.agree(into(video(case))[:, :, :2, ::16, ::16], f"{path}_input.sample", TOLERANCE)


@pytest.mark.parametrize("name", ["i3d_tall_odd", pytest.param("i3d_wide", marks=pytest.mark.slow)])
@torch.inference_mode()
def test_features_are_the_published_networks(metric_case, video, name: str) -> None:
    case = metric_case(name)
    network, seen = load_i3d(case.state_dict()), {}
    for layer, module in network.named_children():
        module.register_forward_hook(lambda _, __, found, layer=layer: seen.update({layer: found}))
    clip = video(case)
    features = network(as_styleganv(clip))
    case.agree(features, "features", TOLERANCE)
    layers = [key.removesuffix(".sample") for key in case.expected if key.split(".")[0] in seen]
    assert len(layers) >= 7
    for layer in layers:
        apart = max(1, seen[layer].shape[-2] // 7)
        case.agree(seen[layer][:, :8, :2, ::apart, ::apart], f"{layer}.sample", TOLERANCE)
    case.agree(network(as_videogpt(clip)), "features_videogpt", TOLERANCE)


def test_short_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 10"):
        InceptionI3d()(torch.zeros(1, 3, 8, 224, 224))


def test_both_ways_are_one_for_what_is_eight_bits_deep() -> None:
    video = torch.randint(0, 256, (1, 3, 2, 30, 40)) / 255
    assert torch.equal(as_styleganv(video), as_videogpt(video))
