"""DOVER's technical branch (Wu et al. 2023, arXiv 2211.04894): how well a video was filmed and coded, from fragments.

The network is written from the papers and from what is known of the published state dict. What could be compared: its
backbone without fragments equals torchvision's Video Swin-T. What could not: `DOVER.pth` itself, which is not to be had
here, so that no published score has been reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from models.dover.backbone import Backbone
from models.dover.config import DoverConfig
from models.published import load_published

BRANCH = "technical_"
"""How the names of this branch begin in the published state dict, which holds an aesthetic branch as well."""


class Head(nn.Module):
    """Features [B, T, H, W, C] → a score for each position, [B, 1, T, H, W]."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc_hid = nn.Conv3d(width, hidden, 1)
        self.fc_last = nn.Conv3d(hidden, 1, 1)

    def forward(self, x_BTHWC: Tensor) -> Tensor:
        return self.fc_last(F.gelu(self.fc_hid(x_BTHWC.permute(0, 4, 1, 2, 3))))


class TechnicalBranch(nn.Module):
    """Clips of one video → its raw technical score."""

    def __init__(self, config: DoverConfig | None = None) -> None:
        super().__init__()
        config = config or DoverConfig()
        self.technical_backbone = Backbone(config)
        self.technical_head = Head(config.out_width, config.head_width)

    def forward(self, clips: Tensor) -> Tensor:
        """Normalised pixels [clips, 3, T, H, W] → the mean over positions and clips, a scalar; higher is better."""
        return self.technical_head(self.technical_backbone(clips)).mean()


def load_technical(branch: TechnicalBranch, published: Mapping[str, object]) -> None:
    """Take the technical part of a published state dict, all of it and nothing else.

    Names outside the branch (the aesthetic one) are not looked at.

    Raises:
        UnfitWeights: an entry is missing, unknown or of another shape; nothing is loaded then.
    """
    theirs = {name: value for name, value in published.items() if name.startswith(BRANCH)}
    load_published(branch, theirs, of="the technical branch of DOVER")
