"""What was understood of a request's path, kept for the next one like it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from iiif_server.image.cached_image import CachedImage
from iiif_server.problems import CORS
from iiif_server.request.geometry import RenderPlan
from iiif_server.whole_answer import head_lines

_CACHED: Final = ("Cache-Control", "public, max-age=3600")


class ResolvedRequest:
    """A spelling already understood: the image, the plan, the validator, and what the headers of its answer say.

    `link` is the canonical path and the rest of its header. `place` is where a stored tile lies in its pyramid (offset,
    length, CRC-32), once somebody has looked: it is that of the pyramid that `known` is of. Used by many threads: what
    changes is replaced whole.
    """

    __slots__ = ("_lines", "etag", "known", "link", "media_type", "place", "task")

    def __init__(self, known: CachedImage, task: RenderPlan, etag: str, media_type: str, link: str) -> None:
        self.known = known
        self.task = task
        self.etag = etag
        self.media_type = media_type
        self.link = link
        self.place: tuple[int, int, int] | None = None
        self._lines = ("", b"", b"")

    def headers(self, base_url: str) -> list[tuple[str, str]]:
        """The headers of a picture under a public address; the first, alone, is not one of a 304."""
        return [
            ("Content-Type", self.media_type),
            ("ETag", self.etag),
            ("Link", f"<{base_url}{self.link}"),
            _CACHED,
            CORS,
        ]

    def lines(self, base_url: str) -> tuple[bytes, bytes]:
        """Status line and headers as they are sent, of the picture (200) and for who has it already (304).

        Those of the address last asked for are kept: a site has one, or few. Raises `ValueError` for an address that
        cannot stand in a header.
        """
        kept, picture, unchanged = self._lines
        if kept != base_url:
            headers = self.headers(base_url)
            picture, unchanged = head_lines(HTTPStatus.OK, headers), head_lines(HTTPStatus.NOT_MODIFIED, headers[1:])
            self._lines = base_url, picture, unchanged
        return picture, unchanged
