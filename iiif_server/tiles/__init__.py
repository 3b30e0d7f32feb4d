"""Reads the bytes of tiles from the store, verifies them and caches them.

The only code that reads a pyramid while serving. `render` and `image` may import it; it imports `pyramid` only.
"""
