"""DINO's ViT-B/16 (Caron et al. 2021, arXiv 2104.14294): a vector for a picture of any size.

At the size of the training it equals transformers' `ViTModel` with the same tensors. At others the positions are
resized as DINO does it: by a factor that is a tenth of a patch too large, against rounding, which shifts them slightly.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, cat, nn, zeros
from torch.nn import functional as F

from models.feed_forward import FeedForward
from models.published import load_published

WIDTH, DEPTH, HEADS, PATCH, CELLS = 768, 12, 12, 16, 14
NORM_EPS = 1e-6


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = FeedForward(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.proj(pictures)


class Dino(nn.Module):
    """Normalised pictures [B, 3, H, W] → [B, width]; what does not fill a patch of 16 pixels is not seen."""

    def __init__(self, width: int = WIDTH, depth: int = DEPTH, heads: int = HEADS) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(zeros(1, 1, width))
        self.pos_embed = nn.Parameter(zeros(1, 1 + CELLS**2, width))
        self.patch_embed = PatchEmbed(width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, pictures: Tensor) -> Tensor:
        patches = self.patch_embed(pictures)
        height, width = patches.shape[-2:]
        tokens = patches.flatten(2).mT + self._positions(height, width)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(pictures), -1, -1)
        x = cat([first, tokens], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]

    def _positions(self, height: int, width: int) -> Tensor:
        table = self.pos_embed[:, 1:]
        if (height, width) == (CELLS, CELLS):
            return table
        square = table.mT.unflatten(2, (CELLS, CELLS))
        factors = ((height + 0.1) / CELLS, (width + 0.1) / CELLS)
        resized = F.interpolate(square, scale_factor=factors, mode="bicubic", align_corners=False)
        return resized.flatten(2).mT


def load_dino(published: Mapping[str, object]) -> Dino:
    """The network of a state dict as `dino_vitbase16_pretrain.pth` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's.
    """
    network = Dino()
    load_published(network, published, of="DINO's ViT-B/16")
    return network.eval()
