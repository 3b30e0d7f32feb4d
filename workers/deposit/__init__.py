"""Reads and checks a deposit folder, and stores nothing.

Owns the deposit record, page order, labels and ranges. It imports `masters` and `text`; the packages of
`workers` that run jobs and the commands of `web.cli` import it.
"""
