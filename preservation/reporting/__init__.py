"""Preservation reports: what is held, checked and found, what needs a decision, and how it meets two standards.

It imports all other packages of `preservation`; `workers` and `web` import it. Values are pure; `reader` reads them.
"""
