"""Presentation API 3.0: builds manifests and collections at publication and stores them.

Workers build documents with it and `web` serves the published bytes. It imports `auth`, `records`, `request`,
`pyramid` and `urls`.
"""
