"""Checks that every stored file is what two independent witnesses say: the OCFL inventories and the provenance log.

Owns the repair of stores from each other, the quarantine, the canaries, and the days on which files are due for a
check. `preservation.reporting`, the workers and `web` may import it.
"""
