"""From a decoded frame to what a person sees of it on a good player: `rendering` makes the pictures."""
