"""Tiles a second through the deployed edge with a warm cache, against static files served by the same nginx.

nginx runs with deploy/nginx.conf over TLS. It serves the same tiles twice: as images of `shanben serve` out of its
cache, and as static files of a location added for this measurement. Both are requested by turns over the same protocol
by eight connections of wrk. What each tile's bytes should be is checked before anything counts.
"""

from __future__ import annotations

import sys
import tempfile
from http.client import HTTPSConnection
from pathlib import Path

from tiles import CYCLE, Figure, found, hold, ratio, served, wrk

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from deployed_edge import install, make_certificate
from ports import reserve_port
from servers import NginxServer

SIZE, NAME, ROUNDS = 256, "localhost", 9
STATIC = "location /bench-files/ {{ alias {folder}/files/; include edge/headers.conf; }}\n\nlocation /static/ {{"


def main() -> None:
    """Print one row."""
    with tempfile.TemporaryDirectory(prefix="bench-edge-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        (folder / "cycle.lua").write_text(CYCLE)
        images = hold(folder, SIZE)
        files = [f"/bench-files{url}" for url in images]
        (folder / "files.txt").write_text("\n".join(files) + "\n")
        trusted = make_certificate(folder, NAME)
        changes = {r"location /static/ \{": STATIC.format(folder=folder)}
        with served(folder) as ours:
            configure = lambda prefix, port: install(prefix, port, reserve_port(), ours.port, changes, NAME)  # noqa: E731
            with NginxServer(folder, configure) as nginx:
                connection = HTTPSConnection(NAME, nginx.port, context=trusted)
                for image, file in zip(images, files, strict=True):
                    if fetch(connection, image) != fetch(connection, file):
                        raise RuntimeError(f"the edge changes {image}")
                row(folder, nginx.port, len(images))


def fetch(connection: HTTPSConnection, path: str) -> bytes:
    """Return the body of a 200 response."""
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status}")
    return body


def row(folder: Path, port: int, count: int) -> None:
    """Measure by turns and print."""
    rates: dict[str, list[float]] = {"cache": [], "files": []}
    for _ in range(ROUNDS):
        for kind, paths in (("cache", f"{SIZE}.txt"), ("files", "files.txt")):
            output = wrk(folder, port, folder / paths, 2, f"https://{NAME}")
            rates[kind].append(float(found(r"Requests/sec: *([0-9.]+)", output)))
    print(f"{rates}", file=sys.stderr)
    print(
        f"tiles through the edge, {SIZE} px | {count:,} tiles, cache warm, TLS, 8 connections"
        f" | {Figure(rates['cache'])} a second | static files of the same nginx: {Figure(rates['files'])}"
        f" | ratio {ratio(rates['cache'], rates['files']):.2f}"
    )


if __name__ == "__main__":
    main()
