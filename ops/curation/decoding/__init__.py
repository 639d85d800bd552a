"""From a file to frames and pictures: what is decoded, and what of it is held for how long."""
