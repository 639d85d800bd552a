"""CLIP (Radford et al. 2021, arXiv 2103.00020): transformers' network with the weights that OpenAI published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from models.published import UnfitWeights, load_published

UNUSED = ("input_resolution", "context_length", "vocab_size")
"""Numbers that the archive holds beside its tensors."""
NAMES = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^text_projection$", "text_projection.weight"),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
"""Patterns of OpenAI's names and what transformers says, one after the other."""
TURNED = ("visual.proj", "text_projection")
"""Matrices that OpenAI multiplies from the right."""
END_OF_TEXT = 49407


@dataclass(frozen=True)
class ClipSizes:
    """Those of ViT-B/32, unless said otherwise."""

    width: int = 768
    depth: int = 12
    patch: int = 32
    embedding: int = 512
    text_width: int = 512
    text_depth: int = 12
    side: int = 224
    vocabulary: int = 49408
    positions: int = 77

    def config(self) -> CLIPConfig:
        """A head is 64 wide."""
        vision = {
            "hidden_size": self.width,
            "intermediate_size": 4 * self.width,
            "num_hidden_layers": self.depth,
            "num_attention_heads": self.width // 64,
            "patch_size": self.patch,
            "image_size": self.side,
            "hidden_act": "quick_gelu",
        }
        text = {
            "hidden_size": self.text_width,
            "intermediate_size": 4 * self.text_width,
            "num_hidden_layers": self.text_depth,
            "num_attention_heads": self.text_width // 64,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.positions,
            "eos_token_id": END_OF_TEXT,
            "hidden_act": "quick_gelu",
        }
        return CLIPConfig(text_config=text, vision_config=vision, projection_dim=self.embedding)


VIT_B_32 = ClipSizes()
VIT_L_14 = ClipSizes(width=1024, depth=24, patch=14, embedding=768, text_width=768)


def load_vit_b_32(published: Mapping[str, object]) -> CLIPModel:
    """Raises UnfitWeights for a state dict of anything else than `ViT-B-32.pt`."""
    return load_clip(published, VIT_B_32, "CLIP ViT-B/32")


def load_vit_l_14(published: Mapping[str, object]) -> CLIPModel:
    """Raises UnfitWeights for a state dict of anything else than `ViT-L-14.pt`."""
    return load_clip(published, VIT_L_14, "CLIP ViT-L/14")


def load_clip(published: Mapping[str, object], sizes: ClipSizes, of: str) -> CLIPModel:
    """The network, both towers, in float32 and evaluation mode, whatever the precision of the file.

    Raises:
        UnfitWeights: it is another network's.
    """
    network = CLIPModel(sizes.config())
    load_published(network, _named(published, of), of)
    return network.eval()


def _named(published: Mapping[str, object], of: str) -> dict[str, object]:
    """Under transformers' names; OpenAI keeps queries, keys and values in one matrix, in this order."""
    found: dict[str, object] = {}
    for name, value in published.items():
        if name in UNUSED:
            continue
        if not isinstance(value, Tensor):
            raise UnfitWeights(f"not {of}: {name} is {type(value).__name__}, not a tensor")
        value = value.float().T.contiguous() if name in TURNED else value.float()
        ours = transformers_name(name)
        if ".attn.in_proj_" in ours:
            for part, each in zip("qkv", value.chunk(3), strict=True):
                found[re.sub(r"\.attn\.in_proj_", f".self_attn.{part}_proj.", ours)] = each
        else:
            found[ours] = value
    return found


def transformers_name(name: str) -> str:
    for pattern, ours in NAMES:
        name = re.sub(pattern, ours, name)
    return name


def of_pictures(network: CLIPModel, pictures: Tensor) -> Tensor:
    """Normalised [B, 3, 224, 224] → [B, embedding], not yet of unit length."""
    pooled = network.vision_model(pixel_values=pictures).pooler_output
    return network.visual_projection(pooled)


def of_texts(network: CLIPModel, ids: Tensor) -> Tensor:
    """Ids [B, 77], filled by zeros → [B, embedding]: what stands at the end of the text, which has the largest id."""
    states = network.text_model(input_ids=ids).last_hidden_state
    return network.text_projection(states[torch.arange(len(ids)), ids.argmax(dim=-1)])
