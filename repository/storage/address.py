"""Where a store is, as an operator writes it, and what it may be called where others can read it.

::

    /srv/shanben/store                      a folder
    file:///srv/%E5%96%84%E6%9C%AC%2Cstore  the same, percent-encoded: a path with a comma in a list of replicas
    s3://bucket/prefix                      the rest from the SHANBEN_S3_ settings
    s3://bucket/prefix?endpoint=https://s3.example:9000&access_key=...&secret_key=...&region=...

What an S3 address leaves out comes from the settings; ``endpoint=`` with nothing behind it is Amazon's. Everything may
be percent-encoded, and ``%``, ``&`` and ``,`` must be; a ``+`` is a plus. No secret is ever in a name, a fault or a
`repr` made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from repository.config import PREFIX, Settings
from repository.errors import SettingInvalid, StoreFault
from repository.localized import LocalizedText
from repository.storage.content import check_key

S3_SCHEME: Final = "s3://"
_FILE_SCHEME: Final = "file://"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{0,2}")
_PARAMETERS: Final = ("endpoint", "access_key", "secret_key", "region")
_AMAZON: Final = "https://s3.amazonaws.com"
_LONGEST_NAME: Final = 180  # a job's key, of 255 characters, names it beside a work


@dataclass(frozen=True, slots=True)
class S3Address:
    """A store in S3: its bucket, its prefix ('' for none), its server ('' for Amazon's) and how to be let in."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    def key(self, key: str) -> str:
        """The key in the bucket of a key in the store."""
        return f"{self.prefix}/{key}" if self.prefix and key else self.prefix or key

    @property
    def place(self) -> str:
        """What two addresses of one and the same store have in common, and of no other."""
        return f"{self.endpoint or _AMAZON}/{self.bucket}/{self.prefix}".rstrip("/") + "/"


StoreAddress = Path | S3Address
"""Where a store is, once its address has been read."""


def parse_address(address: str, settings: Settings, name: str = "store") -> StoreAddress:
    """Read an address. Raises `SettingInvalid`, which calls the setting `name` and tells no secret."""
    scheme = _SCHEME.match(address)  # a folder so called is written ./x:y
    if not scheme:
        return Path(address)
    if address.startswith(_FILE_SCHEME):
        return Path(unquote(address.removeprefix(_FILE_SCHEME)))
    if not address.startswith(S3_SCHEME):
        setting = PREFIX + name.upper()
        raise SettingInvalid(
            name=name,
            reason=LocalizedText(
                f"{scheme[0]} 开头的地址无法用作存储；{setting} 应为文件夹路径或 s3://bucket/prefix",
                f"an address that begins with {scheme[0]} is no store; give {setting} a folder's path or s3://bucket/prefix",
            ),
        )
    place, _, query = address.removeprefix(S3_SCHEME).partition("?")
    bucket, _, prefix = (unquote(part) for part in place.partition("/"))
    given = _parameters(query, name)
    return S3Address(
        bucket=_checked_bucket(bucket, name),
        prefix=_checked_prefix(prefix.strip("/"), name),
        endpoint=_checked_endpoint(given.get("endpoint", settings.s3_endpoint), name),
        region=given.get("region", settings.s3_region),
        access_key=given.get("access_key", settings.s3_access_key),
        secret_key=given.get("secret_key", settings.s3_secret_key),
    )


def store_name(address: str) -> str:
    """What a store is called in messages, pages and tables: its address without secrets. Raises `SettingInvalid`."""
    parsed = parse_address(address, Settings())
    if isinstance(parsed, Path):
        return str(parsed)
    place = f"{S3_SCHEME}{parsed.bucket}/{parsed.prefix}".rstrip("/")
    return f"{place}?endpoint={quote(parsed.endpoint, safe=':/[]')}" if parsed.endpoint else place


def distinct_replicas(settings: Settings) -> dict[str, StoreAddress]:
    """Where the settings' replicas are, by name. Raises `SettingInvalid` when two stores are one, or one in another."""
    places = [("store", _place(parse_address(settings.store_url, settings)))]
    found: dict[str, StoreAddress] = {}
    for address in settings.replicas:
        parsed = parse_address(address, settings, "replicas")
        name, place = store_name(address), _place(parsed)
        if len(name) > _LONGEST_NAME:
            reason = LocalizedText(
                f"{name} 过长（至多 {_LONGEST_NAME} 字）", f"{name} is longer than {_LONGEST_NAME} characters"
            )
            raise SettingInvalid(name="replicas", reason=reason)
        if other := _overlapping(place, places):
            raise SettingInvalid(
                name="replicas",
                reason=LocalizedText(
                    f"{name} 与 {other} 是同一处存储，或一处位于另一处之内；副本须各在一处",
                    f"{name} is the same store as {other}, or one lies within the other; each needs its own place",
                ),
            )
        places.append((name, place))
        found[name] = parsed
    return found


def _place(address: StoreAddress) -> str:
    return address.place if isinstance(address, S3Address) else f"{address.resolve()}/"


def _overlapping(place: str, places: Iterable[tuple[str, str]]) -> str | None:
    return next((name for name, other in places if place.startswith(other) or other.startswith(place)), None)


def _parameters(query: str, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&") if query else []:
        parameter, _, value = part.partition("=")
        if parameter not in _PARAMETERS or parameter in found:
            known = ", ".join(_PARAMETERS)
            raise SettingInvalid(
                name=name,
                reason=LocalizedText(
                    f"s3:// 地址的参数只能是 {known}，且各一次", f"an s3:// address takes only {known}, each once"
                ),
            )
        found[parameter] = unquote(value)
    if ("access_key" in found) != ("secret_key" in found):
        raise SettingInvalid(
            name=name,
            reason=LocalizedText("access_key 与 secret_key 须一并给出", "access_key and secret_key belong together"),
        )
    return found


def _checked_bucket(bucket: str, name: str) -> str:
    if not bucket or not bucket.isprintable() or set(bucket) & set("@?#\\ "):
        raise SettingInvalid(
            name=name, reason=LocalizedText("地址应为 s3://bucket/prefix", "it is to be s3://bucket/prefix")
        )
    return bucket


def _checked_prefix(prefix: str, name: str) -> str:
    try:
        return check_key(prefix) if prefix else ""
    except StoreFault as fault:
        raise SettingInvalid(
            name=name,
            reason=LocalizedText("存储桶后的前缀不合规范", "the prefix behind the bucket is not a clean one"),
        ) from fault


def _checked_endpoint(endpoint: str, name: str) -> str:
    """The endpoint without a slash at its end. One that carries a password would be shown by every fault."""
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
        usable = usable and (parts.port is None or parts.port > 0) and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if endpoint and not usable:
        raise SettingInvalid(
            name=name,
            reason=LocalizedText(
                "S3 服务的地址应为 http(s)://主机:端口，不含密码",
                "the address of an S3 service is http(s)://host:port, without a password",
            ),
        )
    return endpoint.rstrip("/")
