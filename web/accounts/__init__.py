"""Accounts on the web: passwords, login, sessions, forms, their pages, and the authorization services of IIIF.

`web.app`, `web.asgi`, `web.operations`, `web.reports` and `web.cli` may import it.
"""
