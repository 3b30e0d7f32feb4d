"""Renderings of works: files that a reader takes away, a PDF of the pages and an archive of the pictures.

It imports `image`, `presentation`, `render` and `request`. `web.asgi` serves its application.
"""
