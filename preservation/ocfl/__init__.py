"""OCFL 1.1 objects: inventories, versions, reading and validation.

Owns everything under `ocfl/` in a store. `replication` and the workers may import it; it does not know the log.
"""
