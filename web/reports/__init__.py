"""The preservation report for people: the page, its files (HTML, PDF, CSV, JSON) and its charts.

It imports `accounts`, `operations` and `site`; `app` and `cli` import it. What a report states is decided in
`preservation/reporting`.
"""
