"""Exchange of works with other institutions: a work as a BagIt bag, and a bag as a deposit.

The commands of `web.cli` import it, and `web.services` its export.
"""
