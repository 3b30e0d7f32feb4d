"""Keeps preserved bytes unchanged and proves it: OCFL objects, replicas, fixity checks and the provenance log.

`workers` and `web` import it; it imports `repository` only.
"""
