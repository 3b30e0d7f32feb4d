"""Reads preservation masters: formats, decoding in a sandbox, digests and pyramids.

The lowest layer of `workers`: it knows neither deposits nor jobs. `deposit` and
`tasks` import it.
"""
