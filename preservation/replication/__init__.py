"""Copies works and the log to replica stores and reports how complete each replica is.

`preservation/fixity`, the workers and `web` may import it.
"""
