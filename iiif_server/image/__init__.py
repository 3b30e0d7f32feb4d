"""The Image API service: looks up an image, decides access, resolves the request and responds.

`web` imports it, and `similarity` its budget of clients.
"""
