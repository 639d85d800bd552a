"""One step of the published VAE trainings, term by term: Open-Sora Plan v1.1's and WF-VAE's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import released
from models.wfvae.discriminator import PatchDiscriminator3D
from ops.config import CausalVaeLosses, Optimizer, VaeViews, WfVaeLosses
from ops.training.objectives import vae_losses
from ops.training.objectives.critic import Critic
from ops.training.objectives.reconstruction import Reconstruction

FOLDER = Path(__file__).parent / "parity"
CPU = torch.device("cpu")
CASES = {
    "causalvae_step": CausalVaeLosses,
    "causalvae_step_before_discriminator": CausalVaeLosses,
    "wfvae_step_video": WfVaeLosses,
    "wfvae_step_before_discriminator": WfVaeLosses,
    "wfvae_step_without_perceptual": WfVaeLosses,
}


class TwiceSquared(nn.Module):
    """What stands for LPIPS in the cases."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return 2 * (x - y).square().mean(dim=(1, 2, 3), keepdim=True)


class Step:
    def __init__(self, case: Any, losses: type[WfVaeLosses] | type[CausalVaeLosses]) -> None:
        self.case, self.facts, self.expected = case, case.facts, case.facts["expected"]
        self.losses = losses(**self.facts["losses"])
        self.vae: Any = case.model().train()
        shape = self.facts["discriminator"]
        self.network = case.built(
            "NLayerDiscriminator3D",
            {"ndf": shape["width"], "n_layers": shape["layers"]},
            self.facts["discriminator_state_dict_shapes"],
            self.facts["discriminator_constant"],
        ).train()
        assert isinstance(self.network, PatchDiscriminator3D)
        self.critic = Critic(self.losses, Optimizer(learning_rate=1e-9), self.network)
        self.video = case.drawn("input")
        frame = self.video[0, :, 0].numel()
        lpips = TwiceSquared() if self.losses.lpips_weight else None
        objective = Reconstruction(self.losses, VaeViews(), lpips, self.critic, CPU, torch.float32)
        loss, figures = objective.of_video(self.vae, self.video, self._noise, self.critic if self.judged else None)
        self.total = loss * frame
        summed = {"l1", "adversarial"}
        self.figures = {name: value * (frame if name in summed else 1) for name, value in figures.items()}
        self.figures["perceptual"] = figures.get("lpips", torch.zeros(())) * frame

    @property
    def judged(self) -> bool:
        """By the step that the case counts; v1.1 counts two for each of ours."""
        return bool(self.facts["step"] >= self.losses.discriminator_start)

    def _noise(self, shape: torch.Size) -> Tensor:
        return self.case.drawn("posterior_noise", (len(self.video), *shape))

    def critic_gradients(self) -> tuple[float, dict[str, Tensor]]:
        with torch.no_grad():
            posterior = self.vae.encode(self.video)
            noise = self._noise(posterior.mean.shape[1:])
            output = self.vae.decode(posterior.mean + (0.5 * posterior.log_variance).exp() * noise)
        self.network.requires_grad_(True)
        loss = vae_losses.hinge(self.network(self.video), self.network(output))
        parameters = dict(self.network.named_parameters())
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        names = released.names_of(self.network)
        return loss.item(), {names[ours]: each for ours, each in zip(parameters, gradients, strict=True)}


@pytest.fixture
def step(parity_case: Any, name: str) -> Step:
    return Step(parity_case(name, FOLDER), CASES[name])


def near(value: float, tolerance: float = 1e-5) -> Any:
    return pytest.approx(value, rel=tolerance, abs=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_a_step_has_the_published_terms_and_gradients(step: Step) -> None:
    expected, figures = step.expected, {key: value.item() for key, value in step.figures.items()}
    assert figures["l1"] == near(expected["l1"])
    assert figures["kl"] == near(expected["kl"])
    fidelity = figures["l1"] + step.losses.lpips_weight * figures["perceptual"]
    assert fidelity == near(expected["fidelity"])
    assert ("wavelet" in figures) == ("wavelet" in expected)
    if "wavelet" in expected:
        assert figures["wavelet"] == near(expected["wavelet"])
    if step.judged:
        assert figures["adversarial_weight"] == near(expected["adversarial_weight"])
        assert figures["adversarial"] == near(expected["adversarial_weight"] * expected["adversarial"])
    assert step.total.item() == near(expected["total"])

    torch.autograd.backward(step.total)
    released_names = released.names_of(step.vae)
    squares = dict.fromkeys(expected["gradient_norms"], 0.0)
    for ours, parameter in step.vae.named_parameters():
        theirs = released_names[ours]
        group = f"mix_factor {theirs}" if "mix_factor" in theirs else group_of(theirs, squares)
        squares[group] += float(parameter.grad.double().square().sum())
    assert {group: value**0.5 for group, value in squares.items()} == {
        group: near(value, 1e-4) for group, value in expected["gradient_norms"].items()
    }
    assert sum(squares.values()) ** 0.5 == near(expected["gradient_norm"], 1e-4)


def group_of(key: str, groups: dict[str, float]) -> str:
    return max((group for group in groups if key.startswith(group + ".")), key=len)


@pytest.mark.parametrize("name", [name for name in CASES if name != "causalvae_step_before_discriminator"])
def test_the_critic_has_the_published_loss_and_gradients(step: Step) -> None:
    loss, gradients = step.critic_gradients()
    expected = step.expected["discriminator"]
    assert loss == near(expected["loss"])
    norms = {key: float(gradient.double().norm()) for key, gradient in gradients.items()}
    assert norms == {key: near(value, 1e-4) for key, value in expected["gradient_norms"].items()}


@pytest.mark.parametrize("name", ["causalvae_step"])
def test_the_critic_learns_from_what_the_step_showed_it(step: Step) -> None:
    assert step.critic.after_step()["critic"].item() == near(step.expected["discriminator"]["loss"])
    assert step.critic.after_step() == {}, "nothing was shown since"
