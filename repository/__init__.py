"""The domain model, storage, the database and configuration: what every other package is built on.

Each process builds a `Repository` from `Settings` and passes it to everything else. Every package may import this one;
it imports none of them.
"""
