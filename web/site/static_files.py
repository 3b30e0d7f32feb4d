"""The files that pages load: the style sheet and icons, and the reader as Vite built it.

They are read once, when the application is created. Each URL changes with the file's bytes, so browsers may cache it
for a long time. Browsers ask for the icon of a document that names none, such as JSON or a PDF, at ``/favicon.ico``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request, url_for

from iiif_server import urls

READER_SCRIPT: Final = "reader/main.ts"
TYPEFACE: Final = "reader/typeface.css"
COPY_SCRIPT: Final = "reader/copy.ts"
CORRECT_SCRIPT: Final = "reader/correct.ts"
REDUCE_SCRIPT: Final = "reader/reduce.ts"
SUGGEST_SCRIPT: Final = "reader/suggest.ts"
VERIFY_SCRIPT: Final = "reader/verify.ts"
_ICON: Final = "mark.svg"
_ICON_MAX_AGE: Final = "public, max-age=86400"
_BUILD_FOLDER: Final = "reader"
_VITE_MANIFEST: Final = Path(_BUILD_FOLDER, ".vite", "manifest.json")
_DIGEST_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """`digests`: static file -> the start of its SHA-256. `built`: source -> its built file."""

    digests: Mapping[str, str]
    built: Mapping[str, str]

    def url(self, name: str) -> str:
        """Return the URL of a static file. Raises `KeyError` for a file that does not exist."""
        return url_for("static", filename=name, v=self.digests[name])

    def built_url(self, source: str) -> str | None:
        """Return the URL of a built script or style sheet; None when the reader has not been built."""
        built = self.built.get(source)
        return url_for("static", filename=f"{_BUILD_FOLDER}/{built}") if built else None


def icon_blueprint(folder: Path) -> Blueprint:
    """Return the route of the icon that pages have, for documents that name none."""
    routes = Blueprint("icon", __name__)
    content = (folder / _ICON).read_bytes()

    @routes.get(urls.ICON)
    def show() -> Response:
        response = Response(content, mimetype="image/svg+xml")
        response.headers["Cache-Control"] = _ICON_MAX_AGE
        response.add_etag()
        response.make_conditional(request)
        return response

    return routes


def read_static_files(folder: Path) -> StaticFiles:
    """Read the static files directly in `folder`, and the manifest of the reader's build below it."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGEST_LENGTH] for path in files}
    return StaticFiles(digests, _built_files(folder / _VITE_MANIFEST))


def _built_files(manifest: Path) -> dict[str, str]:
    if not manifest.is_file():
        return {}
    entries = json.loads(manifest.read_text("utf-8"))
    return {source: entry["file"] for source, entry in entries.items() if entry.get("isEntry")}
