"""Object stores: a folder, S3 or memory, behind the `ObjectStore` protocol.

Owns reading, writing, listing and deleting objects by key, the translation of storage errors into domain errors,
and the lock files and liveness marks of processes.
It does not know what an object means. Any package may import it.
"""
