"""The IIIF services: images, descriptions and their pyramids."""
