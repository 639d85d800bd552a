"""What the frozen encoders make of the training set: kept on disk, or made on the way."""

from __future__ import annotations

from typing import Literal

from ops.config.section import Positive, Section

Mode = Literal["cached", "online"]
Precision = Literal["float32", "bfloat16"]


class Latents(Section):
    """Posteriors of the samples. `cached` encodes each once and keeps it; `online` keeps the VAE beside the denoiser
    and encodes what a step takes. The documents say in bytes when which pays (docs/clusters.md)."""

    mode: Mode = "cached"
    encoder_dtype: Precision = "float32"
    """What the VAE computes in."""
    stored_dtype: Precision = "float32"
    """Of the files of `cached`; bfloat16 takes half, and keeps 8 bits of a number's 24."""
    measured_samples: Positive = 1024
    """Of the training split, from which `online` measures the shift and scale of the channels; `cached` takes all."""
    redraw_windows: bool = True
    """With `online` each epoch draws other windows of its clips, as many as the training set names. `cached` keeps
    those."""


class TextEmbeddings(Section):
    """Hidden states of the captions, `cached` or `online` in the same sense."""

    mode: Mode = "cached"
    encoder_dtype: Precision = "float32"
    """What the text encoder computes in."""
    stored_dtype: Precision = "float32"
    """Of the files of `cached`."""
