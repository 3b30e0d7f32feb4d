"""Works as BagIt bags over HTTP, ``/works/{work}/bag.zip``, for partners whose token has the scope ``export``.

An ASGI application: a bag holds all masters of a work, and is sent while it is read from the store and verified. What
the partner could not see whole is not given away either, nor is a work with redactions, since masters and files of text
hold what these hide. A process writes one bag at a time. Damage that is found after the response has begun aborts the
connection, so that no partner takes part of a bag for the whole.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from iiif_server.asgi_messages import Receive, Scope, Send, header, send_problem
from iiif_server.auth.credentials import credentials_of
from iiif_server.auth.errors import AuthorizationNeeded
from iiif_server.problems import problem, stated_language
from iiif_server.renderings.book_pdf import FetchPicture, Output
from iiif_server.renderings.writing import WrittenFile
from repository.errors import AccessRefused, RenderingBusy, ShanbenError
from repository.localized import LocalizedText
from repository.model.partners import Partner
from repository.model.partners import Scope as TokenScope
from repository.repository import Repository
from web.services.written_files import send_written
from web.site.held_work import held_work
from workers.exchange.archive_file import writing_zip
from workers.exchange.export import PreparedBag, prepare_bag, write_bag


class PartnerTokenNeeded(AuthorizationNeeded):
    """A service for partners was requested without a token, or with one that is unknown or revoked."""

    code = "token.needed"
    text = LocalizedText(
        "此服务供合作机构使用；请在 Authorization: Bearer 中附上有效的令牌",
        "This service is for partners; send a valid token in Authorization: Bearer",
    )


class ScopeMissing(AccessRefused):
    """The token of a partner does not allow what was requested."""

    code = "token.scope"
    text = LocalizedText(
        "令牌没有权限 {scope}；请与馆方联系", "The token does not have the scope {scope}; contact the library"
    )


class WorkRedacted(AccessRefused):
    """A work was requested whole, parts of which are shown to nobody."""

    code = "access.redacted"
    text = LocalizedText(
        "{what} 有不对外显示的遮盖区域，不能整部下载；请与馆方联系",
        "{what} has redacted areas, which are shown to nobody, so it cannot be downloaded whole; contact the library",
    )


class BagApplication:
    """Serves the bags of a repository's works."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._threads = ThreadPoolExecutor(1, "bag")
        self._is_writing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send, work: str) -> None:
        """Respond to GET or HEAD."""
        try:
            bag = await asyncio.to_thread(self._prepare, work, header(scope, b"authorization"), scope)
            if self._is_writing:
                raise RenderingBusy
        except ShanbenError as error:
            await send_problem(send, problem(error, stated_language(header(scope, b"accept-language"))))
            return
        start = {"type": "http.response.start", "status": HTTPStatus.OK, "headers": _headers(bag)}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        self._is_writing = True
        try:
            await self._send(bag, start, receive, send)
        finally:
            self._is_writing = False

    def _prepare(self, work: str, authorization: str | None, scope: Scope) -> PreparedBag:
        """Return the bag that a partner may have.

        Raises `PartnerTokenNeeded`, `ScopeMissing`, `AccessRefused`, `WorkRedacted`, and what `held_work` and
        `prepare_bag` raise.
        """
        partner = self._partner(authorization)
        if TokenScope.EXPORT not in partner.scopes:
            raise ScopeMissing(scope=TokenScope.EXPORT.value)
        held, decision = held_work(self._repository, work, partner.privileges)
        if not decision.shows_all:
            raise AccessRefused(what=held.identifier)
        if any(image.redactions for image in held.images()):
            raise WorkRedacted(what=held.identifier)
        own = f"{scope.get('scheme', 'http')}://{header(scope, b'host') or 'localhost'}{scope.get('root_path', '')}"
        address = self._repository.settings.base_url or own
        return prepare_bag(self._repository, held.identifier, address, for_partner=True)

    def _partner(self, authorization: str | None) -> Partner:
        token = credentials_of(None, authorization).partner_token
        partner = self._repository.partner_tokens.find(token) if token else None
        if partner is None:
            raise PartnerTokenNeeded
        return partner

    async def _send(self, bag: PreparedBag, start: dict[str, object], receive: Receive, send: Send) -> None:
        def write(_: FetchPicture, output: Output) -> None:
            with writing_zip(_Writable(output), bag.time) as archive:
                write_bag(self._repository, bag, archive, lambda _: None)

        file = WrittenFile(write, _no_pictures, self._threads)
        await send_written(file, start, receive, send)


class _Writable(io.RawIOBase):
    """An output as a file object that cannot seek."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: object) -> int:
        """Write bytes."""
        content = bytes(data)  # type: ignore[call-overload]  # any buffer, as io.RawIOBase says
        self._output.write(content)
        return len(content)


def _headers(bag: PreparedBag) -> Sequence[tuple[bytes, bytes]]:
    name = f"{bag.contents.work.identifier}-v{bag.version}.zip"
    return [
        (b"content-type", b"application/zip"),
        (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        (b"cache-control", b"private, no-store"),
        (b"vary", b"Authorization"),
        (b"x-content-type-options", b"nosniff"),
    ]


async def _no_pictures(path: str) -> bytes:
    raise NotImplementedError(path)
