from __future__ import annotations

import pytest
import torch
from torch import nn

from ops.training.loop.ema import Ema, decay_at


def test_decay_warms_up_as_diffusers_does() -> None:
    from diffusers.training_utils import EMAModel

    theirs = EMAModel(nn.Linear(3, 2).parameters(), decay=0.9)
    assert [decay_at(step, 0.9) for step in range(1, 120)] == [theirs.get_decay(step) for step in range(1, 120)]
    assert (decay_at(1, 0.9), decay_at(2, 0.9), decay_at(500, 0.9)) == (0.0, pytest.approx(2 / 11), 0.9)


def test_it_follows_the_model_in_float32() -> None:
    model = nn.BatchNorm1d(2).to(torch.bfloat16)
    ema = Ema(model, decay=0.5)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.running_mean.fill_(7.0)
    ema.update(model, step=1000)
    average = ema.joined()
    assert average.weight.dtype == torch.float32
    assert average.weight.tolist() == [2.0, 2.0]
    assert average.running_mean.tolist() == [7.0, 7.0]
    assert not average.training


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        Ema(nn.Linear(2, 2), 0.9).load(nn.Linear(2, 3))
