from __future__ import annotations

import re

import pytest
import torch
from torch.nn import functional as F

from models.metrics.amt import AmtS, load_amt_s


@pytest.mark.parametrize("name", ["amt_s", "amt_s_tall"])
@torch.inference_mode()
def test_the_middle_frame_is_the_published_networks(metric_case, uniform, name: str) -> None:
    case = metric_case(name)
    seed, *shape = map(int, re.findall(r"\d+", case.facts["input"]["image0"].split("uniform")[1])[:5])
    before = F.avg_pool2d((uniform(seed, tuple(shape)) + 1) / 2, 5, 1, 2)
    rolled = case.facts["input"]["image1"]
    by = tuple(map(int, re.search(r"by \((-?\d+), (-?\d+)\)", rolled).groups()))
    middle = load_amt_s(case.state_dict())(before, torch.roll(before, by, (2, 3)))
    case.agree(middle[:, :, ::2, ::2], "middle", case.facts["tolerance"], scaled=False)


def test_its_size_is_the_published_one() -> None:
    assert sum(value.numel() for value in AmtS().parameters()) == 2_990_543


def test_frames_that_it_cannot_take_are_refused() -> None:
    with pytest.raises(ValueError, match="112x160"):
        AmtS()(torch.zeros(1, 3, 112, 160), torch.zeros(1, 3, 112, 160))
