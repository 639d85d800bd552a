"""Intervals, and what they say of two models: numbers in, numbers out."""
