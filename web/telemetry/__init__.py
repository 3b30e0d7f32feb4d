"""The request log, process metrics and reports of damaged pyramids.

It imports `messages` and `trusted_networks`.
"""
