"""Copies works and the log to replica stores and reports how complete each replica is.

The packages above it in `preservation`, the workers and `web` may import it.
"""
