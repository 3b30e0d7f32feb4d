"""The status that `shanben status` prints, and pages of staff: `/staff`, `/status`, works and their deletion.

It imports `accounts`, `site`, `messages` and `trusted_networks`; `app` and `cli` import it.
"""
