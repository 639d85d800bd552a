"""The structure-condition controller: a frozen denoiser follows edges, depth or a sketch (arXiv 2412.00131).

It was published in words only (arXiv 2412.00131): an encoder and K transformer blocks turn the structure video into
features R, and a token-wise map P_j of each base block adds them to its activations, X_j ← X_j + P_j(R). What the paper
leaves open is settled here: X_j is what block j gives, R has the base's width and its blocks see the base's text,
timestep and attention patterns, and P_j starts at zero.

B: batch · S: latent tokens · L: text tokens · D: width
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from models.control.structure_encoder import StructureEncoder
from models.dit.attention import SelfContext
from models.dit.block import Block
from models.dit.config import DenoiserConfig
from models.dit.denoiser import Control, SkiparseDenoiser
from models.dit.inputs import check_latent
from models.dit.sequence import ALONE, SequenceGroup
from models.dit.skiparse import layer_pattern
from models.geometry import SPATIAL, TEMPORAL
from models.tensor_file import save_tensors


@dataclass(frozen=True, kw_only=True)
class StructureConfig:
    """The shape of a controller. `layers`, `heads` and `head_width` are those of the denoiser that it controls.

    `channels` are the structure video's, `encoder_width` those of the first of three convolutions, which double.
    `blocks` is K. `projector_layers` is 1 for a linear P_j, 2 for one with a hidden layer of the same width.

    Raises ValueError, naming the field, for a count below 1, more blocks than layers or another `projector_layers`.
    """

    layers: int = 32
    heads: int = 24
    head_width: int = 96
    channels: int = 3
    encoder_width: int = 32
    blocks: int = 4
    projector_layers: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            if (value := getattr(self, field.name)) < 1:
                raise ValueError(f"{field.name} is {value}, but must be at least 1")
        if self.blocks > self.layers:
            raise ValueError(f"blocks is {self.blocks}, but must be at most layers, {self.layers}")
        if self.projector_layers > 2:
            raise ValueError(f"projector_layers is {self.projector_layers}, but must be 1 or 2")

    @classmethod
    def of(cls, base: DenoiserConfig, **choices: int) -> StructureConfig:
        """A controller's shape for a denoiser; `choices` are the fields that do not follow from it."""
        return cls(layers=base.layers, heads=base.heads, head_width=base.head_width, **choices)

    @property
    def width(self) -> int:
        return self.heads * self.head_width


class Projector(nn.Module):
    """P_j, a map of each token [B, S, D] that gives zero until it is trained."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width) if layers == 2 else None
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        if self.hidden is not None:
            features = nn.functional.gelu(self.hidden(features), approximate="tanh")
        return self.out(features)


class StructureController(nn.Module):
    """All that is trained: the encoder, K blocks and one projector for each block of the base."""

    def __init__(self, config: StructureConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = StructureEncoder(config.channels, config.encoder_width, config.width)
        self.blocks = nn.ModuleList(Block(config.heads, config.head_width) for _ in range(config.blocks))
        self.projectors = nn.ModuleList(Projector(config.width, config.projector_layers) for _ in range(config.layers))

    def forward(
        self, tokens: Tensor, text: Tensor, modulation: Tensor, context: SelfContext, text_bias: Tensor | None
    ) -> Tensor:
        """R [B, S, D] of the encoder's tokens [B, S, D], with text [B, L, D] and modulation [B, 6, D] of the base.

        Raises nothing of its own: `StructureConditionedDenoiser` checks what comes in.
        """
        for index, block in enumerate(self.blocks):
            pattern = layer_pattern(index, len(self.blocks), context.sparse_ratio)
            tokens = block(tokens, text, modulation, pattern, context, text_bias)
        return tokens

    def addition(self, features: Tensor, index: int) -> Tensor:
        """P_j(R) for the base's block j = `index`."""
        return self.projectors[index](features)

    def save(self, path: Path | str) -> None:
        """Write the controller's own weights and configuration as one safetensors file."""
        tensors = {key: value.detach().cpu().contiguous() for key, value in self.state_dict().items()}
        save_tensors(tensors, path, metadata={"format": "pt", "config": json.dumps(asdict(self.config))})

    @classmethod
    def read(cls, path: Path | str) -> StructureController:
        """A controller that `save` wrote, on the CPU. Raises ValueError for a file of something else."""
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "config" not in metadata:
                raise ValueError(f"path is {str(path)!r}, but must be a controller's file: its metadata lack 'config'")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dictionary)
        with torch.device("meta"):
            controller = cls(StructureConfig(**json.loads(metadata["config"])))
        controller.load_state_dict(tensors, assign=True)
        return controller


class StructureConditionedDenoiser(nn.Module):
    """A denoiser, frozen from here on, and the controller that is trained in its place.

    Raises ValueError where the controller was made for a denoiser of another shape.
    """

    def __init__(self, base: SkiparseDenoiser, controller: StructureController) -> None:
        super().__init__()
        for name in ("layers", "heads", "head_width"):
            found, needed = getattr(controller.config, name), getattr(base.config, name)
            if found != needed:
                raise ValueError(f"the controller's {name} is {found}, but must be the base's, {needed}")
        self.base = base.requires_grad_(False)
        self.controller = controller

    def forward(
        self,
        latent: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor | None = None,
        latent_mask: Tensor | None = None,
        *,
        structure: Tensor,
        sequence: SequenceGroup = ALONE,
    ) -> Tensor:
        """[B, C, T, H, W], like `latent`; the arguments of `SkiparseDenoiser.forward`, and:

        Args:
            structure: [B, channels, 4·(T−1)+1, 8·H, 8·W], values in [-1, 1]: the edges, depth or sketch of every frame.

        Raises:
            ValueError: an argument of another shape or range; the message names it.
        """
        check_latent("latent", latent, self.base.config.in_channels)
        check_structure(latent, structure, self.controller.config.channels)
        control = Control(self.controller, self.controller.encoder(structure))
        return self.base(latent, timestep, text, text_mask, latent_mask, control=control, sequence=sequence)


def check_structure(latent: Tensor, structure: Tensor, channels: int) -> None:
    """Raises ValueError for a structure video that is not the latent's in pixels, or not within -1 to 1."""
    batch, _, frames, height, width = latent.shape
    expected = [batch, channels, TEMPORAL * (frames - 1) + 1, SPATIAL * height, SPATIAL * width]
    if list(structure.shape) != expected:
        raise ValueError(
            f"structure has shape {list(structure.shape)}, but must be {expected}, as latent is {list(latent.shape)}"
        )
    if torch.compiler.is_compiling() or structure.is_meta:
        return
    low, high = (float(x) for x in structure.aminmax())
    if not (low >= -1 and high <= 1):
        raise ValueError(f"structure holds {low:g} to {high:g}, but must lie within -1 to 1")
