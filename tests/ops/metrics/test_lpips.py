from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ops import weights
from ops.metrics.lpips import frame_lpips, load_lpips
from ops.runtime.project import Project


@pytest.fixture
def photograph() -> torch.Tensor:
    """A photograph, 128×128, in [-1, 1]."""
    from PIL import Image

    from ops.weights import _in_package
    from ops.weights.registry import File, InstalledPackage

    path = _in_package(InstalledPackage("scikit-image", "skimage/data"), File("astronaut.png"))
    pixels = np.asarray(Image.open(path).convert("RGB").resize((128, 128)), dtype="float32")
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1


def test_stored_backbones_are_torchvisions(shared_weights) -> None:
    """The first numbers of torchvision's AlexNet and VGG16 (IMAGENET1K_V1), as its state dicts print them."""
    from safetensors.torch import load_file

    alex = load_file(shared_weights / "lpips-alex" / "alexnet.safetensors")["features.0.weight"]
    vgg = load_file(shared_weights / "lpips-vgg" / "vgg16.safetensors")["features.0.weight"]
    torch.testing.assert_close(alex[0, 0, 0, :3], torch.tensor([0.1186, 0.0941, 0.0954]), atol=5e-5, rtol=0)
    torch.testing.assert_close(vgg[0, 0, 0], torch.tensor([-0.5537, 0.1427, 0.5290]), atol=5e-5, rtol=0)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_distance_behaves_like_one(project: Project, photograph: torch.Tensor, net) -> None:
    model = load_lpips(project, net)
    noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))
    slight, strong = (photograph + 0.05 * noise).clamp(-1, 1), (photograph + 0.5 * noise).clamp(-1, 1)
    blurred = F.interpolate(F.avg_pool2d(photograph, 4), scale_factor=4.0, mode="bilinear")
    with torch.no_grad():
        same = model(photograph, photograph)
        distances = [float(model(photograph, other)) for other in (slight, strong, blurred, -photograph)]
        backwards = float(model(blurred, photograph))
    assert same.shape == (1, 1, 1, 1)
    assert float(same) == 0
    assert distances[2] == pytest.approx(backwards, rel=1e-5)
    assert 0 < distances[0] < distances[1]
    assert 0.2 < distances[2] < 0.9
    assert 0.2 < distances[3] < 1.5


def test_frozen_but_passes_gradients_to_images(project: Project, photograph: torch.Tensor) -> None:
    model = load_lpips(project, "alex")
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    image = (photograph * 0.9).requires_grad_()
    model(image, photograph).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_spatial_map_has_the_size_of_the_images(project: Project, photograph: torch.Tensor) -> None:
    with torch.no_grad():
        assert load_lpips(project, "alex", spatial=True)(photograph, -photograph).shape == (1, 1, 128, 128)


def test_of_a_video_with_itself_it_is_zero_and_it_is_symmetric(project: Project) -> None:
    model = load_lpips(project, "alex", spatial=True)
    generator = np.random.default_rng(0)
    x, y = (generator.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8) for _ in range(2))
    assert frame_lpips(model, x, x).tolist() == [0.0, 0.0]
    assert frame_lpips(model, x, y) == pytest.approx(frame_lpips(model, y, x))
    assert (frame_lpips(model, x, y) > 0).all()


def test_missing_backbone_is_an_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SORAFLOW_WEIGHTS")
    with pytest.raises(weights.MissingWeights, match="lpips-alex"):
        load_lpips(project, "alex")
