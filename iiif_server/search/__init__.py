"""Finds works by their text and their records: folding, queries, segments of the index, and the search.

Owns the format of the index: SQLite files (segments) that workers build and store, and that each machine which searches
copies. Workers import it to build segments, `web` to search.
"""
