"""The branch for Ascend, run on a CPU against stand-ins of torch_npu that check what they are given."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import ascend, released
from models.dit import DenoiserConfig, SkiparseDenoiser
from models.dit.attention import attend
from models.dit.masks import HIDDEN, PADDED
from models.wfvae import WFVAE, WFVAEConfig
from ops.runtime import device


class Kernels:
    """torch_npu as its documentation has it, and what it was asked for."""

    def __init__(self) -> None:
        self.attended: list[SimpleNamespace] = []
        self.compile_modes: list[bool] = []
        self.npu = SimpleNamespace(set_compile_mode=lambda *, jit_compile: self.compile_modes.append(jit_compile))

    def npu_fusion_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        head_num: int,
        input_layout: str,
        *,
        atten_mask: Tensor | None = None,
        scale: float = 1.0,
        keep_prob: float = 1.0,
    ) -> tuple[Tensor, ...]:
        assert input_layout == "BSH"
        assert keep_prob == 1.0
        for x in (query, key, value):
            assert x.dim() == 3
            assert x.is_contiguous()
            assert x.dtype in (torch.float16, torch.bfloat16)
            assert x.dtype == query.dtype
        batch, queries, width = query.shape
        assert key.shape == value.shape == (batch, key.shape[1], width)
        assert width % head_num == 0
        assert scale == pytest.approx((width / head_num) ** -0.5)
        if atten_mask is not None:
            assert atten_mask.dtype == torch.bool
            assert atten_mask.is_contiguous()
            assert atten_mask.shape in {(batch, heads, queries, key.shape[1]) for heads in (1, head_num)}
        self.attended.append(SimpleNamespace(mask=atten_mask, heads=head_num, dtype=query.dtype))
        q, k, v = (x.unflatten(2, (head_num, -1)).transpose(1, 2).float() for x in (query, key, value))
        scores = q @ k.transpose(2, 3) * scale
        if atten_mask is not None:
            scores = scores.masked_fill(atten_mask, -torch.inf)  # True is hidden
        out = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2).to(query.dtype)
        return out, scores.amax(-1), scores.exp().sum(-1), torch.empty(0), 0, 0, 0


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Kernels:
    """This machine passes for one with Ascend."""
    stand_in = Kernels()
    monkeypatch.setitem(sys.modules, "torch_npu", stand_in)
    monkeypatch.setattr(ascend, "KIND", "cpu")
    return stand_in


def random(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


def biases() -> Iterator[tuple[str, Tensor | None]]:
    yield "none", None
    text = torch.zeros(2, 1, 1, 7)
    text[0, ..., 4:] = HIDDEN
    yield "text", text
    sparse = torch.zeros(2, 4, 1, 7)
    sparse[1, 2:, :, 3:6], sparse[1, 2:, :, 6] = HIDDEN, PADDED
    sparse[0, 1, :, :6], sparse[0, 1, :, 6] = HIDDEN, PADDED  # all of it hidden: padding is what is seen
    sparse[0, 3] = HIDDEN  # and without padding everything is, as softmax has it
    yield "sparse", sparse


@pytest.mark.parametrize(("name", "bias"), biases())
def test_fused_attention_is_torchs_with_the_mask_the_other_way_round(
    name: str, bias: Tensor | None, kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v = random(2, 5, 4, 8), random(2, 7, 4, 8), random(2, 7, 4, 8) + 1
    found = attend(q, k, v, bias)
    (asked,) = kernels.attended
    monkeypatch.setattr(ascend, "KIND", "npu")
    expected = attend(q.float(), k.float(), v.float(), bias)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=2e-2, rtol=2e-2)
    assert (asked.mask is None) == (bias is None)
    if name == "text":
        assert asked.mask[0, 0, 0].tolist() == [False] * 4 + [True] * 3


def test_float32_is_attended_in_bfloat16_and_given_back(kernels: Kernels) -> None:
    q = random(1, 3, 2, 4, dtype=torch.float32)
    assert attend(q, q, q, None).dtype == torch.float32
    assert kernels.attended[0].dtype == torch.bfloat16
    attend(q.half(), q.half(), q.half(), None)
    assert kernels.attended[1].dtype == torch.float16


def test_what_is_computed_in_which_type(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training specification of v1.3.1: 3D convolutions, strided 2D ones and wavelets in float16, norms in float32."""
    seen: dict[str, set[torch.dtype]] = {}

    def watch(name: str) -> None:
        original = getattr(F, name)

        def watched(x: Tensor, *arguments: Any, **named: Any) -> Tensor:
            seen.setdefault(name, set()).add(x.dtype)
            return original(x, *arguments, **named)

        monkeypatch.setattr(F, name, watched)

    for name in ("layer_norm", "group_norm", "conv3d"):
        watch(name)
    vae = vae_of("groupnorm").bfloat16()
    vae.encode(random(1, 3, 5, 32, 32))
    assert seen == {"group_norm": {torch.float32}, "conv3d": {torch.float16}}
    seen.clear()
    vae_of("layernorm").bfloat16().encode(random(1, 3, 5, 32, 32))
    assert seen == {"layer_norm": {torch.float32}, "conv3d": {torch.float16}}


def vae_of(norm: str) -> nn.Module:
    torch.manual_seed(0)
    width = 8 if norm == "layernorm" else 32
    widths = {"base_channels": width, "encoder_flow_channels": width, "decoder_flow_channels": width}
    return WFVAE(WFVAEConfig(**widths, latent_channels=4, norm=norm))


def denoiser() -> nn.Module:
    torch.manual_seed(0)
    model = SkiparseDenoiser(DenoiserConfig(layers=5, heads=2, head_width=12, in_channels=4, text_width=8))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def denoised(model: nn.Module) -> Tensor:
    """Of a latent whose edge is padding, with a text of which half is."""
    latent, text = random(2, 4, 3, 6, 6, dtype=torch.float32), random(2, 8, 8, dtype=torch.float32)
    mask, text_mask = torch.ones(2, 3, 6, 6), torch.ones(2, 8)
    mask[1, :, :, 4:], text_mask[0, 4:] = 0, 0
    return model(latent, torch.tensor([10, 700]), text, text_mask, mask)


def test_a_checkpoint_that_the_branch_has_trained_is_read_without_it(
    kernels: Kernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights in the same type, and the same model of them."""
    model = denoiser()
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    denoised(model).square().mean().backward()
    optimizer.step()
    assert len({asked.heads for asked in kernels.attended}) > 1, "sparse patterns have sub-sequences beside the heads"
    assert any(asked.mask is not None for asked in kernels.attended)
    with torch.no_grad():
        here = denoised(model)
    released.save_pretrained(model, tmp_path)
    monkeypatch.setattr(ascend, "KIND", "npu")
    monkeypatch.delitem(sys.modules, "torch_npu")
    read = released.from_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor)
        assert tensor.dtype == torch.float32
    assert any(not torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    with torch.no_grad():
        there = denoised(read)
    assert (here - there).norm() / there.norm() < 2e-2


@pytest.mark.parametrize("norm", ["layernorm", "groupnorm"])
def test_a_vae_gives_what_it_gives_elsewhere_and_keeps_its_weights(
    norm: str, kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae, video = vae_of(norm), random(1, 3, 5, 32, 32, dtype=torch.float32)
    before = copy.deepcopy(vae.state_dict())
    with torch.no_grad():
        here = vae.decode(vae.encode(video).mean)
        assert kernels.attended
        monkeypatch.setattr(ascend, "KIND", "npu")
        there = vae.decode(vae.encode(video).mean)
    assert here.dtype == torch.float32
    assert (here - there).norm() / there.norm() < 5e-2
    assert all(torch.equal(before[name], tensor) for name, tensor in vae.state_dict().items())


def test_a_process_is_prepared_once_it_has_its_device(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ascend, "KIND", "npu")
    monkeypatch.setattr(device, "available", lambda: ("npu", "cpu"))
    monkeypatch.setattr(torch, "device", lambda name, index=None: (name, index))
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device.accelerator("npu") == ("npu", 3)
    assert kernels.compile_modes == [False]


def test_the_environment_is_the_publishers_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ascend.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HCCL_CONNECT_TIMEOUT", "600")
    found = device.accelerator_environment("npu")
    assert found["HCCL_CONNECT_TIMEOUT"] == "600"
    assert found["PYTORCH_NPU_ALLOC_CONF"] == "expandable_segments:True"
    assert found["DS_ACCELERATOR"] == "npu"
    assert found["TORCH_DEVICE_BACKEND_AUTOLOAD"] == "1"
    assert not ascend.ENVIRONMENT.keys() & device.accelerator_environment("cuda").keys()
    assert device.widest_float(torch.device("cpu")) == torch.float64
