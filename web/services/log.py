"""The provenance log over HTTP (C2SP tlog-tiles): https://c2sp.org/tlog-tiles .

Checkpoint and tiles are sent as stored. A full tile never changes; a partial tile is superseded by a wider one; the
checkpoint is signed again with every append.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

from iiif_server.urls import LOG_ROOT
from preservation.log import sequencer
from preservation.log.archive import policy_text
from preservation.log.tiles import unpack_entries, unpack_hashes
from preservation.log.witnesses import cosigned_checkpoint, witness_policy
from repository import paths
from repository.errors import KeyNotFound, NotFound
from repository.repository import Repository
from web.services.store_state import absent
from web.site.cors import conditional

_TEXT: Final = "text/plain; charset=utf-8"
_BINARY: Final = "application/octet-stream"
_SECONDS: Final = "public, max-age=10"
_HOUR: Final = "public, max-age=3600"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


def blueprint(repository: Repository) -> Blueprint:
    """Return the routes of the checkpoints, the tiles and the verifier keys, open to everybody."""
    routes = Blueprint("log", __name__, url_prefix=LOG_ROOT)

    @routes.get("/checkpoint")
    def checkpoint() -> Response:
        return _respond(sequencer.open_log(repository).checkpoint_note(), _TEXT, _SECONDS)

    @routes.get("/cosigned")
    def cosigned() -> Response:
        try:
            return _respond(repository.store.read(paths.LOG_COSIGNED), _TEXT, _SECONDS)
        except KeyNotFound as fault:
            raise NotFound(what=paths.LOG_COSIGNED) from fault

    @routes.get("/tile/<path:place>")
    def tile(place: str) -> Response:
        path = f"tile/{place}"
        parsed = paths.parse_log_path(path)
        if parsed is None:
            raise NotFound(what=f"log/{path}")
        level, _, width = parsed
        body = _read(repository, paths.log_file(path))
        return _respond(body, _BINARY, _tile_lifetime(level, width, body))

    @routes.get("/<any(key, keys, policy):which>")
    def trust(which: str) -> Response:
        listed = sequencer.log_keys(repository)
        if which == "policy":
            return _respond(_policy(repository), _TEXT, _HOUR)
        text = f"{listed.line()}\n" if which == "key" else listed.text()
        return _respond(text.encode(), _TEXT, _HOUR)

    return routes


def _policy(repository: Repository) -> bytes:
    """Return whom to trust as a file (C2SP tlog-policy): the log's keys and, once they cosign, its witnesses."""
    settings, log = repository.settings, sequencer.open_log(repository)
    cosigned = cosigned_checkpoint(repository.store, log.key)
    return policy_text(log, witness_policy(settings), {0: cosigned} if cosigned else {}, settings.base_url)


def _read(repository: Repository, key: str) -> bytes:
    try:
        return repository.store.read(key)
    except KeyNotFound as fault:
        raise absent(repository, key) from fault


def _tile_lifetime(level: str, width: int, body: bytes) -> str:
    """Return the Cache-Control of a tile; a truncated tile must not stay in caches after its repair."""
    items = unpack_entries(body) if level == "entries" else unpack_hashes(body)
    if items is None or len(items) != width:
        return "no-store"
    return _IMMUTABLE if width == paths.TILE_WIDTH else _HOUR


def _respond(body: bytes, content_type: str, cache_control: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = cache_control
    return conditional(response)
