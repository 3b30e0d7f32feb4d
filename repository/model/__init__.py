"""The domain model: works, their access, rights, condition and texts, accounts and partners as frozen values.

Every package may import it. It performs no I/O, and imports only values of `repository`.
"""
