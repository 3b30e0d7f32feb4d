"""Every text of the interface, in Chinese and English. Every module is pure.

The lowest layer of `web`.
The other subpackages of `web` import it; it imports `repository` only.
"""
