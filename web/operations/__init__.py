"""The staff page `/status`, and the status that `shanben status` prints.

It imports `site`, `messages` and `trusted_networks`; `app` and `cli` import it.
"""
