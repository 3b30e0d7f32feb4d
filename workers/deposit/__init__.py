"""Reads and checks a deposit folder before anything is stored.

Owns the deposit record, page order, labels and ranges. It imports `masters`; `execution`, `tasks` and the commands of
`web.cli` import it.
"""
