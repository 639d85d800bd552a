"""Captions: who writes them, what they are asked, how their words are tidied, and what training adds to them."""
