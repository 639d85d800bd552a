"""Weights in slices: equal ones of every tensor, from which the whole comes together; and who is taken apart."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from models.dit import DenoiserConfig, SkiparseDenoiser
from ops.config import Launch, Optimizer, Schedule
from ops.training.launching.ranks import ALONE, Ranks
from ops.training.loop import engine as deepspeed_engine
from ops.training.loop.ema import Ema
from ops.training.loop.engine_config import configuration
from ops.training.loop.slices import Slicing


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 1, bias=False))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_ranks_hold_equal_slices_of_every_tensor_side_by_side(size: int) -> None:
    whole = model()
    slices = [Slicing(whole, Ranks(rank, size, rank)).of(whole) for rank in range(size)]
    for parameter, *held in zip(whole.parameters(), *slices, strict=True):
        assert {len(each) for each in held} == {-(-parameter.numel() // size)}
        joined = torch.cat(held)
        assert torch.equal(joined[: parameter.numel()], parameter.detach().flatten())
        assert not joined[parameter.numel() :].any()


def test_the_average_of_a_rank_is_a_slice() -> None:
    whole, size = model(), 4
    averages = [Ema(whole, 0.5, Ranks(rank, size, rank)) for rank in range(size)]
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.add_(1)
    for average in averages:
        average.update(whole, step=1000)
    held = [sum(len(each) for each in average.slices) for average in averages]
    assert held == [4 + 2 + 2 + 2 + 2] * size, "of 15, 5, 5, 5 and 5 numbers"
    first = torch.cat([average.slices[0] for average in averages])[:15].view(5, 3)
    torch.testing.assert_close(first, whole[0].weight.detach() - 0.5)


def test_one_rank_holds_the_average_once() -> None:
    average = Ema(model(), 0.9)
    held = {each.data_ptr() for each in average.slices}
    assert {parameter.data_ptr() for parameter in average.joined().parameters()} == held


def test_zero3_takes_apart_what_is_trained_and_nothing_beside_it(checkout: Path, alone: Ranks) -> None:
    """Frozen modules stay whole, made before or after; and the weights of the trained one can be had whole again."""
    before, trained = (
        model().requires_grad_(False),
        SkiparseDenoiser(DenoiserConfig(layers=2, heads=2, head_width=6, in_channels=4, text_width=8)),
    )
    expected = copy.deepcopy(trained.state_dict())
    slicing = Slicing(trained, ALONE)
    optimizer = Optimizer(learning_rate=1e-3)
    schedule = Schedule(steps=2, batch_size=1, checkpoint_every=2, validate_every=2, optimizer=optimizer)
    launch = Launch(accelerator="cpu", deepspeed="configs/deepspeed/zero3.json")
    config = configuration(checkout, launch, schedule, 1)
    # small ones would stay whole beside their slice
    zero = {**config.document["zero_optimization"], "stage3_param_persistence_threshold": 0}
    config = config.with_keys(bf16={"enabled": False}, zero_optimization=zero)
    engine = deepspeed_engine.wrap(trained, config, optimizer)
    after = model().requires_grad_(False)
    for frozen in (before, after):
        assert [parameter.shape for parameter in frozen.parameters()] == [p.shape for p in model().parameters()]
        frozen(torch.ones(2, 3))
    assert {parameter.numel() for parameter in engine.module.parameters()} == {0}
    whole = slicing.joined(slicing.of(engine.module)).state_dict()
    assert all(torch.equal(whole[name], tensor) for name, tensor in expected.items())
