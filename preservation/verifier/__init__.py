"""The stand-alone verifier of evidence files, `verify.py`, which every evidence archive holds.

Owns a second implementation of what it verifies: it shares no code with the rest, so that a fault of one is not a fault
of both, and needs Python's standard library and `cryptography` alone. `preservation.log` and tests may import it; it
may import nothing of the project.
"""
