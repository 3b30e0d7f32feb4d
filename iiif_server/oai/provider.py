"""The responses of the provider to the six verbs (OAI-PMH 2.0, section 4).

Records are the works that are or were in public view (`repository/model/changes.py`); deleted ones are kept for ever.
A list is given in pages, which end after a number of records or of bytes, so that memory does not grow with the list
or with the length of books.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from iiif_server.oai.arguments import OaiRefused, OaiRequest, parse_arguments
from iiif_server.oai.elements import PMH, ResponseWriter, header, named_set, response, token_element
from iiif_server.oai.tokens import ListState, Tokens, expiry
from iiif_server.records.context import RecordContext
from iiif_server.records.formats import BY_PREFIX, XML_FORMATS, XmlFormat
from iiif_server.urls import OAI
from repository import identifiers
from repository.clock import timestamp
from repository.identifiers import Kind
from repository.model.access import decide
from repository.model.changes import SET_NAMES, FeedRecord, RecordRange
from repository.model.work import WorkState
from repository.repository import Repository

MEDIA_TYPE: Final = "text/xml; charset=utf-8"
RECORDS: Final = 200
IDENTIFIERS: Final = 1000
"""The largest numbers of records and of headers in a page."""

_BYTES: Final = 2 << 20
"""A page of records ends when it has more."""

_AT_A_TIME: Final = 20
"""How many works are in memory: the document of a book of 2,000 pages has up to a megabyte."""

_NO_RECORDS: Final = ("noRecordsMatch", "没有符合条件的记录", "no records match")


class OaiProvider:
    """The provider at the public address `base`, which has no final slash, of an institution's `name`."""

    def __init__(self, repository: Repository, base: str, name: str) -> None:
        self._repository = repository
        self._base = base
        self._name = name
        self._changes = repository.changes
        self._now: datetime = repository.clock()

    def respond(self, given: Sequence[tuple[str, str]]) -> bytes:
        """Return the response to the arguments of a query or a form. Raises `DatabaseFault`."""
        try:
            request = parse_arguments(given)
        except OaiRefused as refused:
            return self._error(refused, {})
        try:
            return self._write(request)
        except OaiRefused as refused:
            return self._error(refused, {"verb": request.verb, **request.arguments})

    def _write(self, request: OaiRequest) -> bytes:
        buffer = BytesIO()
        arguments = {"verb": request.verb, **request.arguments}
        with response(buffer, self._address, timestamp(self._now), arguments) as writer, writer.open(request.verb):
            _VERBS[request.verb](self, writer, request)
        return buffer.getvalue()

    def _error(self, refused: OaiRefused, arguments: dict[str, str]) -> bytes:
        buffer = BytesIO()
        with response(buffer, self._address, timestamp(self._now), arguments) as writer:
            writer.write(PMH.error(str(refused.message), code=refused.condition))
        return buffer.getvalue()

    @property
    def _address(self) -> str:
        return f"{self._base}{OAI}"

    def identify(self, writer: ResponseWriter, _: OaiRequest) -> None:
        """Write who the repository is (section 4.2)."""
        for element in (
            PMH.repositoryName(self._name),
            PMH.baseURL(self._address),
            PMH.protocolVersion("2.0"),
            PMH.adminEmail(self._repository.settings.contact_mail or _postmaster(self._host)),
            PMH.earliestDatestamp(self._changes.first_time() or timestamp(self._now)),
            PMH.deletedRecord("persistent"),
            PMH.granularity("YYYY-MM-DDThh:mm:ssZ"),
        ):
            writer.write(element)

    def list_formats(self, writer: ResponseWriter, request: OaiRequest) -> None:
        """Write the formats, which are the same for every record (section 4.4)."""
        if "identifier" in request.arguments:
            self._record(request.arguments["identifier"])
        for made in XML_FORMATS:
            prefix, schema = PMH.metadataPrefix(made.prefix), PMH.schema(made.schema)
            writer.write(PMH.metadataFormat(prefix, schema, PMH.metadataNamespace(made.namespace)))

    def list_sets(self, writer: ResponseWriter, request: OaiRequest) -> None:
        """Write the sets (section 4.6): the classes, and the holders of published works."""
        if token := request.arguments.get("resumptionToken"):
            self._tokens().read(token, request.verb, self._now)
        for spec, name in {**{spec: str(name) for spec, name in SET_NAMES.items()}, **self._holders()}.items():
            writer.write(named_set(spec, name))

    def get_record(self, writer: ResponseWriter, request: OaiRequest) -> None:
        """Write a record (section 4.1)."""
        record = self._record(request.arguments["identifier"])
        made = _format(request.arguments["metadataPrefix"])
        writer.write(self._record_element(record, made))

    def list_records(self, writer: ResponseWriter, request: OaiRequest) -> None:
        """Write a page of records (section 4.5)."""
        state = self._state(request)
        made, size = _format(state.prefix), 0
        last = state.wanted.after
        while size < RECORDS and writer.size() < _BYTES:
            records = self._changes.records(replace(state.wanted, after=last), min(_AT_A_TIME, RECORDS - size))
            for record in records:
                writer.write(self._record_element(record, made))
                last, size = record.number, size + 1
                if writer.size() >= _BYTES:
                    break
            if len(records) < _AT_A_TIME:
                break
        self._write_token(writer, state, last, size)

    def list_identifiers(self, writer: ResponseWriter, request: OaiRequest) -> None:
        """Write a page of headers (section 4.3)."""
        state = self._state(request)
        _format(state.prefix)
        records = self._changes.records(state.wanted, IDENTIFIERS, with_works=False)
        for record in records:
            writer.write(header(record, self._identifier(record.identifier)))
        self._write_token(writer, state, records[-1].number if records else -1, len(records))

    def _state(self, request: OaiRequest) -> ListState:
        """Return where the list of a request begins or goes on. Raises `OaiRefused`."""
        if token := request.arguments.get("resumptionToken"):
            return self._tokens().read(token, request.verb, self._now)
        _format(request.arguments["metadataPrefix"])
        wanted = RecordRange(-1, request.first, request.last, request.arguments.get("set"))
        total = self._changes.count_records(wanted)
        if not total:
            raise OaiRefused(*_NO_RECORDS)
        return ListState(request.verb, request.arguments["metadataPrefix"], wanted, 0, total, timestamp(self._now))

    def _write_token(self, writer: ResponseWriter, state: ListState, last: int, size: int) -> None:
        """Write the token of the next page, if there is one; an empty one on the last page of several."""
        if not size:  # what remained of the list has changed since, and belongs to another range
            raise OaiRefused(*_NO_RECORDS)
        wanted = replace(state.wanted, after=last)
        total = max(state.total, state.delivered + size)
        if self._changes.records(wanted, 1, with_works=False):
            issued = timestamp(self._now)
            total = max(total, state.delivered + size + 1)
            following = replace(state, wanted=wanted, delivered=state.delivered + size, total=total, issued=issued)
            token, expires = self._tokens().write(following), expiry(issued)
        elif state.delivered:
            token, expires = "", None
        else:
            return
        writer.write(token_element(token, total=total, delivered=state.delivered, expires=expires))

    def _record_element(self, record: FeedRecord, made: XmlFormat) -> etree._Element:
        """Return a record (section 2.5): its header, and its metadata unless it is deleted."""
        element = PMH.record(header(record, self._identifier(record.identifier)))
        if record.work is not None:
            decision = decide(record.work.rights, WorkState.PUBLISHED, self._now)
            context = RecordContext(self._base, self._repository.settings.provider, decision, record.time)
            element.append(PMH.metadata(made.write(record.work, context)))
        return element

    def _record(self, identifier: str) -> FeedRecord:
        work = identifier.removeprefix(self._identifier(""))
        record = self._changes.record(work) if identifiers.is_valid(work, Kind.WORK) else None
        if record is None or identifier != self._identifier(work):
            raise OaiRefused("idDoesNotExist", "没有这一标识符", "there is no such identifier")
        return record

    def _identifier(self, work: str) -> str:
        """Return the identifier of a record (guidelines for oai-identifier, version 2.0)."""
        return f"oai:{self._host}:{work}"

    @property
    def _host(self) -> str:
        return urlsplit(self._base).hostname or "localhost"

    def _holders(self) -> dict[str, str]:
        return self._changes.holder_sets()

    def _tokens(self) -> Tokens:
        return Tokens(self._repository.accounts.cookie_secret())


def _postmaster(host: str) -> str:
    """Return the address that every mail domain has (RFC 2142); the schema wants a domain with a dot."""
    return f"postmaster@{host if '.' in host else f'{host}.invalid'}"


def _format(prefix: str) -> XmlFormat:
    """Return the format with a prefix. Raises `OaiRefused`."""
    if prefix not in BY_PREFIX:
        raise OaiRefused(
            "cannotDisseminateFormat", f"没有格式 {prefix}", f"there is no format {prefix}; see ListMetadataFormats"
        )
    return BY_PREFIX[prefix]


_VERBS: Final = MappingProxyType[str, Callable[[OaiProvider, ResponseWriter, OaiRequest], None]](
    {
        "Identify": OaiProvider.identify,
        "ListMetadataFormats": OaiProvider.list_formats,
        "ListSets": OaiProvider.list_sets,
        "GetRecord": OaiProvider.get_record,
        "ListIdentifiers": OaiProvider.list_identifiers,
        "ListRecords": OaiProvider.list_records,
    }
)
