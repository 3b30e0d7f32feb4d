"""Checks that every stored file is what two independent witnesses say: the OCFL inventories and the provenance log.

The top of `preservation`; the workers and `web` may import it.
"""
