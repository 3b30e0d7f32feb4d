"""The tasks of all kinds of jobs: ingest, publication, event sequencing, replication and pyramid repair.

Every task is idempotent. `service` and `maintenance` import the tasks. Everybody else, the web process included,
imports `jobs` only, which has the kinds and keys of jobs and loads no task.
"""
