"""The request log, the metrics of a web process, and reports of damaged pyramids.

The composed application, `services`, `operations` and `reports` import it. It imports `trusted_networks`.
"""
