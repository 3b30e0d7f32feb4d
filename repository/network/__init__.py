"""Requests to other institutions' servers, bounded in bytes and time, and mail to the staff.

`http_client` talks to services that the settings name, `guarded_http` to addresses that partners name. Every package
may import them and `mail`; `deadline` belongs to the package.
"""
