"""One step of the published denoiser trainings: v1.1's with a learned variance, and v1.2's, which predicts ε alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models import released
from ops.config import Diffusion
from ops.training.objectives.diffusion import element_losses, loss_weights, scheduler

FOLDER = Path(__file__).parent / "parity"
V1_1 = Diffusion(prediction="epsilon", zero_terminal_snr=False, min_snr_gamma=None, caption_dropout=0.0)


@pytest.mark.parametrize("name", ["latte_step_video", "latte_step_joint_images"])
def test_a_step_with_learned_variance(parity_case: Any, name: str) -> None:
    """The loss of a given output, and its gradient. Where the case hides places, which pad a latent as none does here,
    all is right: the noise, and at -1 the variance of the posterior."""
    case = parity_case(name, FOLDER)
    facts, expected = case.facts, case.facts["expected"]
    latent, noise, output = (case.drawn(part) for part in ("latent", "noise", "model_output"))
    shown = torch.ones_like(latent)
    for sample, extent in zip(shown, facts["valid_latent_extent_thw"] or [], strict=False):
        t, h, w = extent
        sample.zero_()[:, :t, :h, :w] = 1
    output.requires_grad_(True)
    seen: list[Tensor] = []

    def model(noisy: Tensor, *_: Any) -> Tensor:
        seen.append(noisy)
        predicted, variance = output.chunk(2, dim=1)
        return torch.cat([predicted * shown + noise * (1 - shown), variance * shown - (1 - shown)], dim=1)

    timesteps, text = torch.tensor(facts["timestep"]), torch.zeros(len(latent), 1, 4)
    losses = element_losses(model, scheduler(V1_1), latent, noise, timesteps, text, None)
    torch.testing.assert_close(seen[0], case.expected["noisy"], rtol=0, atol=1e-6)
    assert losses.error.tolist() == pytest.approx(expected["mse"], rel=1e-5)
    assert losses.bound is not None
    assert losses.bound.tolist() == pytest.approx(expected["vb"], rel=1e-5)
    loss = losses.sum.mean()
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, output)
    torch.testing.assert_close(gradient, case.expected["gradient"], rtol=0, atol=1e-6)


def test_a_step_that_predicts_the_noise(parity_case: Any) -> None:
    """With a noise offset, through the network: loss, gradients, and the loss after one step of AdamW."""
    case = parity_case("denoiser_step_epsilon", FOLDER)
    facts, expected = case.facts, case.facts["expected"]
    settings = V1_1.model_copy(update={"noise_offset": facts["noise_offset"]["share"]})
    model, schedule = case.model().train(), scheduler(settings)
    assert loss_weights(settings, schedule)[facts["timestep"]].tolist() == expected["weights"]
    offset = case.drawn_by(facts["noise_offset"]["draw"])
    mask = torch.zeros(1, facts["caption"]["shape"][1])
    mask[0, : facts["caption_lengths"][0]] = 1

    def loss() -> Tensor:
        return element_losses(
            model,
            schedule,
            case.drawn("latent"),
            case.drawn("noise") + settings.noise_offset * offset,
            torch.tensor(facts["timestep"]),
            case.drawn("caption"),
            mask,
        ).error.mean()

    before = loss()
    assert before.item() == pytest.approx(expected["loss"], rel=1e-5)
    torch.autograd.backward(before)
    parameters, names = dict(model.named_parameters()), released.names_of(model)
    gradients = {names[ours]: each.grad for ours, each in parameters.items()}
    for key in facts["stored_gradients"]:
        of_reference = case.expected[f"gradient.{key}"]
        torch.testing.assert_close(gradients[key], of_reference, rtol=0, atol=1e-4 * float(of_reference.abs().max()))
    how = facts["optimizer"]
    norm = torch.nn.utils.clip_grad_norm_(parameters.values(), how["clip"])
    assert norm.item() == pytest.approx(expected["gradient_norm"], rel=1e-4)
    torch.optim.AdamW(
        parameters.values(),
        lr=how["learning_rate"],
        betas=tuple(how["betas"]),
        eps=how["eps"],
        weight_decay=how["weight_decay"],
    ).step()
    with torch.no_grad():
        assert loss().item() == pytest.approx(expected["loss_after_step"], rel=1e-4)
