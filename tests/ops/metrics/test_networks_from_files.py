"""Metrics on networks out of checkpoint files, at full size: the weights are those of the parity cases, or random, so
that the numbers mean nothing, but everything from the file to the value is what a published file goes through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ops import weights
from ops.metrics.base import Value, Video, VideoMetric
from ops.metrics.registry import METRICS
from ops.runtime.files import sha256
from ops.weights.checkpoints import WrongCheckpoint
from ops.weights.registry import ENTRIES, File

ASKED = {
    "object_class": {"object": "dog"},
    "multiple_objects": {"object": "dog and cat"},
    "color": {"color": "red"},
    "spatial_relationship": {"object_a": "dog", "object_b": "cat", "relationship": "on the left of"},
    "scene": {"scene": "beach"},
    "appearance_style": {"appearance_style": "Van Gogh style"},
}


@pytest.fixture
def put(project, monkeypatch: pytest.MonkeyPatch):
    """Write a checkpoint where an entry of the registry has it, and take its hash for the published one's."""

    def written(entry: str, file: str, save) -> None:
        folder = project.weights / entry
        folder.mkdir(parents=True)
        save(folder / file)
        mine = (File(file, sha256(folder / file)),)
        known = tuple(replace(each, files=mine) if each.name == entry else each for each in weights.ENTRIES)
        monkeypatch.setattr(weights, "ENTRIES", known)

    assert weights.ENTRIES == ENTRIES
    return written


@pytest.fixture
def filled(module_at, checkout: Path):
    case = module_at(checkout / "tests" / "parity_cases.py").MetricCase
    return lambda name: case(name).state_dict()


def video(frames: int = 6, side: int = 96) -> Video:
    shown = np.random.default_rng(0).integers(0, 256, (frames, side // 8, side // 8, 3), dtype=np.uint8)
    return Video(shown.repeat(8, 1).repeat(8, 2), "a red dog", fps=8.0, asked=ASKED)


def value_of(project, name: str, shown: Video) -> Value:
    metric = METRICS[name]
    assert isinstance(metric, VideoMetric)
    found = metric.value(metric.start(project), shown)
    assert found.reason is None
    assert {term: type(value) for term, value in found.terms.items()} == dict(metric.terms)
    return found


class Holder(nn.Module):
    """Tensors under names with dots, as a TorchScript archive has them."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        below: dict[str, dict[str, Tensor]] = {}
        for name, value in state.items():
            head, _, rest = name.partition(".")
            if rest:
                below.setdefault(head, {})[rest] = value
            else:
                self.register_buffer(head, value)
        for name, inner in below.items():
            self.add_module(name, Holder(inner))

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.slow
def test_grit_and_its_four_dimensions(project, put, filled) -> None:
    state = {"model": filled("grit_b_full_size")}
    put("grit", "grit_b_densecap_objectdet.pth", lambda path: torch.save(state, path))
    shown = video(frames=1, side=64)
    for name in ("object_class", "multiple_objects", "spatial_relationship"):
        assert value_of(project, name, shown).terms["parts"] == 16
    assert value_of(project, "color", shown).terms["seen"] >= 0


@pytest.mark.slow
def test_tag2text_and_both_scenes(project, put, filled) -> None:
    state = filled("tag2text_full")
    put("tag2text", "tag2text_swin_14m.pth", lambda path: torch.save({"model": state}, path))
    shown = video(frames=1)
    for name in ("scene", "scene_of_each_frame"):
        assert value_of(project, name, shown).terms["parts"] == 16


@pytest.mark.slow
def test_cotracker_and_chscore(project, put, filled) -> None:
    state = filled("cotracker2_full_resolution")
    put("cotracker2", "cotracker2.pth", lambda path: torch.save({"model": state}, path))
    shown = video(frames=6)
    found = {name: value_of(project, name, shown) for name in ("chscore", "chscore_sum")}
    assert found["chscore"].terms == found["chscore_sum"].terms


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "file"), [("clip-b32", "ViT-B-32.pt"), ("clip-l14", "ViT-L-14.pt")])
def test_clip_out_of_its_archive(project, put, module_at, checkout: Path, entry: str, file: str) -> None:
    from models.metrics.clip import VIT_B_32, VIT_L_14

    shapes = module_at(checkout / "tests" / "models" / "metrics" / "test_clip.py").openais_shapes
    torch.manual_seed(0)
    drawn = shapes(VIT_B_32 if entry == "clip-b32" else VIT_L_14).items()
    state = {name: (torch.randn(shape) * 0.02).half() for name, shape in drawn}
    archive = torch.jit.script(Holder(state | {"input_resolution": torch.tensor(224)}))
    put(entry, file, lambda path: torch.jit.save(archive, str(path)))
    if entry == "clip-b32":
        assert 0 <= value_of(project, "background_consistency", video()).value <= 1
        assert -1 <= value_of(project, "appearance_style", video()).value <= 1
    else:
        head = nn.Linear(768, 1).state_dict()
        put("laion-v1", "sa_0_4_vit_l_14_linear.pth", lambda path: torch.save(head, path))
        assert abs(value_of(project, "aesthetic_quality", video()).value) < 1


@pytest.mark.costly
def test_dino_and_subject_consistency(project, put) -> None:
    from models.metrics.dino import Dino

    torch.manual_seed(0)
    state = {name: torch.randn(value.shape) * 0.02 for name, value in Dino().state_dict().items()}
    put("dino", "dino_vitbase16_pretrain.pth", lambda path: torch.save(state, path))
    moving = video(frames=3, side=48)
    frozen = Video(moving.frames[[0, 0, 0]])
    assert value_of(project, "subject_consistency", frozen).value == pytest.approx(1)
    assert 0 <= value_of(project, "subject_consistency", moving).value < 1


def test_a_file_of_code_is_refused(project, put) -> None:
    put("amt", "amt-s.pth", lambda path: torch.save({"state_dict": print}, path))
    metric = METRICS["motion_smoothness"]
    assert isinstance(metric, VideoMetric)
    with pytest.raises(WrongCheckpoint, match=r"(?s)amt-s\.pth is no file of tensors alone.*MCG-NKU/AMT"):
        metric.start(project)
