"""Decides from where a request came: this machine, a private network, or elsewhere."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from flask import Request

from repository.errors import AccessRefused
from repository.localized import LocalizedText

_TRACES: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_OWN_NETWORKS: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""Addresses that no provider routes: RFC 1918, RFC 4193."""


class StaffOnly(AccessRefused):
    """A page for those who run the house, asked for from elsewhere than the machine that serves it."""

    code = "access.staff"
    text = LocalizedText(
        "此页只供管理人员在服务器本机查看；其他机器可经 SSH 隧道，或由边缘服务器放行",
        "This page is for staff, on the server itself; from elsewhere use an SSH tunnel, or have the edge admit you",
    )


def is_local_request(asked: Request) -> bool:
    """Whether a request was made on this machine, by no other's order."""
    if any(name in asked.headers for name in _TRACES):
        return False
    return _is_loopback(asked.remote_addr or "") and _is_loopback(urlsplit(f"//{asked.host}").hostname or "")


def is_from_private_network(asked: Request) -> bool:
    """Whether a request was made by this machine or one of its own network, and by no other's order."""
    return not any(name in asked.headers for name in _TRACES) and is_private_address(asked.remote_addr or "")


def is_private_address(host: str) -> bool:
    """Whether an address is of this machine or of a network that no provider routes to."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _OWN_NETWORKS)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
