"""Curation: a file for each step of the graph; the folders hold what steps share."""
