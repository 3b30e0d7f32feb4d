"""Runs one job: context, lease, retries, liveness and scratch directories.

It imports no task. `tasks`, `service`, `maintenance` and the commands of `web.cli` import it.
"""
