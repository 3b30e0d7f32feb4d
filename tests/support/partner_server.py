"""A partner's server on this machine: answers by path and query from functions, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from iiif_server.presentation.version2 import to_version2

_PRESENTATION_3: Final = "http://iiif.io/api/presentation/3/context.json"
_ANY_ORIGIN: Final = {"Access-Control-Allow-Origin": "*"}


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


@dataclass(frozen=True)
class IiifPartner:
    """A partner of two books with one image, of level 0, for a `PartnerServer`: a collection and their manifests.

    The second manifest is of version 2.1, and reads from left to right.
    """

    url: str
    titles: tuple[str, str]
    picture: bytes
    size: tuple[int, int]

    @property
    def manifests(self) -> tuple[str, str]:
        """The URLs of the manifests."""
        return f"{self.url}/1/manifest", f"{self.url}/2/manifest"

    def __call__(self, path: str, query: dict[str, str]) -> Answer:
        documents = {
            "/top": self._collection,
            "/1/manifest": lambda: self._manifest(0, "right-to-left"),
            "/2/manifest": lambda: to_version2(self._manifest(1, "left-to-right")),
            "/image/info.json": self._information,
        }
        if document := documents.get(path):
            return Answer(json.dumps(document()).encode(), headers={"Content-Type": "application/json", **_ANY_ORIGIN})
        if path == "/image/full/{},{}/0/default.jpg".format(*self.size):
            return Answer(self.picture, headers={"Content-Type": "image/jpeg", **_ANY_ORIGIN})
        return Answer(status=404, headers=_ANY_ORIGIN)

    def _collection(self) -> dict[str, Any]:
        books = [
            {"id": manifest, "type": "Manifest", "label": {"zh": [title]}}
            for manifest, title in zip(self.manifests, self.titles, strict=True)
        ]
        return {"@context": _PRESENTATION_3, "id": f"{self.url}/top", "type": "Collection", "items": books}

    def _manifest(self, place: int, direction: str) -> dict[str, Any]:
        width, height = self.size
        sides = {"width": width, "height": height}
        picture = f"{self.url}/image/full/{width},{height}/0/default.jpg"
        service = [{"id": f"{self.url}/image", "type": "ImageService3", "profile": "level0"}]
        body = {"id": picture, "type": "Image", "format": "image/jpeg", **sides, "service": service}
        canvases = []
        for number in (1, 2):
            canvas = f"{self.url}/{place + 1}/canvas/{number}"
            painting = {
                "id": f"{canvas}/painting", "type": "Annotation", "motivation": "painting", "body": body,
                "target": canvas,
            }  # fmt: skip
            page = {"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}
            label = {"none": [str(number)]}
            canvases.append({"id": canvas, "type": "Canvas", **sides, "label": label, "items": [page]})
        return {
            "@context": _PRESENTATION_3,
            "id": self.manifests[place],
            "type": "Manifest",
            "label": {"zh": [self.titles[place]]},
            "viewingDirection": direction,
            "thumbnail": [{"id": picture, "type": "Image", "format": "image/jpeg", **sides}],
            "items": canvases,
        }

    def _information(self) -> dict[str, Any]:
        width, height = self.size
        return {
            "@context": "http://iiif.io/api/image/3/context.json",
            "id": f"{self.url}/image",
            "type": "ImageService3",
            "protocol": "http://iiif.io/api/image",
            "profile": "level0",
            "width": width,
            "height": height,
            "sizes": [{"width": width, "height": height}],
        }


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
