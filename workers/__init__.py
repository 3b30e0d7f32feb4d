"""Background work: ingest, publication, replication and repair, as jobs of an outbox run by Celery.

`web` imports the parts that enqueue and describe jobs.
"""
