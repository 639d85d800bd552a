from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models.video import swin3d_t

from models.dover import DoverConfig, TechnicalBranch, UnfitWeights, load_technical
from models.dover.attention import WindowAttention
from models.dover.backbone import Backbone
from models.dover.windows import Windowing, cells_apart, seam_mask

SMALL = DoverConfig(width=6, depths=(2, 1), heads=(1, 2), gated_stages=1, head_width=4)


def torchvisions_name(name: str) -> str:
    """Torchvision puts stages and downsampling in one sequence, and numbers the layers of the feed-forward."""
    name = re.sub(r"layers\.(\d)\.blocks", lambda found: f"features.{2 * int(found[1])}", name)
    name = re.sub(r"layers\.(\d)\.downsample", lambda found: f"features.{2 * int(found[1]) + 1}", name)
    return name.replace("mlp.fc1", "mlp.0").replace("mlp.fc2", "mlp.3")


@pytest.fixture(scope="module")
def swins() -> tuple[Backbone, torch.nn.Module]:
    """Ours without fragments and torchvision's, with the same random weights."""
    torch.manual_seed(0)
    ours, theirs = Backbone(DoverConfig(fragments=None)).eval(), swin3d_t(weights=None).eval()
    state = {torchvisions_name(name): value for name, value in ours.state_dict().items()}
    assert all(value.std() > 0.01 for name, value in state.items() if name.endswith("bias_table"))
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["head.weight", "head.bias"], [])
    theirs.head = torch.nn.Identity()
    return ours, theirs


@pytest.mark.costly
@pytest.mark.parametrize("size", [(32, 224, 224), (8, 100, 72), (20, 64, 36)])
def test_without_fragments_it_is_torchvisions_swin(swins: tuple[Backbone, torch.nn.Module], size) -> None:
    """At the size of fragments; with windows that adapt, and with padding on every axis."""
    ours, theirs = swins
    pixels = torch.randn(1, 3, *size)
    with torch.inference_mode():
        features = ours(pixels)
        expected = theirs(pixels)
    assert features.shape[1:4] == (size[0] // 2, *(-(-side // 32) for side in size[1:]))
    assert (features.mean(dim=(1, 2, 3)) - expected).abs().max() <= 1e-5
    assert expected.std() > 0.1


def attention(fragments: int | None = 7) -> WindowAttention:
    torch.manual_seed(1)
    return WindowAttention(6, 2, (8, 7, 7), fragments)


def same_tables(layer: WindowAttention) -> WindowAttention:
    layer.fragment_position_bias_table.data.copy_(layer.relative_position_bias_table)
    return layer


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("tokens", [(16, 56, 56), (16, 14, 14), (4, 28, 28)])
def test_equal_tables_are_no_gate(tokens, shifted: bool) -> None:
    windows = Windowing.of(tokens, (8, 7, 7), shifted)
    gated, plain = same_tables(attention()), attention(None)
    plain.load_state_dict(gated.state_dict(), strict=False)
    difference = gated.bias(windows) - plain.bias(windows)
    assert difference.abs().max() < 1e-6


@pytest.mark.costly
@pytest.mark.parametrize("shifted", [False, True])
def test_pairs_of_one_fragment_read_one_table_and_neighbours_the_other(shifted: bool) -> None:
    windows = Windowing.of((16, 56, 56), (8, 7, 7), shifted)
    apart = cells_apart(windows, 7)
    before = attention()
    after = attention()
    after.relative_position_bias_table.data += 1
    moved = (after.bias(windows) - before.bias(windows))[:, 0]
    torch.testing.assert_close(moved, apart, atol=1e-4, rtol=0)
    after.relative_position_bias_table.data -= 1
    after.fragment_position_bias_table.data += 1
    moved = (after.bias(windows) - before.bias(windows))[:, 0]
    torch.testing.assert_close(moved, 1 - apart, atol=1e-4, rtol=0)
    mask = seam_mask(windows)
    seen = apart if mask is None else apart[mask == 0]
    assert set(seen.unique().tolist()) == {0, 1, 2}  # tokens seven cells apart meet at the seam, and are masked there


def test_cells_apart_by_hand() -> None:
    """A cell of 56 tokens' grid is 8×8, so the first window of 7×7 lies in the first cell and the second in two."""
    windows = Windowing.of((8, 56, 56), (8, 7, 7), False)
    apart = cells_apart(windows, 7)
    assert apart.shape == (64, 392, 392)
    assert apart[0].max() == 0
    row = apart[1, 0, :7].tolist()  # of columns 7 to 13, to column 7
    assert row == [0, 1, 1, 1, 1, 1, 1]
    assert torch.equal(apart[1, 0, :49], apart[1, 0, 49:98])  # the same place in the next frame
    last = cells_apart(Windowing.of((8, 7, 7), (8, 7, 7), True), 7)
    assert last[0, 0, 48] == 12  # where every token is a fragment: six rows and six columns
    assert last.max() == 12


@pytest.mark.parametrize("shifted", [False, True])
def test_cutting_up_can_be_undone(shifted: bool) -> None:
    grid = torch.randn(2, 9, 16, 11, 5)
    windows = Windowing.of((9, 16, 11), (8, 7, 7), shifted)
    pieces = windows.cut(grid)
    assert pieces.shape == (2, 2 * 3 * 2, 392, 5)
    assert torch.equal(windows.join(pieces, (9, 16, 11)), grid)


def test_only_neighbours_see_each_other_across_the_shift() -> None:
    windows = Windowing.of((4, 14, 14), (8, 7, 7), True)
    assert (windows.size, windows.shift) == ((4, 7, 7), (0, 3, 3))
    mask = seam_mask(windows)
    assert mask is not None
    hidden = (mask != 0).flatten(1).sum(1)
    assert hidden[0] == 0
    assert (hidden[1:] > 0).all()
    assert seam_mask(Windowing.of((4, 7, 7), (8, 7, 7), True)) is None


def published_state(branch: TechnicalBranch) -> dict[str, Tensor]:
    """As `DOVER.pth` has it: the aesthetic branch lies beside."""
    other = {"aesthetic_backbone.norm.weight": torch.ones(768), "aesthetic_head.fc_last.bias": torch.zeros(1)}
    return {**other, **branch.state_dict()}


def test_the_full_size_has_the_published_names_and_shapes() -> None:
    state = TechnicalBranch().state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    block = "technical_backbone.layers.2.blocks.5"
    assert shapes["technical_backbone.patch_embed.proj.weight"] == (96, 3, 2, 4, 4)
    assert shapes[f"{block}.attn.relative_position_bias_table"] == (15 * 13 * 13, 12)
    assert shapes[f"{block}.attn.fragment_position_bias_table"] == (15 * 13 * 13, 12)
    assert shapes[f"{block}.attn.relative_position_index"] == (392, 392)
    assert shapes[f"{block}.attn.qkv.weight"] == (1152, 384)
    assert shapes[f"{block}.mlp.fc1.weight"] == (1536, 384)
    assert shapes["technical_backbone.layers.0.downsample.reduction.weight"] == (192, 384)
    assert shapes["technical_head.fc_hid.weight"] == (64, 768, 1, 1, 1)
    assert shapes["technical_head.fc_last.weight"] == (1, 64, 1, 1, 1)
    gated = {name.split(".")[2] for name in shapes if "fragment_position" in name}
    assert gated == {"0", "1", "2"}
    assert not any(name.startswith("technical_backbone.layers.3.downsample") for name in shapes)
    parameters = sum(value.numel() for name, value in TechnicalBranch().named_parameters())
    assert 27_500_000 < parameters < 28_500_000


def test_loading_takes_the_technical_part(tmp_path: Path) -> None:
    source, target = TechnicalBranch(SMALL), TechnicalBranch(SMALL)
    torch.save(published_state(source), tmp_path / "DOVER.pth")
    load_technical(target, torch.load(tmp_path / "DOVER.pth", weights_only=True))
    clips = torch.randn(3, 3, 16, 56, 56)
    with torch.no_grad():
        assert target(clips) == source(clips)
        separately = torch.stack([source(clip[None]) for clip in clips]).mean()
    assert source(clips).item() == pytest.approx(separately.item(), abs=1e-6)


def test_unfit_weights_are_listed_all_at_once() -> None:
    branch = TechnicalBranch(SMALL)
    before = {name: value.clone() for name, value in branch.state_dict().items()}
    state = published_state(TechnicalBranch(SMALL))
    del state["technical_head.fc_hid.bias"]
    state["technical_backbone.norm.gain"] = torch.ones(3)
    state["technical_head.fc_last.weight"] = torch.ones(1, 5, 1, 1, 1)
    with pytest.raises(UnfitWeights) as error:
        load_technical(branch, state)
    message = str(error.value)
    assert "1 missing: technical_head.fc_hid.bias" in message
    assert "1 unknown: technical_backbone.norm.gain" in message
    assert "technical_head.fc_last.weight is (1, 5, 1, 1, 1), not (1, 4, 1, 1, 1)" in message
    assert all(torch.equal(value, before[name]) for name, value in branch.state_dict().items())


def test_every_weight_of_the_gate_is_trained() -> None:
    branch = TechnicalBranch(SMALL)
    branch(torch.randn(1, 3, 16, 56, 56)).backward()
    assert [name for name, value in branch.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize(("change", "field"), [({"heads": (1,)}, "heads"), ({"width": 7, "heads": (2, 2)}, "heads")])
def test_impossible_shapes_are_named(change, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        DoverConfig(**{"depths": (1, 1), **change})
