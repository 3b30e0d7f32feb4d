"""Checks IIIF Presentation 3.0 documents against the requirements that a JSON schema cannot express.

Every module is pure and needs no data folder. `web/cli` and `presentation` may import it; it imports neither.
"""
