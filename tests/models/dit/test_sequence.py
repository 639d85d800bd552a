"""A denoiser on several ranks gives what it gives on one: outputs, losses and the gradient of every parameter."""

from __future__ import annotations

import copy
import itertools
import json
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import released
from models.control import ImageConditionedDenoiser, StructureConditionedDenoiser, StructureConfig, StructureController
from models.dit import DenoiserConfig, SkiparseDenoiser
from models.dit.sequence import SequenceGroup

CASES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "parity" / "sequence_parallel.json").read_text())
SHAPE = {"layers": 6, "heads": 8, "head_width": 6, "in_channels": 4, "text_width": 8}
Inputs = dict[str, Tensor]


def denoiser(**changes: Any) -> SkiparseDenoiser:
    torch.manual_seed(0)
    return SkiparseDenoiser(DenoiserConfig(**(SHAPE | changes))).train()


def inputs(grid: tuple[int, int, int], text_tokens: int, masked: bool = False) -> Inputs:
    """Two videos; `masked` hides the end of the first in time and space, and the end of the second's caption."""
    random = torch.Generator().manual_seed(1)
    drawn: Inputs = {
        "latent": torch.randn(2, 4, *grid, generator=random),
        "timestep": torch.tensor([999, 3]),
        "text": torch.randn(2, text_tokens, 8, generator=random),
    }
    if masked:
        frames, height, _ = grid
        visible, words = torch.ones(2, *grid), torch.ones(2, text_tokens)
        visible[0, frames - 1 :], visible[0, :, height - 2 :], words[1, text_tokens - 1 :] = 0, 0, 0
        drawn |= {"latent_mask": visible, "text_mask": words}
    return drawn


def learned(model: nn.Module, given: Inputs, group: SequenceGroup | None = None) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Output, loss and gradients of a copy of the model."""
    model = copy.deepcopy(model)
    output = model(**given) if group is None else model(**given, sequence=group)
    loss = (output - given["latent"]).square().mean()
    loss.backward()
    return output.detach(), loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]


def assert_same_on(together: Any, size: int, model: nn.Module, given: Inputs) -> None:
    output, loss, gradients = learned(model, given)
    assert len(gradients) == sum(p.requires_grad for p in model.parameters())
    ranks = together(size, lambda group: learned(model, given, group))
    for other, other_loss, _ in ranks:
        torch.testing.assert_close(other, output, rtol=0, atol=1e-5)
        torch.testing.assert_close(other_loss, loss, rtol=1e-5, atol=0)
    assert_same_gradients(
        gradients, [torch.stack(parts).mean(0) for parts in zip(*(g for *_, g in ranks), strict=True)]
    )


def assert_same_gradients(expected: list[Tensor], found: list[Tensor]) -> None:
    """To 1e-5 of each parameter's norm. That of a key's bias is nothing but rounding: softmax does not see it."""
    rounding = 1e-7 * math.sqrt(sum(float(gradient.square().sum()) for gradient in expected))
    for one, other in zip(expected, found, strict=True):
        assert (other - one).norm() <= 1e-5 * one.norm() + rounding


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("grid", "text_tokens"), [((4, 6, 10), 8), ((5, 6, 10), 5), ((3, 4, 4), 3), ((2, 2, 2), 1)], ids=str
)
@pytest.mark.parametrize("sparse_ratio", [1, 4])
def test_outputs_losses_and_gradients_are_those_of_one_rank(
    together: Any, sparse_ratio: int, grid: tuple[int, int, int], text_tokens: int, masked: bool, size: int
) -> None:
    """Dense layers, single and group skip, lengths that neither ranks nor k² divide, and ranks that hold no token."""
    assert_same_on(together, size, denoiser(sparse_ratio=sparse_ratio), inputs(grid, text_tokens, masked))


@pytest.mark.parametrize("size", [2, 4])
def test_layers_that_are_recomputed_exchange_again(together: Any, size: int) -> None:
    model, given = denoiser(absolute_positions=True), inputs((3, 4, 6), 5, masked=True)
    _, _, kept = learned(model, given)
    model.gradient_checkpointing = True
    assert_same_on(together, size, model, given)
    assert_same_gradients(kept, learned(model, given)[2])


@pytest.mark.parametrize("size", [2, 4])
def test_given_frames(together: Any, size: int) -> None:
    torch.manual_seed(0)
    model = ImageConditionedDenoiser(DenoiserConfig(**SHAPE)).train()
    for embed in (model.condition_embed, model.mask_embed):
        nn.init.normal_(embed.inject.weight, std=0.1)
    given = inputs((3, 4, 6), 5)
    given |= {"condition_latent": torch.randn(2, 4, 3, 4, 6), "condition_mask": torch.ones(2, 4, 3, 4, 6)}
    assert_same_on(together, size, model, given)


@pytest.mark.parametrize("size", [2, 4])
def test_a_controller_that_adds_to_the_tokens(together: Any, size: int) -> None:
    base = denoiser()
    model = StructureConditionedDenoiser(
        base, StructureController(StructureConfig.of(base.config, encoder_width=4, blocks=5))
    )
    for projector in model.controller.projectors:
        nn.init.normal_(projector.out.weight, std=0.2)
    assert_same_on(together, size, model, {**inputs((2, 4, 6), 3), "structure": torch.rand(2, 3, 5, 32, 48) * 2 - 1})


@pytest.mark.parametrize(("name", "sizes"), CASES["step_cases"].items())
def test_a_step_of_the_published_training(together: Any, parity_case: Any, name: str, sizes: list[int]) -> None:
    """32 layers of four heads: the loss and the gradients of the reference, on one rank and on each number of ranks."""
    case = parity_case(name)
    facts, expected = case.facts, case.facts["expected"]
    model = case.model().train()
    latent, noise = case.drawn("latent"), case.drawn("noise")
    signal = zero_terminal_snr()[facts["timestep"]].float()[:, None, None, None, None]
    text, mask = case.drawn("caption"), torch.zeros(2, 8)
    for row, length in zip(mask, facts["caption_lengths"], strict=True):
        row[:length] = 1
    given = {
        "latent": signal.sqrt() * latent + (1 - signal).sqrt() * noise,
        "timestep": torch.tensor(facts["timestep"]),
        "text": text,
        "text_mask": mask,
    }
    if name == "denoiser_step_inpaint":
        given |= {"condition_latent": case.drawn("condition_latent"), "condition_mask": case.expected["condition_mask"]}
    velocity, weights = signal.sqrt() * noise - (1 - signal).sqrt() * latent, torch.tensor(expected["weights"])

    def step(group: SequenceGroup) -> tuple[float, Mapping[str, Tensor]]:
        ours = copy.deepcopy(model)
        errors = F.mse_loss(ours(**given, sequence=group), velocity, reduction="none").flatten(1).mean(1)
        loss = (weights * errors).mean()
        loss.backward()
        with torch.no_grad():
            for parameter in ours.parameters():
                parameter.copy_(parameter.grad)  # so that gradients are found by their released names
        return loss.item(), released.dump(ours)

    for size in (1, *sizes):
        ranks = together(size, step)
        assert [loss for loss, _ in ranks] == pytest.approx([expected["loss"]] * size, rel=1e-5)
        for key in facts["stored_gradients"]:
            gradient = torch.stack([gradients[key] for _, gradients in ranks]).mean(0)
            of_reference = case.expected[f"gradient.{key}"]
            largest = float(of_reference.abs().max())
            torch.testing.assert_close(gradient, of_reference, rtol=0, atol=1e-4 * largest)


def zero_terminal_snr() -> Tensor:
    """ᾱ of 1000 linear betas from 1e-4 to 0.02, its root shifted to 0 at the end and scaled to stay at the start."""
    root = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0).sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])).square()


@pytest.mark.parametrize("layout", CASES["layouts"][:2], ids=lambda layout: str(layout["size"]))
def test_attention_sees_the_shapes_of_the_published_trainer(
    together: Any, layout: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There tokens come first, and sub-sequences lie in the batch; here they lie beside the heads."""
    seen: dict[int, list[tuple[Any, Any]]] = {rank: [] for rank in range(layout["size"])}
    plain = F.scaled_dot_product_attention
    this_thread = threading.local()

    def spy(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        seen[this_thread.rank].append((q.transpose(1, 2).shape, k.transpose(1, 2).shape))
        return plain(q, k, v, mask)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    model = denoiser(heads=layout["heads"], head_width=layout["head_width"], in_channels=8, layers=5)
    latent, text = torch.randn(layout["latent"]), torch.randn(layout["batch_of_the_group"], layout["text_tokens"], 8)

    def run(group: SequenceGroup) -> None:
        this_thread.rank = group.rank
        with torch.no_grad():
            model(latent, torch.full((len(latent),), 5), text, sequence=group)

    together(layout["size"], run)
    own, cross = layout["self_attention_shapes"], layout["cross_attention_shapes"]
    k = layout["sparse_ratio"]
    for calls in seen.values():
        tokens, batch, heads, width = own["after_exchange"]
        assert calls[0] == ((batch, tokens, heads, width),) * 2
        assert calls[1] == tuple(
            (batch, tokens, heads, width) for tokens, batch, heads, width in (cross["query"], cross["key"])
        )
        places, of_batch, heads, width = own["sparse"]
        assert calls[4][0] == (of_batch // k, places, k * heads, width)


@torch.no_grad()
def test_images_are_computed_by_each_rank_alone() -> None:
    model, given = denoiser().eval(), inputs((1, 6, 10), 5)
    alone = model(**given)

    def refuse(parts: Tensor) -> Tensor:
        raise AssertionError("ranks exchanged tokens of an image")

    assert torch.equal(model(**given, sequence=SequenceGroup(2, 1, refuse)), alone)


def test_heads_that_a_group_cannot_share_out() -> None:
    case = next(case for case in CASES["sizes_that_must_be_refused"] if case["because"] == "heads")
    model = denoiser(heads=case["heads"])
    with pytest.raises(ValueError, match="sequence has 4 ranks, but must have a number that divides heads, 6"):
        model(**inputs((2, 2, 2), 1), sequence=SequenceGroup(case["size"], 0))


@pytest.mark.parametrize(("size", "tokens"), itertools.product([1, 2, 4], [1, 5, 8]))
def test_what_is_shared_out_comes_together_again(together: Any, size: int, tokens: int) -> None:
    whole = torch.randn(2, tokens, 4, 3)

    def there_and_back(group: SequenceGroup) -> tuple[Tensor, Tensor, Tensor]:
        own = group.own(whole, tokens)
        by_heads = group.by_heads(own, tokens)
        return by_heads, group.by_tokens(by_heads), group.joined(own.flatten(2), tokens)

    for rank, (by_heads, by_tokens, joined) in enumerate(together(size, there_and_back)):
        heads = 4 // size
        assert torch.equal(by_heads, whole[:, :, rank * heads : (rank + 1) * heads])
        assert torch.equal(by_tokens, together(size, lambda group: group.own(whole, tokens))[rank])
        assert torch.equal(joined, whole.flatten(2))
