"""Renderings of works: files that a reader downloads, a PDF of the pages and an archive of the pictures.

It imports `presentation`, `render`, `request` and `pyramid`. `web.services` serves them.
"""
