"""The sample rare book: a woodblock edition of the Thousand Character Classic, drawn by program.

`shanben sample` and `sample-book` write it as a deposit folder, so that a new installation has something to ingest.
It imports `repository` and `workers.progress`; only `web.cli` imports it.
"""

from sample_book.book import make_sample

__all__ = ["make_sample"]
