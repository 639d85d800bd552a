"""The kinds of asset that the graph is made of."""
