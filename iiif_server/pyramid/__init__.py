"""The pyramid file: the access copy of an image, a ZIP of its IIIF level-0 tiles.

Owns the tile grid, the writer and the reader. The other subpackages of `iiif_server` and the workers may import it; it
imports none of them.
"""
