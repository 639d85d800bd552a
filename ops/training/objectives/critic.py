"""The adversarial half of VAE training: a PatchGAN with an optimizer of its own.

It learns in the same step as the VAE, from the same clips and reconstructions (the published trainer alternates,
which costs a second forward pass for the same update). It is small and the same on every rank, so a plain AdamW on
averaged gradients serves it; its batch normalisation sees the samples of its own rank, as in the published trainer.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ops.config import Optimizer, VaeLosses
from ops.training.checkpoints.copying import copied
from ops.training.checkpoints.store import Files
from ops.training.loop.collective import average, mean_gradients
from ops.training.networks import Discriminator
from ops.training.objectives import vae_losses

MAX_NORM = 1.0
FILE = "critic.pt"


class Critic:
    def __init__(self, losses: VaeLosses, optimizer: Optimizer, network: Discriminator) -> None:
        """Learns at the same rate, with the same moments and the same decay of weights as the VAE; `network` lies where
        that does."""
        self._losses, self.network = losses, network
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=optimizer.learning_rate,
            betas=optimizer.betas,
            weight_decay=optimizer.weight_decay,
        )
        self._seen: list[tuple[Tensor, Tensor]] = []

    def generator_loss(
        self, video: Tensor, output: Tensor, reconstruction: Tensor, last_layer: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The adversarial term, weighted, and its adaptive weight. Remembers the clips for `after_step`."""
        self.network.requires_grad_(False)
        # A reconstruction that is not finite makes no step, but batch normalisation would remember it.
        adversarial = -self.network(output.nan_to_num(0, 0, 0)).mean()
        gradients = [
            torch.autograd.grad(term, last_layer, retain_graph=True)[0] for term in (reconstruction, adversarial)
        ]
        average(gradients)  # so that the weight does not depend on the number of ranks
        losses, (wanted, judged) = self._losses, gradients
        weight = vae_losses.adaptive_weight(wanted, judged, losses.adaptive_delta, losses.adaptive_limit)
        weight = weight * losses.adversarial_weight
        self._seen.append((video, output.detach()))
        return weight * adversarial, weight

    def discard(self) -> None:
        """Forget the clips: nothing was trained on them."""
        self._seen = []

    def after_step(self) -> dict[str, Tensor]:
        """One step of the critic on what the VAE has just been trained on, if that was shown to it: its loss."""
        if not self._seen:
            return {}
        self.network.requires_grad_(True)
        self._optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._seen[0][0].device)
        for video, output in self._seen:
            loss = vae_losses.hinge(self.network(video), self.network(output)) / len(self._seen)
            torch.autograd.backward(loss)
            total += loss.detach()
        self._seen = []
        mean_gradients(self.network.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_NORM)
        self._optimizer.step()
        return {"critic": total}

    def files(self) -> Files:
        state = copied({"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()})
        return {FILE: lambda file: torch.save(state, file)}

    def restore(self, folder: Path) -> None:
        state = torch.load(folder / FILE, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
