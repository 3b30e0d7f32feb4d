"""The catalogue, the job outbox, the log sequence and the locks, in SQLite or PostgreSQL.

Owns every SQL statement. Rows do not leave this package: its functions return frozen values. The database is an index
of the store: `shanben rebuild` can make the catalogue again. Any package may import it.
"""
