"""Decodes tiles, then scales, rotates and encodes them: every answer that is not a stored tile.

The only user of libvips and the codecs while serving. `image`, `renderings`, `similarity`, `web.services` and
`workers.ocr` may import it; it imports `request` and `pyramid`.
"""
