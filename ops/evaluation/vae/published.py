"""Rows of published tables, quoted: nothing of them was measured here.

Open-Sora Plan (arXiv 2412.00131), Tables 6 and 7, and WF-VAE (arXiv 2411.17459). What they print as rFVD is the mean of
squared distances of pairs (`rfvd_pairwise`), not a distance of sets. Metrics compare MP4 files that were coded with
loss, originals as well; ours compare frames.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quoted:
    model: str
    psnr: float
    lpips: float
    rfvd_pairwise: float
    ssim: float | None = None
    videos_per_second: float | None = None
    """Encoding 33 frames of 512x512 in float32 on an H100, as `memory_gib`."""
    memory_gib: float | None = None


WEBVID = (
    Quoted("CV-VAE (4)", 30.76, 0.0803, 369.23, videos_per_second=1.85, memory_gib=25.00),
    Quoted("OD-VAE (4)", 30.69, 0.0553, 255.92, videos_per_second=2.63, memory_gib=31.19),
    Quoted("Allegro (4), 32 frames", 32.18, 0.0524, 209.68, videos_per_second=0.71, memory_gib=54.35),
    Quoted("WF-VAE-S (4)", 31.39, 0.0517, 188.04, videos_per_second=11.11, memory_gib=4.70),
    Quoted("WF-VAE-L (4)", 32.32, 0.0513, 186.00, videos_per_second=5.55, memory_gib=7.00),
    Quoted("CogVideoX (16)", 35.76, 0.0277, 59.83, videos_per_second=1.02, memory_gib=35.01),
    Quoted("WF-VAE-L (16)", 35.79, 0.0230, 54.36, videos_per_second=5.55, memory_gib=7.00),
)
"""Table 6: WebVid-10M's validation, 33 frames of 256x256. In brackets the channels of the latent."""
PANDA = (
    Quoted("OD-VAE (4)", 30.31, 0.0439, 191.23, 0.8935),
    Quoted("Allegro (4)", 31.70, 0.0421, 172.72, 0.9158),
    Quoted("WF-VAE-S (4)", 31.27, 0.0420, 146.91, 0.9025),
    Quoted("WF-VAE-L (4)", 32.10, 0.0411, 146.24, 0.9142),
    Quoted("CogVideoX (16)", 35.79, 0.0198, 43.23, 0.9527),
    Quoted("WF-VAE-L (16)", 35.87, 0.0175, 39.40, 0.9538),
)
"""The same of Panda-70M's validation."""


@dataclass(frozen=True)
class QuotedBlockwise:
    """PSNR and LPIPS, at once and block by block."""

    model: str
    direct: tuple[float, float]
    blockwise: tuple[float, float]


BLOCKWISE = (
    QuotedBlockwise("OD-VAE (4)", (30.31, 0.0439), (28.51, 0.0552)),
    QuotedBlockwise("CogVideoX (16)", (35.79, 0.0198), (35.41, 0.0218)),
    QuotedBlockwise("WF-VAE-L (4)", (32.10, 0.0411), (32.10, 0.0411)),
    QuotedBlockwise("WF-VAE-L (16)", (35.87, 0.0175), (35.87, 0.0175)),
)
"""Table 7: Panda-70M."""
