"""IIIF Change Discovery 1.0: the feed of changes of works.

Owns the documents of the feed, at level 2 with moves and refreshes. `repository/database/changes.py` stores the feed;
`web/services` serves it. Only `web` may import this package.
"""
