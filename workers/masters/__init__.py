"""Reads preservation masters: formats, decoding in a sandbox, digests and pyramids.

The lowest layer of `workers`: it knows neither deposits nor jobs. All other packages of `workers` may import it; the
processes that serve never do.
"""
