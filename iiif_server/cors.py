"""Cross-origin access (CORS) to the services: scripts of any origin may read them. (pure)

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from typing import Final

METHODS: Final = "GET, HEAD, OPTIONS"

ANY_ORIGIN: Final = ("Access-Control-Allow-Origin", "*")
"""The header of every response of a service, errors included."""

PREFLIGHT: Final = (
    ANY_ORIGIN,
    ("Access-Control-Allow-Methods", METHODS),
    ("Access-Control-Allow-Headers", "*, Authorization"),  # which the wildcard does not cover
    ("Access-Control-Max-Age", "86400"),
    ("Allow", METHODS),
)
"""The headers of the response to OPTIONS, 204: which cross-origin requests are allowed."""
