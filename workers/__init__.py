"""Background work: ingest, publication, replication and repair, as jobs of the outbox that worker processes run.

`web` imports the modules that enqueue jobs and describe them; commands also import the ones that run jobs.
"""
