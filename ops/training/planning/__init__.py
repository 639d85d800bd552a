"""What a training will need, before it is begun: bytes of a rank, floating point operations, days."""
