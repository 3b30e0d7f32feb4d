"""GET requests to addresses that other institutions name: no answer, however wrong or hostile, harms this library.

Every request is bounded in bytes, also of a compressed answer, in redirects and in time, that of its name servers
included. The name of a host is resolved once; all its addresses must be public, and the connection goes to an address
that was checked, so that a name which changes between check and use (DNS rebinding) leads nowhere else. Each redirect
is checked in the same way, and may not leave TLS. Proxies of the environment are not used. Closed networks name the
hosts whose private addresses are allowed.

The bounds are enforced on sockets of `http.client`: libraries above it, such as urllib3 and requests, resolve and
connect by themselves, and decompress what they have read without a limit.
"""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urljoin, urlsplit

from repository.errors import CallError, ContentError, SystemFault
from repository.localized import LocalizedText
from repository.network.deadline import shut_down_at, start_tls

_CHUNK: Final = 1 << 16
_LONGEST_URL: Final = 4096
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = ip_network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ip_network("2000::/3")
"""The addresses of IPv6 that IANA assigns for the Internet (RFC 4291). Site-local ones (fec0::/10) are outside."""

_GZIP: Final = 16 + zlib.MAX_WBITS

Resolver = Callable[[str, int], list[str]]


class PartnerUnavailable(SystemFault):
    """A partner's server cannot be reached, is slow or refuses for now. `seconds` is how long it asks to wait, or 0."""

    code = "partner.unavailable"
    text = LocalizedText("{url} 暂时无法访问：{reason}", "{url} cannot be reached: {reason}")


class PartnerFaulty(ContentError):
    """A partner's answer breaks its protocol or a limit; asking again soon gives the same."""

    code = "partner.faulty"
    text = LocalizedText("{url} 的应答有误：{reason}", "The answer of {url} is wrong: {reason}")


class AddressRefused(CallError):
    """An address that is not requested: of another scheme, or in a private network."""

    code = "partner.address"
    text = LocalizedText("不访问 {url}：{reason}", "{url} is not requested: {reason}")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The largest body in bytes after decompression, the seconds of a request with its redirects, and their number."""

    largest: int = 16 << 20
    seconds: float = 60.0
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class FetchedAnswer:
    """An answer with its final URL. `headers` have names in lower case; `body` is decompressed."""

    url: str
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def system_resolver(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True)
class GuardedClient:
    """Sends GET requests within limits. `private_hosts` are hosts, as URLs name them, that may have any address."""

    agent: str
    limits: FetchLimits = FetchLimits()
    private_hosts: Collection[str] = ()
    resolve: Resolver = system_resolver

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> FetchedAnswer:
        """Return the answer to a request, whatever its status, after redirects.

        Raises `AddressRefused`, `PartnerFaulty`, `PartnerUnavailable`.
        """
        deadline = time.monotonic() + self.limits.seconds
        for _ in range(self.limits.redirects + 1):
            answer = self._request(url, headers or {}, deadline)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            url = _redirected(url, location)
        raise PartnerFaulty(url=url, reason=LocalizedText("重定向过多", "it redirects too often"))

    def _request(self, url: str, headers: Mapping[str, str], deadline: float) -> FetchedAnswer:
        host, port, is_secure, target = parse_partner_url(url)
        kind = HTTPSConnection if is_secure else HTTPConnection
        connection = kind(host, port)
        sent = {"User-Agent": self.agent, "Accept-Encoding": "gzip", "Connection": "close", **headers}
        try:
            plain = self._connect(url, host, port, deadline)
            with shut_down_at(plain, deadline):
                connection.sock = start_tls(plain, host) if is_secure else plain
                connection.request("GET", target, headers=sent)
                response = connection.getresponse()
                found = {name.lower(): value for name, value in response.getheaders()}
                return FetchedAnswer(url, response.status, self._body(url, response, deadline), found)
        except (OSError, HTTPException, ValueError) as fault:
            slow = time.monotonic() >= deadline
            reason = _SLOW if slow else str(fault) or type(fault).__name__
            raise PartnerUnavailable(url=url, reason=reason, seconds=0) from fault
        finally:
            connection.close()

    def _connect(self, url: str, host: str, port: int, deadline: float) -> socket.socket:
        """Return a connection to an address of the host that was checked. Raises `OSError`, `AddressRefused`."""
        addresses = _resolved(self.resolve, host, port, deadline)
        if host not in self.private_hosts:
            for address in addresses:
                if not is_public(address):
                    raise AddressRefused(url=url, reason=_PRIVATE.format(address=address))
        fault = OSError("no address")
        for address in addresses:
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                raise TimeoutError
            try:
                return socket.create_connection((address, port), timeout=max(0.1, seconds))
            except OSError as failed:
                fault = failed
        raise fault

    def _body(self, url: str, response: HTTPResponse, deadline: float) -> bytes:
        """Return the decompressed body. Raises `PartnerFaulty` as soon as it is too long."""
        encoding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            reason = LocalizedText(
                f"不支持的压缩方式 {encoding[:40]}", f"its encoding {encoding[:40]} is not supported"
            )
            raise PartnerFaulty(url=url, reason=reason)
        pieces = _decompressed(_chunks(response), self.limits.largest) if "gzip" in encoding else _chunks(response)
        body = bytearray()
        try:
            for piece in pieces:
                body += piece
                if len(body) > self.limits.largest:
                    raise PartnerFaulty(url=url, reason=_LONG.format(bytes=self.limits.largest))
                if time.monotonic() > deadline:
                    raise TimeoutError
        except zlib.error as fault:
            reason = LocalizedText("压缩数据损坏", "its compressed body is damaged")
            raise PartnerFaulty(url=url, reason=reason) from fault
        return bytes(body)


def parse_partner_url(url: str) -> tuple[str, int, bool, str]:
    """Return host, port, whether it is https, and path with query. Raises `AddressRefused` for any other URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = "", 0
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST_URL
    if not (is_plain and host and port > 0 and parts.scheme in _PORTS and parts.username is None):
        raise AddressRefused(url=url[:200], reason=_FORM)
    return host, port, parts.scheme == "https", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def is_public(address: str) -> bool:
    """Return whether an address is on the public Internet, also where it stands for another one inside IPv6."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in _NAT64:
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
        if found.ipv4_mapped or found in _NAT64:
            return True
        if found not in _GLOBAL_UNICAST:
            return False
    return found.is_global and not found.is_multicast


def _redirected(url: str, location: str) -> str:
    """Return the URL that a redirect leads to. Raises `PartnerFaulty`."""
    try:
        target = urljoin(url, location).partition("#")[0]
    except ValueError as fault:
        raise PartnerFaulty(url=url, reason=_NO_TARGET) from fault
    if url.startswith("https:") and not target.startswith("https:"):
        reason = LocalizedText("由 https 重定向至不加密的地址", "it redirects from https to an address without TLS")
        raise PartnerFaulty(url=url, reason=reason)
    return target


def _resolved(resolve: Resolver, host: str, port: int, deadline: float) -> list[str]:
    """Return the addresses of a host. Raises `OSError`, which is `TimeoutError` at the deadline, and `ValueError`.

    getaddrinfo has no limit of time, and a host's own name server may answer as late as it likes. The thread is a
    daemon, unlike those of an executor: one that still waits does not keep the process from ending.
    """
    found: Future[list[str]] = Future()

    def ask() -> None:
        try:
            found.set_result(resolve(host, port))
        except (OSError, ValueError) as fault:
            found.set_exception(fault)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return found.result(max(0.0, deadline - time.monotonic()))


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read1(_CHUNK):
        yield chunk
    if response.length:
        raise HTTPException("the answer ends too early")


def _decompressed(chunks: Iterator[bytes], largest: int) -> Iterator[bytes]:
    """Yield the bytes of a gzip stream in pieces of bounded size, at most a little more than `largest` in all.

    An empty body has no stream: servers send the header with the answers 304 and 301 too.
    """
    decoder, total, is_empty = zlib.decompressobj(_GZIP), 0, True
    for chunk in chunks:
        is_empty = False
        rest = chunk
        while rest and total <= largest:
            piece = decoder.decompress(rest, _CHUNK)
            rest = decoder.unconsumed_tail
            total += len(piece)
            yield piece
    if not is_empty and not decoder.eof and total <= largest:
        raise zlib.error("incomplete")


_SLOW: Final = LocalizedText("应答过慢", "its answer takes too long")
_LONG: Final = LocalizedText("应答超过 {bytes} 字节", "its answer has more than {bytes} bytes")
_NO_TARGET: Final = LocalizedText("重定向的地址有误", "it redirects to an address that is not valid")
_PRIVATE: Final = LocalizedText(
    "{address} 不是公网地址；如确属合作机构，请写入设置 SHANBEN_HARVEST_PRIVATE",
    "{address} is not a public address; if it is a partner's, name its host in SHANBEN_HARVEST_PRIVATE",
)
_FORM: Final = LocalizedText(
    "应为 http:// 或 https:// 加主机名", "it must be http:// or https:// and a host, in printable ASCII"
)
