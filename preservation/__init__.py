"""Keeps preserved bytes unchanged and proves it: OCFL objects, replicas and the provenance log.

`workers` and `web` import it; it imports `repository` only.
"""
