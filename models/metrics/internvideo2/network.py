"""InternVideo2, second stage (Wang et al. 2024, arXiv 2403.15377): videos and sentences as vectors of unit length."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from models.metrics.bert import Embeddings, Encoder
from models.metrics.internvideo2.config import InternVideo2Config
from models.metrics.internvideo2.video import VideoTower
from models.published import load_published

SHARPNESS = 100.0
"""What cosines are multiplied with before the softmax."""
UNUSED = (
    *(f"vision_encoder.{name}" for name in ("clip_decoder.", "final_clip_decoder.", "clip_pos_embed", "img_pos_embed")),
    *("vision_encoder.clip_img_pos_embed", "text_encoder.cls.", "text_encoder.bert.embeddings.position_ids"),
    *("temp", "itm_head."),
)
"""Beginnings of what the file holds for its training."""


class TextTower(nn.Module):
    """Ids [B, N] and which of them are words → states [B, N, width]."""

    def __init__(self, config: InternVideo2Config) -> None:
        super().__init__()
        width = config.text_width
        self.embeddings = Embeddings(config.vocabulary, width, config.positions, kinds=2)
        self.encoder = Encoder(config.text_layers, width, config.text_heads, config.text_hidden)

    def forward(self, ids: Tensor, words: Tensor) -> Tensor:
        x, mask = self.embeddings(ids), words.bool()[:, None, None]
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return x


class TextEncoder(nn.Module):
    """Only a place for names."""

    def __init__(self, config: InternVideo2Config) -> None:
        super().__init__()
        self.bert = TextTower(config)


class InternVideo2(nn.Module):
    def __init__(self, config: InternVideo2Config | None = None) -> None:
        super().__init__()
        config = config or InternVideo2Config()
        self.vision_encoder = VideoTower(config)
        self.text_encoder = TextEncoder(config)
        self.vision_proj = nn.Linear(config.pooled, config.embedding)
        self.text_proj = nn.Linear(config.text_width, config.embedding)

    def of_videos(self, videos: Tensor) -> Tensor:
        """Normalised [B, 4, 3, 224, 224] → [B, 512]."""
        pooled = self.vision_encoder.clip_projector(self.vision_encoder(videos))
        return F.normalize(self.vision_proj(pooled), dim=-1)

    def of_texts(self, ids: Tensor, words: Tensor) -> Tensor:
        """Ids [B, 40] and 1 where they are of words → [B, 512]."""
        return F.normalize(self.text_proj(self.text_encoder.bert(ids, words)[:, 0]), dim=-1)


def probabilities(videos: Tensor, texts: Tensor) -> Tensor:
    """Of each of the texts [M, C] for each of the videos [B, C]: [B, M]."""
    return (SHARPNESS * videos @ texts.T).softmax(dim=-1)


def load_internvideo2(published: Mapping[str, object], config: InternVideo2Config | None = None) -> InternVideo2:
    """The network of a state dict as `InternVideo2-stage2_1b-224p-f4.pt` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's.
    """
    config = config or InternVideo2Config()
    network = InternVideo2(config)
    fusion = tuple(f"text_encoder.bert.encoder.layer.{number}." for number in range(config.text_layers, 100))
    load_published(network, published, of="InternVideo2 (stage 2, 1 B)", unused=(*UNUSED, *fusion))
    return network.eval()
