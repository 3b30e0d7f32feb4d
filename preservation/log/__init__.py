"""The provenance log: a C2SP tlog-tiles Merkle tree with signed checkpoints.

Owns everything under `log/` in a store and the signing key. The packages above it in `preservation`, the workers and
`web` may import it; it does not know OCFL.
"""
