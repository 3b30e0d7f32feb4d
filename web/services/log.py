"""The provenance log over HTTP, by C2SP tlog-tiles: https://c2sp.org/tlog-tiles .

Tiles as they lie in the store, and the newest checkpoint signed. A full tile never changes; a partial one is replaced
by a wider one in time; the checkpoint is signed anew with every append.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

from preservation.log import sequencer
from repository import identifiers, paths
from repository.errors import KeyNotFound, NotFound
from repository.identifiers import Kind
from repository.repository import Repository
from web.site.cors import conditional

_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_BRIEFLY: Final = "public, max-age=10"
_A_WHILE: Final = "public, max-age=3600"
_FOREVER: Final = "public, max-age=31536000, immutable"


def blueprint(repository: Repository) -> Blueprint:
    """The checkpoint, the tiles, the key and evidence files, for anybody's verifier."""
    routes = Blueprint("log", __name__, url_prefix="/log")

    @routes.get("/checkpoint")
    def checkpoint() -> Response:
        return _answer(sequencer.open_log(repository).checkpoint_note(), _TEXT, _BRIEFLY)

    @routes.get("/tile/<path:place>")
    def tile(place: str) -> Response:
        named = paths.parse_log_path(f"tile/{place}")
        if named is None:
            raise NotFound(what=f"log/tile/{place}")
        _, _, width = named
        cache = _FOREVER if width == paths.TILE_WIDTH else _A_WHILE
        return _answer(_read(repository, f"{paths.LOG}/tile/{place}"), _BYTES, cache)

    @routes.get("/key")
    def key() -> Response:
        line = sequencer.verifier_key(repository)
        return _answer(f"{line}\n".encode(), _TEXT, _A_WHILE)

    @routes.get("/proof/<image>")
    def proof(image: str) -> Response:
        identifier = identifiers.parse(image, Kind.IMAGE)
        answer = _answer(sequencer.image_evidence(repository, identifier), _TEXT, "no-cache")
        answer.headers["Content-Disposition"] = f'inline; filename="{identifier}.tlog-proof"'
        return answer

    return routes


def _read(repository: Repository, key: str) -> bytes:
    try:
        return repository.store.read(key)
    except KeyNotFound as fault:
        raise NotFound(what=key) from fault


def _answer(body: bytes, content_type: str, cache: str) -> Response:
    answer = Response(body, content_type=content_type)
    answer.headers["Cache-Control"] = cache
    answer.add_etag()
    return conditional(answer)
