"""What differs on Ascend, all of it: the types that kernels compute in, fused attention, environment, compilation.

The rules are those of Open-Sora Plan v1.3.1 (`opensora/npu_config.py` and the scripts of its trainings). They change
how something is computed and never what is kept: weights stay in the type that they have, so that a checkpoint knows
nothing of the device. docs/ascend.md explains them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KIND = "npu"
"""What torch calls the device."""
ENVIRONMENT = {
    "HCCL_CONNECT_TIMEOUT": "1800",  # seconds; waiting for the slowest node of a big job takes longer than the default
    "HCCL_EXEC_TIMEOUT": "1800",  # and so does a rank that writes or validates longer than the others
    "HCCL_OP_BASE_FFTS_MODE_ENABLE": "TRUE",
    "MULTI_STREAM_MEMORY_REUSE": "1",
    "PYTORCH_NPU_ALLOC_CONF": "expandable_segments:True",
    "TASK_QUEUE_ENABLE": "0",
}
"""Set before torch is imported, where the user has not set them otherwise."""
SEES = 10.0
"""A key is hidden from a query that sees another by so much more: its share would be under e⁻¹⁰. The biases of a model
are 0 where a key is seen and near minus 10 000 where it is not, and what is padding lies 20 above what is hidden."""


def is_here(x: Tensor) -> bool:
    """Whether a tensor lies on such a device."""
    return x.device.type == KIND


def prepare() -> None:
    """Once a process: kernels that come with CANN instead of a compilation for each shape."""
    import torch_npu

    torch_npu.npu.set_compile_mode(jit_compile=False)


def widest_float() -> torch.dtype:
    """There is no float64."""
    import torch

    return torch.float32


def in_half(function: Callable[..., Tensor], x: Tensor, *others: Tensor | None) -> Tensor:
    """`function(x, *others)`; here in float16 whatever they are in, and given back in the type of `x`.

    Of 3D convolutions, of the VAE's strided 2D ones and of its wavelets.
    """
    import torch

    return _computed_in(torch.float16, function, x, *others)


def in_single(function: Callable[..., Tensor], x: Tensor, *others: Tensor | None) -> Tensor:
    """The same in float32. Of normalisations."""
    import torch

    return _computed_in(torch.float32, function, x, *others)


def _computed_in(dtype: torch.dtype, function: Callable[..., Tensor], x: Tensor, *others: Tensor | None) -> Tensor:
    if not is_here(x):
        return function(x, *others)
    return function(x.to(dtype), *(None if other is None else other.to(dtype) for other in others)).to(x.dtype)


def attend(q_BSHE: Tensor, k_BLHE: Tensor, v_BLHE: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention [B, S, H, E] by CANN's fused kernel, in the type of the queries, float32 in bfloat16.

    `bias`, broadcastable to [B, H, S, L], says only what is seen: 0 or far below. The kernel takes a mask in its place,
    of which True is *hidden*, the opposite of torch's.
    """
    import torch
    import torch_npu

    batch, queries, heads, width = q_BSHE.shape
    dtype = torch.bfloat16 if q_BSHE.dtype == torch.float32 else q_BSHE.dtype
    mask = None if bias is None else hidden(bias).expand(batch, -1, queries, k_BLHE.shape[1]).contiguous()
    attended, *_ = torch_npu.npu_fusion_attention(
        *(x.flatten(2).to(dtype).contiguous() for x in (q_BSHE, k_BLHE, v_BLHE)),
        heads,
        input_layout="BSH",
        atten_mask=mask,
        scale=width**-0.5,
    )
    return attended.unflatten(2, (heads, width)).to(q_BSHE.dtype)


def hidden(bias: Tensor) -> Tensor:
    """True for keys that a bias hides from a query, of which the most visible key is never one: where all are hidden
    alike, softmax sees all alike."""
    return bias < bias.amax(dim=-1, keepdim=True) - SEES
