"""The ground: what is held, where it lies and who may see it."""
