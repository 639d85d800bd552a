"""One step after the other on all ranks: the state of a training, and what changes it."""
