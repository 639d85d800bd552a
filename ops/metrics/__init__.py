"""Metrics: a file for each, and an entry in the registry. What is scored with them is in `ops.evaluation`."""
