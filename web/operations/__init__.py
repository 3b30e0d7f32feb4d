"""The staff page `/status` and the figures behind `shanben status`.

It imports `site` and `telemetry`.
"""
