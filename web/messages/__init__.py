"""Every text of the interface, in Chinese and English. Every module is pure.

The lowest layer of `web`: it imports `repository` only, and every other subpackage of `web` may import it.
"""
