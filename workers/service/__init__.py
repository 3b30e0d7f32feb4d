"""Worker processes: the Celery application, the dispatcher and the local worker.

The top of `workers`, beside `maintenance`. `web.cli` imports it.
"""
