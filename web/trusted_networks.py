"""Where a request comes from: this machine, a private network, or elsewhere.

A request with a header field that proxies add was made on behalf of somebody else, and counts as from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Request

from repository.errors import AccessRefused
from repository.localized import LocalizedText

_PROXY_FIELDS: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_PRIVATE_NETWORKS: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""Addresses that are not routed on the Internet: RFC 1918, RFC 4193."""

_REMEMBERED_ADDRESSES: Final = 1024
"""Results that are cached: a connection asks for the same address with every request, and parsing it is slow."""


class StaffOnly(AccessRefused):
    """A page for staff was requested from a network that is not trusted."""

    code = "access.staff"
    text = LocalizedText(
        "此页只供管理人员在服务器本机查看；从其他计算机访问，请使用 SSH 隧道，或在边缘服务器上放行",
        "This page is for staff on the server; from another computer, use an SSH tunnel or permit it at the edge",
    )


def is_local_request(request: Request) -> bool:
    """Return whether a request was made on this machine, to this machine's own name, and by no proxy.

    The name matters because a page of another site may resolve its own name to this machine (DNS rebinding).
    """
    if _is_proxied(request):
        return False
    return _is_loopback(request.remote_addr or "") and _is_loopback(urlsplit(f"//{request.host}").hostname or "")


def is_from_private_network(request: Request) -> bool:
    """Return whether a request was made on this machine or on a private network, and by no proxy."""
    return not _is_proxied(request) and is_private_address(request.remote_addr or "")


@lru_cache(_REMEMBERED_ADDRESSES)
def is_private_address(host: str) -> bool:
    """Return whether an IP address is this machine's or on a private network; False for anything else."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _PRIVATE_NETWORKS)


def _is_proxied(request: Request) -> bool:
    return any(name in request.headers for name in _PROXY_FIELDS)


@lru_cache(_REMEMBERED_ADDRESSES)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(_REMEMBERED_ADDRESSES)
def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def client_address(scope: Mapping[str, Any]) -> str:
    """Return the client that an ASGI request came from, by its address; '' for a program on this machine.

    A proxy on a private network is believed to report its client in the last element of the last ``X-Forwarded-For``:
    a proxy appends an element or a field, and those before it are the client's own. An element that is no IP address is
    ignored.
    """
    peer = scope.get("client")
    address: str = peer[0] if peer else ""
    if not is_private_address(address):
        return _subscriber(address)
    fields = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return _client(address, fields[-1].decode("latin-1") if fields else None)


def request_address(request: Request) -> str:
    """Return the client that a request to Flask came from, as `client_address` does."""
    address = request.remote_addr or ""
    if not is_private_address(address):
        return _subscriber(address)
    return _client(address, request.headers.get("X-Forwarded-For"))


def _client(peer: str, forwarded: str | None) -> str:
    """Return the client that a peer on a private network reports in ``X-Forwarded-For``."""
    if forwarded is None:
        return "" if _is_loopback(peer) else peer
    reported = forwarded.rpartition(",")[2].strip()
    return _subscriber(reported) if _is_address(reported) else peer


@lru_cache(_REMEMBERED_ADDRESSES)
def _subscriber(address: str) -> str:
    """Return an IPv4 address, or the network of an IPv6 address: a subscriber has 2**64 of these (RFC 6177)."""
    if ":" not in address:
        return address
    return str(ip_network((address.partition("%")[0], 64), strict=False))
