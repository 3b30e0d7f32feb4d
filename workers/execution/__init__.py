"""Runs one job: context, leases, retries, liveness and scratch space.

It knows no kind of job and imports nothing from `tasks`. `tasks` and `service` import it.
"""
