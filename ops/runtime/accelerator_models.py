"""What accelerators can do by their data sheets: the numbers that a plan counts with when the hardware is not at hand.

Peaks are of dense products in bf16, in 10¹² floating point operations a second; data sheets often print twice that,
for matrices half of which is zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ModelName = Literal["a100-40gb", "a100-80gb", "h100", "h200", "ascend-910b"]


@dataclass(frozen=True)
class AcceleratorModel:
    tflops: float
    memory_gib: float
    source: str


MODELS: dict[ModelName, AcceleratorModel] = {
    "a100-40gb": AcceleratorModel(312, 40, "NVIDIA A100 data sheet"),
    "a100-80gb": AcceleratorModel(312, 80, "NVIDIA A100 data sheet"),
    "h100": AcceleratorModel(989, 80, "NVIDIA H100 data sheet, SXM5"),
    "h200": AcceleratorModel(989, 141, "NVIDIA H200 data sheet, SXM"),
    # No data sheet is public. The paper's figure is of one die of a 910C, which is the most that a 910B reaches.
    "ascend-910b": AcceleratorModel(376, 64, "arXiv 2506.12708, one die of a 910C"),
}
