"""The command ``shanben lint-manifest``."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from web.cli.main import main

COLLECTION = {
    "@context": "http://iiif.io/api/presentation/3/context.json",
    "id": "https://library.example/iiif/collection",
    "type": "Collection",
    "label": {"zh": ["全部"]},
    "items": [],
}


class _Partner(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(301)
            self.send_header("Location", "/collection")
            self.end_headers()
            return
        self.send_response(200 if self.path == "/collection" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(COLLECTION).encode())

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def partner() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Partner)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_command_lints_a_file(tmp_path: Path) -> None:
    sound, broken = tmp_path / "sound.json", tmp_path / "broken.json"
    sound.write_text(json.dumps(COLLECTION))
    broken.write_text(json.dumps(COLLECTION | {"rights": "https://creativecommons.org/licenses/by/4.0/"}))
    accepted = CliRunner().invoke(main, ["lint-manifest", "--json", str(sound)])
    assert (accepted.exit_code, json.loads(accepted.stdout)) == (0, {"errors": [], "warnings": []})
    refused = CliRunner().invoke(main, ["lint-manifest", "--json", str(broken)])
    (error,) = json.loads(refused.stdout)["errors"]
    assert (refused.exit_code, error["path"], error["code"]) == (1, "$.rights", "rights-https")
    assert "http://creativecommons.org/licenses/by/4.0/" in error["message"]
    readable = CliRunner().invoke(main, ["lint-manifest", str(broken)])
    assert "rights-https" in readable.stdout


def test_command_lints_what_an_address_answers(partner: str) -> None:
    for path in ("/collection", "/moved"):
        assert CliRunner().invoke(main, ["lint-manifest", partner + path]).exit_code == 0
    absent = CliRunner().invoke(main, ["lint-manifest", f"{partner}/absent"])
    assert absent.exit_code == 3
    assert "404" in absent.stderr


def test_command_names_a_file_that_is_missing(tmp_path: Path) -> None:
    missing = CliRunner().invoke(main, ["lint-manifest", str(tmp_path / "none.json")])
    assert missing.exit_code == 2
    assert "none.json" in missing.stderr
