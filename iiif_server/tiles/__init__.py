"""Reads the bytes of tiles from the store, verifies them and caches them.

The image service reads pyramids by it alone. `image` may import it; it imports `pyramid` only.
"""
