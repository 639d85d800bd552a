"""How each kind of model is trained: the objects that a training is composed of, and the programs that compose them."""
