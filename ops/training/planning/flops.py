"""Model FLOPs: what the products of a training's forward and backward passes amount to, one multiplication with its
addition counting two.

They are those of the mathematics, whatever is computed twice to save memory: neither gradient checkpointing nor the
attention scores that flash attention makes again in the backward pass count (as in PaLM, arXiv 2204.02311, appendix B).
MFU is model FLOPs / (seconds · ranks · peak).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.adapters import TARGETS
from models.control.image_condition import MASK_CHANNELS
from models.dit.block import WIDENING
from models.dit.embeddings import FREQUENCIES
from models.dit.skiparse import Pattern, layer_pattern, padding
from models.geometry import PATCH
from ops.config import Lora
from ops.training.planning.cases import DenoiserCase


def denoiser_flops(case: DenoiserCase) -> int:
    """Of the forward and backward passes of all samples of a case, over all ranks that compute them.

    S: latent tokens · L: text tokens · D: width. A block's projections take 8SD² (self) and 4SD² + 4LD² (cross), its
    feed-forward part 16SD², its attentions 4SKD and 4SLD, with K the keys that a query sees: S, or of the padded
    sequence one in `sparse_ratio`. The backward pass of a product is two products, of which the first layer of patches
    and of text needs one.

    Where adapters are trained, a product with a frozen weight has one in the backward pass, and none where nothing
    behind it is trained: there of patches, text and timesteps. Adapters of rank r take 2Tr·(in + out) for T tokens.
    """
    model, s, text = case.model, case.tokens, case.text_tokens
    d, k = model.heads * model.head_width, model.sparse_ratio
    patches = PATCH * PATCH * case.channels
    if case.architecture == "latte":
        return _latte_flops(case, s, d, patches)
    first = 2 * d * (s * patches + text * case.text_width + FREQUENCIES)
    further = 2 * d * d * (text + 1 + 6) + 2 * s * d * patches
    if case.conditioned:
        first += 2 * d * s * (patches + PATCH * PATCH * MASK_CHANNELS)
        further += 2 * 2 * s * d * d
    scores = 0
    for layer in range(model.layers):
        dense = layer_pattern(layer, model.layers, k) is Pattern.DENSE
        queries = s if dense else s + padding(s, k)
        scores += 4 * d * (queries * (queries if dense else queries // k) + s * text)
        further += (8 + 4 + 4 * WIDENING) * s * d * d + 4 * text * d * d
    if case.lora:
        before = first + 2 * d * d * (text + 1 + 6)
        frozen = 2 * (further - before + first) - model.layers * 4 * text * d * d
        return case.samples * (before + frozen + 3 * (scores + model.layers * _adapter_flops(case.lora, s, text, d)))
    return case.samples * (2 * first + 3 * (further + scores))


def _latte_flops(case: DenoiserCase, s: int, d: int, patches: int) -> int:
    """F: frames and images · N: tokens of one · T: frames of the video. A spatial block takes 8SD² and 4SND within
    frames, 4SD² + 4LD² for each caption and 4SLD across, a temporal one 8TND² and 4TNTD; each 16D² a token in its
    feed-forward part. The last layer gives the variance as well."""
    frames, captions = case.latent[0], 1 + case.images
    n, t, text = s // frames, frames - case.images, case.text_tokens
    first = 2 * d * (s * patches + captions * text * case.text_width + FREQUENCIES)
    further = 2 * d * d * (captions * text + 1 + 6) + 2 * s * d * 2 * patches
    products = (12 + 4 * WIDENING) * s * d * d + (8 + 4 * WIDENING) * t * n * d * d
    of_text, scores = 4 * captions * text * d * d, 4 * d * (s * (n + text) + t * n * t)
    layers = case.model.layers
    if case.lora:
        before, last = first + 2 * d * d * (captions * text + 1 + 6), 2 * s * d * 2 * patches
        frozen = 2 * (last + layers * products) + layers * of_text
        learned = _adapter_flops(case.lora, s, captions * text, d) + _adapter_flops(case.lora, t * n, None, d)
        return case.samples * (before + frozen + 3 * layers * (scores + learned))
    return case.samples * (2 * first + 3 * (further + layers * (products + of_text + scores)))


def _adapter_flops(lora: Lora, s: int, text: int | None, d: int) -> int:
    """Of one block, forward; `text` is None where it does not attend to any."""
    square, wide = 2 * lora.rank * 2 * d, 2 * lora.rank * (1 + WIDENING) * d
    of_part = {
        "self_attention": 4 * s * square,
        "cross_attention": 0 if text is None else (2 * s + 2 * text) * square,
        "feed_forward": 2 * s * wide,
    }
    return sum(of_part[part] for part in {part for target in lora.targets for part in TARGETS[target]})


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object) -> int:
    """Scores, and what they weigh: shapes [B, H, S, E], [B, H, L, E]."""
    b, h, s, e = query
    return 2 * b * h * s * key[2] * (e + value[3])


def _attention_backward(
    _gradient: Sequence[int], query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object
) -> int:
    return 2 * _attention(query, key, value)


def counter() -> FlopCounterMode:
    """Counts the model FLOPs of what runs inside it, on tensors with or without content, on the CPU."""
    aten = torch.ops.aten
    return FlopCounterMode(
        display=False,
        custom_mapping={
            aten._scaled_dot_product_flash_attention_for_cpu: _attention,
            aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
        },
    )
