"""What the Latte denoiser refuses: each error names the argument, what it was and what it must be."""

import pytest
import torch

from models.latte import LatteConfig


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent": torch.zeros(2, 3, 3, 6, 10)}, r"latent has shape .* must be \[B, 4, T, H, W\]"),
        ({"latent": torch.zeros(2, 4, 3, 5, 10)}, r"latent is 5x10, but both sides must be even.*multiples of 16"),
        ({"timestep": torch.tensor([1000, 0])}, r"timestep holds 0 to 1000, but must lie within 0 to 999"),
        ({"timestep": torch.tensor([-1.0, 0.0])}, r"timestep holds -1 to 0"),
        ({"timestep": torch.tensor([float("nan"), 0.0])}, r"timestep holds nan"),
        ({"timestep": torch.tensor(5)}, r"timestep has shape \[\], but must be \[2\]"),
        ({"text": torch.zeros(2, 5, 8)}, r"text has shape .* must be \[2, L, 16\]"),
        ({"text": torch.zeros(2, 0, 16)}, r"text has shape"),
        ({"text": torch.zeros(16)}, r"text has shape \[16\]"),
        ({"images": 2}, r"text has shape .* must be \[2, 3, L, 16\]: captions of the video and each image"),
        ({"images": 3}, r"images is 3, but must be 0 to 2: latent has 3 frames and images"),
        ({"images": -1}, r"images is -1"),
        ({"text_mask": torch.ones(2, 4)}, r"text_mask has shape \[2, 4\], but must be \[2, 5\]"),
        ({"latent_mask": torch.ones(2, 3, 3, 5)}, r"latent_mask has shape .* must be \[2, 3, 6, 10\]"),
    ],
)
def test_input_refused(tiny, change, message):
    arguments = {
        "latent": torch.zeros(2, 4, 3, 6, 10),
        "timestep": torch.tensor([999, 3]),
        "text": torch.zeros(2, 5, 16),
    }
    with pytest.raises(ValueError, match=message):
        tiny()(**(arguments | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 0}, "layers is 0, but must be at least 1"),
        ({"latent_side": 1}, "latent_side is 1, but must be at least 2"),
        ({"heads": 1, "head_width": 6}, "heads · head_width is 6, but must be a multiple of 4"),
    ],
)
def test_configuration_refused(change, message):
    with pytest.raises(ValueError, match=message):
        LatteConfig(**change)
