"""What a training sees: its samples, their order, each rank's share of them, and batches as objectives take them."""
