"""HTTP services for programs: manifests, texts, search, feeds, files to take away, the log, health and metrics.

Only `web.app` and `web.asgi` import it. It imports `site`, `telemetry`, `messages` and `trusted_networks`.
"""
