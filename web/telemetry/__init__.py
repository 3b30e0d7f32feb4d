"""The request log, the metrics of a web process, and reports of damaged pyramids.

The composed application, `services` and the `shanben serve` command import it. It imports `messages` and
`trusted_networks`.
"""
