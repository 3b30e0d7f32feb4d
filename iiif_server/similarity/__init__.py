"""Finds the pages from which a picture was made: features of pages, an index of them, and the comparison of pixels.

Owns the formats of features and of the index, the functions that compute them in child processes, and the search.
Workers import it to build the index, `web` to search. Only `child`, `searcher` and what they import load OpenCV and
faiss, and only child processes import those.
"""
