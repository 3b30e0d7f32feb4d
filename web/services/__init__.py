"""HTTP services for programs: manifests, the provenance log, health and metrics.

It imports `site` and `telemetry`.
"""
