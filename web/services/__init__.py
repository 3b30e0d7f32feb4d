"""HTTP services for programs: manifests and collections, the provenance log, health and metrics.

Only the Flask application imports it. It imports `site` and `telemetry`.
"""
