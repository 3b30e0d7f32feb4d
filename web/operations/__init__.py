"""The status that `shanben status` prints, and pages of staff: status, works, deletions, harvests, corrections.

It imports `accounts`, `site`, `telemetry`, `messages` and `trusted_networks`; `app`, `reports` and `cli` import it.
"""
