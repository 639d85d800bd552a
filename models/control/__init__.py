"""Denoisers that follow more than text."""

from models.control.image_condition import ImageConditionedDenoiser
from models.control.structure import StructureConditionedDenoiser, StructureConfig, StructureController

__all__ = [
    "ImageConditionedDenoiser",
    "StructureConditionedDenoiser",
    "StructureConfig",
    "StructureController",
]
