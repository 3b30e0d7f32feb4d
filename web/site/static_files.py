"""The files that pages load: our style sheet and icons, and the reader as Vite built it.

Read once, when the application is made. Addresses change with the bytes, so browsers may keep what they fetched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import url_for

READER: Final = "reader/main.ts"
COPY: Final = "reader/copy.ts"
_BUILD: Final = "reader"
_VITE_MANIFEST: Final = Path(_BUILD, ".vite", "manifest.json")
_BRAND: Final = 12


@dataclass(frozen=True, slots=True)
class Assets:
    """`digests`: static file -> a short digest. `bundles`: the reader's source file -> its built file, if built."""

    digests: Mapping[str, str]
    bundles: Mapping[str, str]

    def address(self, name: str) -> str:
        """The address of a file of ours."""
        return url_for("static", filename=name, v=self.digests[name])

    def bundle(self, source: str) -> str | None:
        """The address of a built script; None when the reader has not been built."""
        built = self.bundles.get(source)
        return url_for("static", filename=f"{_BUILD}/{built}") if built else None


def read_assets(folder: Path) -> Assets:
    """The files below `folder`."""
    own = [path for path in sorted(folder.iterdir()) if path.is_file()]
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:_BRAND] for path in own}
    return Assets(digests, _bundles(folder / _VITE_MANIFEST))


def _bundles(manifest: Path) -> dict[str, str]:
    if not manifest.is_file():
        return {}
    entries = json.loads(manifest.read_text("utf-8"))
    return {source: entry["file"] for source, entry in entries.items() if entry.get("isEntry")}
