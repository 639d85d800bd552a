"""DINO against transformers' ViT: the same tensors, renamed, give the same vector."""

from __future__ import annotations

import re

import pytest
import torch
from transformers import ViTConfig, ViTModel

from models.metrics.dino import Dino, load_dino
from models.published import UnfitWeights

WIDTH, DEPTH, HEADS = 64, 2, 4


def transformers_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    names = {
        r"^cls_token": "embeddings.cls_token",
        r"^pos_embed": "embeddings.position_embeddings",
        r"^patch_embed\.proj": "embeddings.patch_embeddings.projection",
        r"^norm\.": "layernorm.",
        r"^blocks": "layers",
        r"\.norm1\.": ".layernorm_before.",
        r"\.norm2\.": ".layernorm_after.",
        r"\.attn\.proj\.": ".attention.o_proj.",
    }
    found = {}
    for name, value in state.items():
        for ours, theirs in names.items():
            name = re.sub(ours, theirs, name)
        parts = zip("qkv", value.chunk(3), strict=True) if ".attn.qkv." in name else [("", value)]
        found |= {name.replace(".attn.qkv.", f".attention.{part}_proj."): each for part, each in parts}
    return found


@pytest.fixture(scope="module")
def dino() -> Dino:
    torch.manual_seed(0)
    network = Dino(WIDTH, DEPTH, HEADS)
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.2)
    return network.eval()


@torch.inference_mode()
def test_it_is_transformers_vit(dino: Dino) -> None:
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS}
    theirs = ViTModel(ViTConfig(**sizes, intermediate_size=4 * WIDTH, layer_norm_eps=1e-6), add_pooling_layer=False)
    theirs.load_state_dict(transformers_state(dino.state_dict()))
    pictures = torch.randn(2, 3, 224, 224)
    expected = theirs.eval()(pictures).last_hidden_state[:, 0]
    assert expected.std() > 0.1
    torch.testing.assert_close(dino(pictures), expected, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_positions_of_other_sizes_are_resized(dino: Dino) -> None:
    """Of 14×28 patches each place of the table comes about twice along the width, and the rows stay almost as they are;
    pixels that fill no patch are not seen."""
    table = dino.pos_embed[0, 1:].unflatten(0, (14, 14))
    wide = dino._positions(14, 28)[0].unflatten(0, (14, 28))
    pairs = (wide[:, 0::2] + wide[:, 1::2]) / 2
    assert torch.corrcoef(torch.stack([pairs.flatten(), table.flatten()]))[0, 1] > 0.95
    pictures = torch.randn(1, 3, 224, 460)
    assert dino(pictures).shape == (1, WIDTH)
    cut = dino(pictures[..., :448])
    assert torch.equal(dino(pictures), cut)


def test_another_networks_weights_are_refused(dino: Dino) -> None:
    with pytest.raises(UnfitWeights, match="not DINO's ViT-B/16"):
        load_dino(dino.state_dict())
