"""Denoisers that follow more than text."""

from models.control.image_condition import ImageConditionedDenoiser

__all__ = ["ImageConditionedDenoiser"]
