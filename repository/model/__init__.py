"""The domain model: works, their access, rights and condition as frozen values, and their JSON.

Every package may import it. It performs no I/O, and imports only values of `repository`.
"""
