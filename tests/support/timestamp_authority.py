"""OpenSSL's timestamping authority behind a small HTTP server (RFC 3161 section 3.4)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
certs = {folder}/tsa.pem
ess_cert_id_alg = sha256
[usage]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class TimestampAuthority:
    """Keys, certificates and serial numbers of an authority in a folder; `roots` is the certificate to trust."""

    def __init__(self, folder: Path, name: str = "Test Authority") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.roots = folder / "root.pem"
        self._configuration = folder / "tsa.conf"
        self._configuration.write_text(CONFIGURATION.format(folder=folder))
        (folder / "serial").write_text("01\n")
        self._lock = Lock()
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        root, request = folder / "root.key", folder / "tsa.csr"
        openssl("req", "-x509", *key, "-keyout", root, "-out", self.roots, "-days", 30, "-subj", f"/CN={name} Root")
        openssl("req", "-new", *key, "-keyout", folder / "tsa.key", "-out", request, "-subj", f"/CN={name}")
        signed = ("-CA", self.roots, "-CAkey", root, "-CAcreateserial", "-days", 30)
        usage = ("-extfile", self._configuration, "-extensions", "usage")
        openssl("x509", "-req", "-in", request, *signed, *usage, "-out", folder / "tsa.pem")

    def reply(self, query: bytes) -> bytes:
        """Return the response to a query; one with the status "rejection" to a query that is none."""
        with self._lock:
            (self.folder / "query.tsq").write_bytes(query)
            answer = self.folder / "answer.tsr"
            configuration = ("-config", self._configuration, "-section", "authority")
            openssl("ts", "-reply", *configuration, "-queryfile", self.folder / "query.tsq", "-out", answer)
            return answer.read_bytes()

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve it; yield its address."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                is_query = self.headers["Content-Type"] == "application/timestamp-query"
                body = authority.reply(query) if is_query else b""
                self.send_response(200 if is_query else 415)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name in the library
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def openssl(*arguments: object) -> str:
    """Run openssl, and return its standard output. Raises `CalledProcessError` when it fails."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
