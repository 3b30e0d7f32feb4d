"""A partner's server on this machine: answers by path and query from functions, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Answer:
    """What is sent; `send`, if given, writes the raw bytes of the response itself."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    send: Callable[[BaseHTTPRequestHandler], None] | None = None


@dataclass
class PartnerServer:
    """The server: `answer` decides by path and query what it answers."""

    url: str
    answer: Callable[[str, dict[str, str]], Answer] = lambda path, query: Answer(status=404)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def verbs(self) -> list[str]:
        return [query.get("verb", path) for path, query, _ in self.asked]


@contextmanager
def partner_server() -> Iterator[PartnerServer]:
    """Yield a server on a free port of the loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            server.asked.append((parts.path, query, {name.lower(): value for name, value in self.headers.items()}))
            answer = server.answer(parts.path, query)
            try:
                if answer.send:
                    answer.send(self)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                return  # the client went away, as some tests want

        def log_message(self, *_: object) -> None:
            return

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = PartnerServer(f"http://127.0.0.1:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


@dataclass
class OaiProvider:
    """An OAI-PMH provider for a `PartnerServer`: records by identifier, listed in parts."""

    records: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    deleted: str = "persistent"
    page: int = 2
    now: str = "2026-01-01T00:00:00Z"
    size: int | None = None

    def put(self, identifier: str, datestamp: str, metadata: str | None) -> None:
        self.records[identifier] = (datestamp, metadata)

    def __call__(self, path: str, query: dict[str, str]) -> Answer:
        verb = query.get("verb", "")
        if verb == "Identify":
            return self.answer(
                "<Identify><repositoryName>某館</repositoryName>"
                f"<deletedRecord>{self.deleted}</deletedRecord>"
                "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity></Identify>"
            )
        if verb == "ListMetadataFormats":
            return self.answer(
                "<ListMetadataFormats><metadataFormat><metadataPrefix>oai_dc</metadataPrefix><metadataNamespace>"
                "http://www.openarchives.org/OAI/2.0/oai_dc/</metadataNamespace></metadataFormat></ListMetadataFormats>"
            )
        since, start = query.get("from", ""), 0
        if token := query.get("resumptionToken"):
            since, _, number = token.rpartition("|")
            start = int(number)
        return self.part(since, start)

    def part(self, since: str, start: int) -> Answer:
        found = sorted((stamp, name, xml) for name, (stamp, xml) in self.records.items() if stamp >= since)
        if not found:
            return self.answer('<error code="noRecordsMatch">none</error>')
        shown = found[start : start + self.page]
        following = start + self.page
        token = f"{since}|{following}" if following < len(found) else ""
        size = len(found) if self.size is None else self.size
        end = f'<resumptionToken completeListSize="{size}">{token}</resumptionToken>'
        return self.answer(f"<ListRecords>{''.join(map(record_xml, shown))}{end}</ListRecords>")

    def answer(self, content: str) -> Answer:
        return Answer(
            '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
            f"<responseDate>{self.now}</responseDate><request/>{content}</OAI-PMH>".encode()
        )


def record_xml(record: tuple[str, str, str | None]) -> str:
    stamp, identifier, metadata = record
    status = "" if metadata is not None else ' status="deleted"'
    content = f"<metadata>{metadata}</metadata>" if metadata is not None else ""
    header = f"<header{status}><identifier>{identifier}</identifier><datestamp>{stamp}</datestamp></header>"
    return f"<record>{header}{content}</record>"


def dublin_core(title: str, **fields: str) -> str:
    """Return a record in oai_dc with a title and further elements."""
    elements = "".join(f"<dc:{name}>{value}</dc:{name}>" for name, value in {"title": title, **fields}.items())
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/">{elements}</oai_dc:dc>'
    )
