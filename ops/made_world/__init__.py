"""A made world: clips of coloured shapes that move, whose truth is known and can be read off a video again.

Curation, training and evaluation are shown on it before they are believed: what was asked for is either there or not.
"""
