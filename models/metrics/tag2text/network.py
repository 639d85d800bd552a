"""Tag2Text (Huang et al. 2023, arXiv 2303.05657): tags of a picture, and a sentence that is made of them and of it.

Swin-B is torchvision's. Two of the tag encoder's layers are read in two ways: with 12 heads by the encoder, and with 4,
without their self-attention, for the recognition of tags. The file holds them twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import SwinTransformer

from models.metrics.bert import NORM_EPS, Embeddings, Encoder, causal
from models.metrics.tag2text.beams import BEAMS, Caption, best_caption
from models.published import UnfitWeights, load_published

WIDTH, HEADS, HIDDEN, LAYERS = 768, 12, 3072, 12
VOCABULARY, POSITIONS = 30524, 512
IMAGE_WIDTH, WINDOW = 1024, 12
TAGS = 3429
LIKELY = 0.7
"""The probability above which a tag is one of the picture."""
NEVER = (127, 3265, 3338, 3351, 3355, 3359)
"""Numbers of tags that are left out all the same."""
RECOGNITION_HEADS, RECOGNITION_LAYERS = 4, 2
BEGIN, ENCODE = 30522, 30523
"""The ids with which a caption begins, and the text of tags."""
PROMPT = (BEGIN, 1037, 3861, 1997)
"""'a picture of'."""
TEXT_LENGTH = 40
"""Ids of the text of tags, filled by zeros."""
TWICE = "vision_multi.encoder."
UNUSED = ("tag_encoder.embeddings.position_ids", "text_decoder.bert.embeddings.position_ids", TWICE)
SWIN = (
    (r"patch_embed\.proj\.", "features.0.0."),
    (r"patch_embed\.norm\.", "features.0.2."),
    (r"mlp\.fc1\.", "mlp.0."),
    (r"mlp\.fc2\.", "mlp.3."),
)


class Swin(nn.Module):
    """Normalised pictures [B, 3, 384, 384] → the mean token, and the 144 tokens: [B, 145, 1024]."""

    def __init__(self) -> None:
        super().__init__()
        whole = SwinTransformer([4, 4], 128, [2, 2, 18, 2], [4, 8, 16, 32], [WINDOW, WINDOW], stochastic_depth_prob=0.0)
        self.features, self.norm = whole.features, whole.norm

    def forward(self, pictures: Tensor) -> Tensor:
        tokens = self.norm(self.features(pictures)).flatten(1, 2)
        return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)


class TagEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = Embeddings(VOCABULARY, WIDTH, POSITIONS)
        self.encoder = Encoder(LAYERS, WIDTH, HEADS, HIDDEN, IMAGE_WIDTH)

    def forward(self, ids: Tensor, image: Tensor) -> Tensor:
        """The text of tags [B, 40], its zeros seen by nobody, and image tokens → [B, 40, 768]."""
        x, mask = self.embeddings(ids), (ids != 0)[:, None, None]
        for layer in self.encoder.layer:
            x = layer(x, mask, other=image)
        return x


class Transform(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return self.LayerNorm(F.gelu(self.dense(x)))


class Predictions(nn.Module):
    """Logits by the matrix of word embeddings."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.transform = Transform(width)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        return F.linear(self.transform(x), words, self.bias)


class Heads(nn.Module):
    """Only a place for names."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.predictions = Predictions(width, vocabulary)


class Bert(nn.Module):
    """Only a place for names."""

    def __init__(self, vocabulary: int, width: int, positions: int, layers: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(vocabulary, width, positions)
        self.encoder = Encoder(layers, width, heads, hidden, width)


class TextDecoder(nn.Module):
    """Ids that see those ahead of them, and the states of the tag encoder, those of its filling included."""

    def __init__(
        self,
        vocabulary: int = VOCABULARY,
        width: int = WIDTH,
        positions: int = POSITIONS,
        layers: int = LAYERS,
        heads: int = HEADS,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        self.bert = Bert(vocabulary, width, positions, layers, heads, hidden)
        self.cls = Heads(width, vocabulary)

    def forward(self, ids: Tensor, states: Tensor) -> Tensor:
        """Logits of the id after each of `ids` [B, L]: [B, L, vocabulary]."""
        x, mask = self.bert.embeddings(ids), causal(ids.shape[1], ids.device)
        for layer in self.bert.encoder.layer:
            x = layer(x, mask, other=states)
        return self.cls.predictions(x, self.bert.embeddings.word_embeddings.weight)

    def caption(self, states: Tensor, prompt: tuple[int, ...], end: int) -> Caption:
        """Of one picture's states [N, width]."""
        repeated = states.expand(BEAMS, *states.shape)
        begun = torch.tensor([prompt], device=states.device)
        return best_caption(lambda rows: self(rows, repeated)[:, -1], begun, end)


class PerTag(nn.Module):
    """One logit for each tag, by weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.zeros(1, TAGS, WIDTH))
        self.b = nn.Parameter(torch.zeros(1, TAGS))

    def forward(self, x: Tensor) -> Tensor:
        return (self.W * x).sum(dim=-1) + self.b


class Tag2Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.visual_encoder = Swin()
        self.tag_encoder = TagEncoder()
        self.text_decoder = TextDecoder()
        self.label_embed = nn.Embedding(TAGS, WIDTH)
        self.fc = PerTag()

    def tag_logits(self, image: Tensor) -> Tensor:
        """Image tokens [B, 145, 1024] → [B, 3429]."""
        x = self.label_embed.weight.expand(len(image), TAGS, WIDTH)
        for layer in self.tag_encoder.encoder.first(RECOGNITION_LAYERS):
            x = layer.without_itself(x, image, RECOGNITION_HEADS)
        return self.fc(x)

    @staticmethod
    def tags(logits: Tensor) -> list[list[int]]:
        """Numbers of the tags of each picture."""
        likely = logits.sigmoid() > LIKELY
        likely[:, list(NEVER)] = False
        return [row.nonzero()[:, 0].tolist() for row in likely]


def load_tag2text(published: Mapping[str, object]) -> Tag2Text:
    """The network of a state dict as `tag2text_swin_14m.pth` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's, or what it holds twice is not the same.
    """
    network = Tag2Text()
    ours = network.state_dict()
    indices = {name: value for name, value in ours.items() if name.endswith("relative_position_index")}
    named = {our_name(name): value for name, value in published.items() if not _a_table(name)}
    load_published(network, {**named, **indices}, of="Tag2Text with Swin-B", unused=UNUSED)
    _same_twice(published)
    return network.eval()


def our_name(name: str) -> str:
    """A published name as it is here: torchvision's within Swin."""
    if not name.startswith("visual_encoder."):
        return name
    for pattern, torchvisions in SWIN:
        name = re.sub(pattern, torchvisions, name)
    name = re.sub(r"layers\.(\d)\.blocks\.", lambda found: f"features.{2 * int(found[1]) + 1}.", name)
    return re.sub(r"layers\.(\d)\.downsample\.", lambda found: f"features.{2 * int(found[1]) + 2}.", name)


def _a_table(name: str) -> bool:
    """What follows from the sizes, and what is tied to something else."""
    fixed = name.endswith((".relative_position_index", ".attn_mask"))
    return fixed or name.startswith("text_decoder.cls.predictions.decoder.")


def _same_twice(published: Mapping[str, object]) -> None:
    for name, value in published.items():
        if name.startswith(TWICE):
            other = published.get(name.replace(TWICE, "tag_encoder.encoder."))
            if not (isinstance(value, Tensor) and isinstance(other, Tensor) and torch.equal(value, other)):
                raise UnfitWeights(f"not Tag2Text with Swin-B: {name} differs from the tag encoder's")
