"""The preservation report for people: the page, its files (HTML, PDF, CSV, JSON) and its charts.

It imports `accounts`, `operations`, `site`, `telemetry`, `typesetting` and `messages`; `app` and `cli` import it.
What a report states is decided in `preservation/reporting`.
"""
