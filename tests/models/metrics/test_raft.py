from __future__ import annotations

import pytest
import torch

from models.metrics.padding import Padding
from models.metrics.raft import Raft, load_raft
from models.published import UnfitWeights


@pytest.mark.parametrize("name", ["raft", pytest.param("raft_twenty", marks=pytest.mark.slow)])
@torch.inference_mode()
def test_flow_is_the_published_networks(metric_case, uniform, name: str) -> None:
    case = metric_case(name)
    seed = int(case.facts["input"]["image1"].split("uniform(")[1].split(",")[0])
    shape = [2 * side for side in case.expected["flow_up"].shape[2:]]
    first = (uniform(seed, (1, 3, *shape)) + 1) * 127.5
    second = torch.roll(first, (2, 3), (2, 3))
    raft = load_raft({f"module.{key}": value for key, value in case.state_dict().items()})
    flow = raft(first, second, case.facts["iterations"])
    case.agree(flow[:, :, ::2, ::2], "flow_up", case.facts["tolerance"], scaled=False)


def test_another_networks_weights_are_refused(metric_case) -> None:
    state = metric_case("raft").state_dict()
    del state["fnet.conv2.bias"]
    state["fnet.conv1.weight"] = torch.ones(64, 3, 5, 5)
    state["update_block.extra"] = torch.ones(1)
    with pytest.raises(UnfitWeights) as error:
        load_raft(state)
    for part in ("1 missing: feature_encoder.conv.bias", "1 unknown: update_block.extra", "not (64, 3, 7, 7)"):
        assert part in str(error.value)


def test_padding_puts_the_smaller_half_left_and_above() -> None:
    frames = torch.arange(130.0 * 133).reshape(1, 1, 130, 133)
    padding = Padding(130, 133, 8)
    padded = padding.pad(frames)
    assert padded.shape == (1, 1, 136, 136)
    assert torch.equal(padded[..., 3:133, 1:134], frames)
    assert torch.equal(padded[..., 0, 1:134], frames[..., 0, :])
    assert torch.equal(padding.cut(padded), frames)
    assert torch.equal(Padding(128, 160, 8).pad(frames[..., :128, :128]), frames[..., :128, :128])


def test_frames_that_it_cannot_take_are_refused() -> None:
    with pytest.raises(ValueError, match="100x160"):
        Raft()(torch.zeros(1, 3, 100, 160), torch.zeros(1, 3, 100, 160))
