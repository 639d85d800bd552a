"""The losses of a video VAE (WF-VAE, arXiv 2411.17459; v1.1 has the same but for wavelets), as they are summed there.

Sums run over pixels and are divided by frames (reconstruction) or samples (KL, wavelet), so the weights of the
published recipes carry over. Shapes: video [B, 3, T, H, W], images [N, 3, H, W] with N = B · T.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


def frames_of(video: Tensor) -> Tensor:
    """[B, 3, T, H, W] → [B·T, 3, H, W]."""
    return video.transpose(1, 2).flatten(0, 1)


def reconstruction(video: Tensor, output: Tensor) -> Tensor:
    """Σ|x − x̂| over a frame's pixels and colours, mean over frames."""
    return (video - output).abs().sum() / (video.shape[0] * video.shape[2])


def squared(video: Tensor, output: Tensor) -> Tensor:
    """Σ(x − x̂)² over a frame's pixels and colours, mean over frames. The published loss has no such term.

    What |x − x̂| asks for is a median: of a small thing that may be anywhere that is the background, and a short
    training stays there. A square pulls hardest where the error is largest, which is the thing.
    """
    return (video - output).square().sum() / (video.shape[0] * video.shape[2])


def perceptual(lpips: nn.Module, video: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """The mean LPIPS of a frame, and what it adds to the loss at weight 1.

    The published code adds one LPIPS value to each pixel's error before summing, so it counts 3·H·W times.
    """
    mean = lpips(frames_of(video), frames_of(output)).mean()
    return mean, mean * 3 * video.shape[-2] * video.shape[-1]


def wavelet(encoded: Sequence[Tensor], decoded: Sequence[Tensor]) -> Tensor:
    """Σ|w − ŵ| over the coefficients of both levels, mean over samples."""
    batch = encoded[0].shape[0]
    return torch.stack([(w - v).abs().sum() for w, v in zip(encoded, decoded, strict=True)]).sum() / batch


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """The critic's loss from its logits of real and reconstructed clips."""
    return 0.5 * (relu(1 - real).mean() + relu(1 + fake).mean())


def adaptive_weight(
    reconstruction_gradient: Tensor, adversarial_gradient: Tensor, delta: float, limit: float
) -> Tensor:
    """λ = ‖∂rec/∂L‖ / (‖∂adv/∂L‖ + δ), up to a limit; L is the decoder's last layer."""
    ratio: Tensor = reconstruction_gradient.norm() / (adversarial_gradient.norm() + delta)
    return ratio.clamp(0, limit).detach()
