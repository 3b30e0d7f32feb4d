"""Accounts of staff on the web: passwords, login, sessions, forms, and the pages for them.

`web.app`, `web.operations`, `web.services` and `web.cli` may import it.
"""
