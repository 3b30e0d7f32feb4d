"""The sample rare book: a woodblock edition of the Thousand Character Classic, drawn by program.

`shanben sample` makes it, so that a newcomer has something to read at once. It imports `repository` only, and only the
command line imports it.
"""

from sample_book.book import make_sample

__all__ = ["make_sample"]
