"""Accounts on the web: passwords, login, sessions, forms, their pages, and the authorization services of IIIF.

`web.app`, `web.operations`, `web.services` and `web.cli` may import it.
"""
