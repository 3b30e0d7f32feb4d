"""The tasks of all kinds of jobs: ingest, publication, event sequencing, replication and pyramid repair.

Every task is idempotent. `service` and `maintenance` import the tasks. Everybody else, the web process included,
imports only what loads no task: `jobs` (the kinds and keys of jobs), `log_events`, `delete_decision` and the modules
that read the state of fixity checks.
"""
