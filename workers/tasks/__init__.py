"""The kinds of jobs: ingest, publish, replicate and pyramid repair.

Each task is idempotent. `service` and `maintenance` import it.
"""
