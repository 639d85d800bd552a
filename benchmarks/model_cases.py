"""What is measured: one piece of work that ours and the plain implementation both do, with the same weights and inputs.

A case is a few numbers, so that it can be handed to another process, which builds only the side that it measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.published_style.denoiser import PATCH, PlainDenoiser
from benchmarks.published_style.wfvae import PlainWFVAE
from models import released
from models.dit import DenoiserConfig, SkiparseDenoiser, skiparse
from models.geometry import latent_size
from models.wfvae import WFVAE, WFVAEConfig

Side = Literal["ours", "plain"]
Step = Literal["forward", "training"]
SIDES: tuple[Side, ...] = ("ours", "plain")
TIMESTEP = 500


@dataclass(frozen=True)
class Place:
    """Where a case runs, and in which precision."""

    device: str = "cpu"
    dtype: torch.dtype = torch.float32


class Case(Protocol):
    @property
    def name(self) -> str: ...

    def module(self, side: Side, place: Place) -> nn.Module:
        """Weights are drawn anew, the same for one class at each call."""
        ...

    def work(self, module: nn.Module, place: Place) -> Callable[[], Tensor]:
        """Inputs are made now; each call does the work once and returns a result to compare."""
        ...

    def small(self) -> Case:
        """The same work of the same module on the smallest inputs, to warm up with."""
        ...


def modules(case: Case, place: Place) -> dict[Side, nn.Module]:
    """Both sides, sharing one set of weights."""
    ours, plain = (case.module(side, place) for side in SIDES)
    plain.load_state_dict(released.dump(ours), assign=True)
    return {"ours": ours, "plain": plain}


@dataclass(frozen=True, kw_only=True)
class VAECase:
    """Encode or decode one video of `frames`×`side`×`side` with a WF-VAE of 8 latent channels.

    `chunk` bounds the latents that ours decodes at once; the plain implementation knows only the whole.
    """

    way: Literal["encode", "decode"]
    side: int
    frames: int = 33
    base_channels: int = 128
    flow_channels: int = 128
    chunk: int | None = None

    @property
    def name(self) -> str:
        chunked = f" in chunks of {self.chunk}" if self.chunk else ""
        return f"{self.way} {self.frames}x{self.side}x{self.side}{chunked}"

    @property
    def config(self) -> WFVAEConfig:
        flow = self.flow_channels
        return WFVAEConfig(base_channels=self.base_channels, encoder_flow_channels=flow, decoder_flow_channels=flow)

    def module(self, side: Side, place: Place) -> nn.Module:
        torch.manual_seed(0)
        with torch.device(place.device):
            module = WFVAE(self.config) if side == "ours" else PlainWFVAE(self.config)
        return module.to(place.dtype).eval()

    def work(self, module: nn.Module, place: Place) -> Callable[[], Tensor]:
        torch.manual_seed(1)
        encode = self.way == "encode"
        latent = (self.config.latent_channels, *latent_size(self.frames, self.side, self.side))
        shape = (3, self.frames, self.side, self.side) if encode else latent
        x = torch.rand(1, *shape).mul(2).sub(1).to(place.device, place.dtype)

        @torch.inference_mode()
        def run() -> Tensor:
            if isinstance(module, WFVAE):
                return module.encode(x).mean if encode else module.decode(x, self.chunk)
            assert isinstance(module, PlainWFVAE)
            return module.encode(x)[0] if encode else module.decode(x)

        return run

    def small(self) -> VAECase:
        return replace(self, frames=5, side=16)


@dataclass(frozen=True, kw_only=True)
class DenoiserCase:
    """A forward pass, or a forward and a backward pass, of some middle layers of the denoiser, all of one `ratio`.

    `grid` counts patches along time, height and width. Half of the `tokens` of text are padding, as with captions.
    """

    step: Step
    ratio: int
    grid: tuple[int, int, int] = (24, 16, 16)
    layers: int = 4
    heads: int = 24
    head_width: int = 96
    text_width: int = 4096
    tokens: int = 512

    @property
    def name(self) -> str:
        step = "training step" if self.step == "training" else self.step
        return f"{step}, {'dense' if self.ratio == 1 else f'k = {self.ratio}'}"

    @property
    def config(self) -> DenoiserConfig:
        return DenoiserConfig(
            layers=self.layers,
            heads=self.heads,
            head_width=self.head_width,
            text_width=self.text_width,
            sparse_ratio=self.ratio,
        )

    def module(self, side: Side, place: Place) -> nn.Module:
        torch.manual_seed(0)
        with torch.device(place.device):
            module = SkiparseDenoiser(self.config) if side == "ours" else PlainDenoiser(self.config, dense_ends=0)
        return module.to(place.dtype).train(self.step != "forward")

    def work(self, module: nn.Module, place: Place) -> Callable[[], Tensor]:
        torch.manual_seed(1)
        frames, height, width = self.grid
        latent = torch.randn(1, self.config.in_channels, frames, PATCH * height, PATCH * width)
        text = torch.randn(1, self.tokens, self.text_width)
        latent, text = (x.to(place.device, place.dtype) for x in (latent, text))
        mask = (torch.arange(self.tokens, device=place.device) < self.tokens / 2)[None].to(place.dtype)
        timestep = torch.tensor([TIMESTEP], device=place.device)
        (first,) = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))

        def run() -> Tensor:
            # the slice has none of the dense layers at a whole model's ends
            with patch.object(skiparse, "DENSE_ENDS", 0):
                if self.step == "forward":
                    with torch.inference_mode():
                        return module(latent, timestep, text, mask)
                for parameter in module.parameters():
                    if parameter.grad is not None:
                        parameter.grad.zero_()
                module(latent, timestep, text, mask).square().mean().backward()
                assert first.weight.grad is not None
                return first.weight.grad

        return run

    def small(self) -> DenoiserCase:
        return replace(self, grid=(2, 2, 2), tokens=4)
