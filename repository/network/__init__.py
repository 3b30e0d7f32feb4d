"""Requests and mail to other institutions' servers: bounded in bytes and time.

`http_client` talks to services that the settings name, `guarded_http` to addresses that partners name. Every package
may import them.
"""
