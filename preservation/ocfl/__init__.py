"""OCFL 1.1: inventories; objects written, versioned and read; the validation of objects and of whole stores.

Owns everything under `ocfl/` in a store. The packages above it in `preservation`, the workers and `web` may import it;
it does not know the log.
"""
