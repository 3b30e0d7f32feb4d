"""The IIIF Image API and Presentation API, served from published documents and pyramids.

Runs on its own as an ASGI application (`iiif_server.image.asgi`). `web` and `workers` import it; it never imports
them or `preservation`.
"""
