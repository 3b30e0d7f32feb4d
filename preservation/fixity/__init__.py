"""Checks that every stored file is what two independent witnesses say: the OCFL inventories and the provenance log.

It also says when files are due for a check. The top of `preservation`; the workers and `web` may import it.
"""
