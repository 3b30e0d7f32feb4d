"""Validates the ``Host`` of a request, which becomes a part of URLs. (pure)

RFC 9110, section 7.2; RFC 3986, section 3.2.2; RFC 1123, section 2.1. Underscores are permitted, because names within
container networks have them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from repository.errors import RequestInvalid
from repository.localized import LocalizedText

_REMEMBERED: Final = 1024
"""Hosts whose verdict is cached: nearly every request has the same."""

_LONGEST: Final = 253
_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = rf"(?P<name>{_LABEL}(\.{_LABEL})*)\.?"
_HOST: Final = re.compile(rf"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|{_NAME})(:(?P<port>[0-9]{{0,5}}))?")
_LAST_PORT: Final = 65_535


class HostInvalid(RequestInvalid):
    """The ``Host`` of a request is no host name."""

    code = "request.host"
    text = LocalizedText(
        "请求的 Host 不是有效的主机名；请核对地址中的主机名",
        "The request's Host is not a host name; check the host name in the address",
    )


@lru_cache(_REMEMBERED)
def is_host(host: str) -> bool:
    """Return whether `host` is a host name or an IP address, with or without a port."""
    match = _HOST.fullmatch(host)
    if not match or int(match["port"] or 0) > _LAST_PORT:
        return False
    if match["name"]:
        return len(match["name"]) <= _LONGEST
    try:
        IPv6Address(match["address"])
    except AddressValueError:
        return False
    return True
