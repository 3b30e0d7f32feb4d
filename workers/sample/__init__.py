"""The sample rare book that `shanben sample` makes, so that a newcomer has something to read at once."""

from workers.sample.book import make_sample

__all__ = ["make_sample"]
