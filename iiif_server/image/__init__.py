"""The Image API service: looks up an image, decides access, resolves the request and responds.

The top of `iiif_server`. Only `web` imports it.
"""
