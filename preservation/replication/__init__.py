"""Copies works and the log to replica stores and reports how complete each replica is.

The top of `preservation`; the workers and `web` may import it.
"""
