"""An Image API request: grammar, geometry, protection and cost. Every module is pure.

Owns the translation of a path into a plan of tiles, and the Image Information document. The other subpackages of
`iiif_server` may import it; it imports `pyramid` only.
"""
