"""HTTP services for programs: manifests, texts, search, feeds, downloads, the log, health and metrics.

Only `web.app` and `web.asgi` import it. It imports `site`, `telemetry`, `messages` and `trusted_networks`.
"""
