"""CLIP under OpenAI's names against a plain restatement of its blocks with the same tensors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.metrics.clip import UNUSED, VIT_B_32, VIT_L_14, ClipSizes, load_clip, of_pictures, of_texts
from models.published import UnfitWeights

SMALL = ClipSizes(width=128, depth=2, patch=32, embedding=48, text_width=64, text_depth=2, side=64, vocabulary=99)


def openais_shapes(sizes: ClipSizes) -> dict[str, tuple[int, ...]]:
    width, text, side = sizes.width, sizes.text_width, sizes.side // sizes.patch
    shapes: dict[str, tuple[int, ...]] = {
        "visual.class_embedding": (width,),
        "visual.conv1.weight": (width, 3, sizes.patch, sizes.patch),
        "visual.positional_embedding": (side**2 + 1, width),
        "visual.proj": (width, sizes.embedding),
        "token_embedding.weight": (sizes.vocabulary, text),
        "positional_embedding": (sizes.positions, text),
        "text_projection": (text, sizes.embedding),
        "logit_scale": (),
    }
    norms = {"visual.ln_pre": width, "visual.ln_post": width, "ln_final": text}
    for tower, wide, depth in (("visual.transformer", width, sizes.depth), ("transformer", text, sizes.text_depth)):
        for number in range(depth):
            block = f"{tower}.resblocks.{number}"
            norms |= {f"{block}.ln_1": wide, f"{block}.ln_2": wide}
            shapes |= {f"{block}.attn.in_proj_weight": (3 * wide, wide), f"{block}.attn.in_proj_bias": (3 * wide,)}
            for layer, outwards, inwards in (
                ("attn.out_proj", wide, wide),
                ("mlp.c_fc", 4 * wide, wide),
                ("mlp.c_proj", wide, 4 * wide),
            ):
                shapes |= {f"{block}.{layer}.weight": (outwards, inwards), f"{block}.{layer}.bias": (outwards,)}
    for name, wide in norms.items():
        shapes |= {f"{name}.weight": (wide,), f"{name}.bias": (wide,)}
    return shapes


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    drawn = {name: torch.randn(shape) * 0.3 for name, shape in openais_shapes(SMALL).items()}
    return drawn | {name: torch.tensor(1) for name in UNUSED}


def block(state: dict[str, Tensor], name: str, x: Tensor, causal: bool) -> Tensor:
    def layer(part: str, y: Tensor) -> Tensor:
        return F.linear(y, state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"])

    def norm(part: str, y: Tensor) -> Tensor:
        return F.layer_norm(y, y.shape[-1:], state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"])

    both = F.linear(norm("ln_1", x), state[f"{name}.attn.in_proj_weight"], state[f"{name}.attn.in_proj_bias"])
    query, key, value = (part.unflatten(-1, (-1, 64)).transpose(1, 2) for part in both.chunk(3, dim=-1))
    logits = query @ key.mT / 8
    if causal:
        logits = logits + torch.full(logits.shape[-2:], -torch.inf).triu(1)
    x = x + layer("attn.out_proj", (logits.softmax(-1) @ value).transpose(1, 2).flatten(2))
    hidden = layer("mlp.c_fc", norm("ln_2", x))
    return x + layer("mlp.c_proj", hidden * (1.702 * hidden).sigmoid())


@torch.inference_mode()
def test_pictures_are_seen_as_openais_network_sees_them(state) -> None:
    pictures = torch.randn(2, 3, 64, 64)
    patches = F.conv2d(pictures, state["visual.conv1.weight"], stride=32).flatten(2).mT
    x = torch.cat([state["visual.class_embedding"].expand(2, 1, -1), patches], dim=1)
    x = x + state["visual.positional_embedding"]
    x = F.layer_norm(x, x.shape[-1:], state["visual.ln_pre.weight"], state["visual.ln_pre.bias"])
    for number in range(2):
        x = block(state, f"visual.transformer.resblocks.{number}", x, causal=False)
    x = F.layer_norm(x[:, 0], x.shape[-1:], state["visual.ln_post.weight"], state["visual.ln_post.bias"])
    found = of_pictures(load_clip(state, SMALL, "small CLIP"), pictures)
    torch.testing.assert_close(found, x @ state["visual.proj"], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_texts_are_read_as_openais_network_reads_them(state) -> None:
    ids = torch.zeros(2, 77, dtype=torch.long)
    ids[0, :4], ids[1, :3] = torch.tensor([97, 5, 7, 98]), torch.tensor([97, 3, 98])
    x = state["token_embedding.weight"][ids] + state["positional_embedding"]
    for number in range(2):
        x = block(state, f"transformer.resblocks.{number}", x, causal=True)
    x = F.layer_norm(x, x.shape[-1:], state["ln_final.weight"], state["ln_final.bias"])
    expected = x[[0, 1], [3, 2]] @ state["text_projection"]
    found = of_texts(load_clip(state, SMALL, "small CLIP"), ids)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("sizes", "parameters"), [(VIT_B_32, 151_277_313), (VIT_L_14, 427_616_513)])
def test_the_published_sizes(sizes: ClipSizes, parameters: int) -> None:
    """OpenAI's own counts of its two models."""
    assert sum(torch.Size(shape).numel() for shape in openais_shapes(sizes).values()) == parameters


def test_another_networks_weights_are_refused(state) -> None:
    with pytest.raises(UnfitWeights, match="not CLIP ViT-B/32"), torch.device("meta"):
        load_clip(state, VIT_B_32, "CLIP ViT-B/32")
