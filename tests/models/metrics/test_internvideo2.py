from __future__ import annotations

import pytest
import torch

from models.metrics.internvideo2 import InternVideo2, InternVideo2Config, load_internvideo2
from models.metrics.internvideo2.network import UNUSED, probabilities

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def small(metric_case) -> InternVideo2Config:
    sizes = metric_case("internvideo2_small").facts["config"]
    vision, text = sizes["vision"], sizes["text"]
    return InternVideo2Config(
        width=vision["embed_dim"],
        depth=vision["depth"],
        heads=vision["num_heads"],
        hidden=int(vision["embed_dim"] * vision["mlp_ratio"]),
        pooling_heads=vision["attn_pool_num_heads"],
        pooled=vision["clip_embed_dim"],
        side=vision["img_size"],
        frames=vision["num_frames"],
        text_width=text["hidden"],
        text_layers=text["fusion"],
        text_heads=text["heads"],
        text_hidden=text["inter"],
        vocabulary=text["vocab"],
        positions=text["maxpos"],
        embedding=sizes["embed"],
    )


@torch.inference_mode()
def test_both_towers_are_the_published_ones(metric_case, normal, small) -> None:
    case = metric_case("internvideo2_small")
    network = load_internvideo2(case.state_dict(), small)
    rule = case.facts["input"]
    video = normal(rule["seed"], tuple(rule["shape"]))
    ids, words = torch.tensor(case.facts["token_ids"]), torch.tensor(case.facts["token_mask"])
    tokens = network.vision_encoder(video)
    case.agree(tokens[:, ::3], "tokens.sample", TOLERANCE)
    case.agree(network.vision_encoder.clip_projector(tokens), "pooled", TOLERANCE)
    case.agree(network.text_encoder.bert(ids, words), "text_tokens", TOLERANCE)
    videos, texts = network.of_videos(video), network.of_texts(ids, words)
    case.agree(videos, "video", TOLERANCE)
    case.agree(texts, "text", TOLERANCE)
    case.agree(probabilities(videos, texts), "probabilities", TOLERANCE)


def test_every_published_name_has_its_place(shapes_of) -> None:
    with torch.device("meta"):
        ours = {name: list(value.shape) for name, value in InternVideo2().state_dict().items()}
    fusion = tuple(f"text_encoder.bert.encoder.layer.{number}." for number in range(19, 24))
    theirs = shapes_of("internvideo2_full_state_dict.json")
    assert ours == {name: shape for name, shape in theirs.items() if not name.startswith((*UNUSED, *fusion))}
