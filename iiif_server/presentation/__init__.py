"""Presentation API 3.0: builds manifests and collections at publication and stores them.

Workers build documents with it and `web` serves the published bytes. It imports `request`, `pyramid` and `urls`.
"""
