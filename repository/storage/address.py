"""Addresses of stores, as an operator writes them, and their names without secrets.

::

    /srv/shanben/store                      a folder
    file:///srv/%E5%96%84%E6%9C%AC%2Cstore  the same, percent-encoded: a path with a comma in a list of replicas
    s3://bucket/prefix                      the rest comes from the SHANBEN_S3_ settings
    s3://bucket/prefix?endpoint=https://s3.example:9000&access_key=...&secret_key=...&region=...

Parameters that an S3 address leaves out come from the settings; an empty ``endpoint=`` is Amazon S3. Any character may
be percent-encoded, and ``%``, ``&`` and ``,`` must be; ``+`` stands for itself. Names, errors and `repr` of this module
never contain a secret.
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
_LONGEST_NAME: Final = 180  # a job's key, of 255 characters, holds the name and an identifier


@dataclass(frozen=True, slots=True)
class S3Address:
    """A store in S3: bucket, prefix ('' for none), endpoint ('' for Amazon S3), region and credentials."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    def key(self, key: str) -> str:
        """Return the bucket's key of a key of the store."""
        return f"{self.prefix}/{key}" if self.prefix and key else self.prefix or key

    @property
    def location(self) -> str:
        """The same string for every address of one store, and for no other store."""
        return f"{self.endpoint or _AMAZON}/{self.bucket}/{self.prefix}".rstrip("/") + "/"


StoreAddress = Path | S3Address
"""A parsed address: a folder or a store in S3."""


def parse_address(address: str, settings: Settings, name: str = "store") -> StoreAddress:
    """Parse an address. Raises `SettingInvalid`, which names the setting `name` and contains no secret."""
    scheme = _SCHEME.match(address)  # a folder with a colon is written ./x:y
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
                f"{scheme[0]} is not the scheme of a store; set {setting} to a folder's path or s3://bucket/prefix",
            ),
        )
    place, _, query = address.removeprefix(S3_SCHEME).partition("?")
    bucket, _, prefix = (unquote(part) for part in place.partition("/"))
    parameters = _parse_parameters(query, name)
    return S3Address(
        bucket=_checked_bucket(bucket, name),
        prefix=_checked_prefix(prefix.strip("/"), name),
        endpoint=_checked_endpoint(parameters.get("endpoint", settings.s3_endpoint), name),
        region=parameters.get("region", settings.s3_region),
        access_key=parameters.get("access_key", settings.s3_access_key),
        secret_key=parameters.get("secret_key", settings.s3_secret_key),
    )


def store_name(address: str) -> str:
    """Return a store's name in messages, pages and tables: its address without secrets. Raises `SettingInvalid`."""
    parsed = parse_address(address, Settings())
    if isinstance(parsed, Path):
        return str(parsed)
    place = f"{S3_SCHEME}{parsed.bucket}/{parsed.prefix}".rstrip("/")
    return f"{place}?endpoint={quote(parsed.endpoint, safe=':/[]')}" if parsed.endpoint else place


def replica_addresses(settings: Settings) -> dict[str, StoreAddress]:
    """Return the addresses of the settings' replicas by name. Raises `SettingInvalid` when two stores overlap."""
    locations = [("store", _location(parse_address(settings.store_url, settings)))]
    addresses: dict[str, StoreAddress] = {}
    for address in settings.replicas:
        parsed = parse_address(address, settings, "replicas")
        name, location = store_name(address), _location(parsed)
        if len(name) > _LONGEST_NAME:
            reason = LocalizedText(
                f"{name} 过长（至多 {_LONGEST_NAME} 字）", f"{name} is longer than {_LONGEST_NAME} characters"
            )
            raise SettingInvalid(name="replicas", reason=reason)
        if other := _find_overlap(location, locations):
            raise SettingInvalid(
                name="replicas",
                reason=LocalizedText(
                    f"{name} 与 {other} 是同一处存储，或一处位于另一处之内；副本须各在一处",
                    f"{name} and {other} are the same store, or one contains the other; use separate stores",
                ),
            )
        locations.append((name, location))
        addresses[name] = parsed
    return addresses


def _location(address: StoreAddress) -> str:
    return address.location if isinstance(address, S3Address) else f"{address.resolve()}/"


def _find_overlap(location: str, locations: Iterable[tuple[str, str]]) -> str | None:
    return next((name for name, other in locations if location.startswith(other) or other.startswith(location)), None)


def _parse_parameters(query: str, name: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in query.split("&") if query else []:
        parameter, _, value = part.partition("=")
        if parameter not in _PARAMETERS or parameter in parameters:
            names = ", ".join(_PARAMETERS)
            raise SettingInvalid(
                name=name,
                reason=LocalizedText(
                    f"s3:// 地址的参数只能是 {names}，且各一次",
                    f"an s3:// address takes {names}, each once",
                ),
            )
        parameters[parameter] = unquote(value)
    if ("access_key" in parameters) != ("secret_key" in parameters):
        raise SettingInvalid(
            name=name,
            reason=LocalizedText("access_key 与 secret_key 须一并给出", "give access_key and secret_key together"),
        )
    return parameters


def _checked_bucket(bucket: str, name: str) -> str:
    if not bucket or not bucket.isprintable() or set(bucket) & set("@?#\\ "):
        raise SettingInvalid(
            name=name,
            reason=LocalizedText("地址应为 s3://bucket/prefix", "the address must have the form s3://bucket/prefix"),
        )
    return bucket


def _checked_prefix(prefix: str, name: str) -> str:
    try:
        return check_key(prefix) if prefix else ""
    except StoreFault as fault:
        raise SettingInvalid(
            name=name,
            reason=LocalizedText("存储桶后的前缀不合规范", "the prefix after the bucket is not a valid key"),
        ) from fault


def _checked_endpoint(endpoint: str, name: str) -> str:
    """Return the endpoint without a trailing slash. One with a password is refused, since error messages show it."""
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
                "the endpoint of an S3 server must have the form http(s)://host:port, without a password",
            ),
        )
    return endpoint.rstrip("/")
