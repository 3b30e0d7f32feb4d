"""Settings, read once from the environment, and from `shanben.toml` for names that the environment lacks.

No other module reads either. The environment variable of a field is ``SHANBEN_`` and its name in capitals; in the TOML
file it is the name. docs/settings.md explains every setting, and a test compares that page with this class.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from repository.errors import SettingInvalid
from repository.localized import Language, LocalizedText

PREFIX: Final = "SHANBEN_"
SETTINGS_FILE: Final = "shanben.toml"
KEY_CREDENTIAL: Final = "shanben-key-passphrase"
"""The name of the systemd credential with the passphrase of the signing keys."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an operator. Paths are used as given; an empty string means the default."""

    data: Path = Path("var")
    database: str = ""
    store: str = ""
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_region: str = "us-east-1"
    replicas: tuple[str, ...] = ()
    broker: str = ""
    base_url: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    log_origin: str = ""
    witnesses: tuple[str, ...] = ()
    quorum: int = 0
    key_passphrase: str = ""
    key_passphrase_file: str = ""
    key_days: int = 730
    delete_days: int = 7
    tsa: str = ""
    tsa_certificates: str = ""
    fixity_days: int = 90
    cold_stores: tuple[str, ...] = ()
    fixity_limit: int = 0
    fixity_hours: str = ""
    alarm_mail: tuple[str, ...] = ()
    smtp: str = ""
    autorepair: int = 1
    provider: str = ""
    provider_logo: str = ""
    contact_mail: str = ""
    embedders: tuple[str, ...] = ()
    tile_size: int = 512
    jpeg_quality: int = 80
    pixel_budget: int = 2_000_000_000
    max_area: int = 64_000_000
    decode_seconds: int = 900
    render_seconds: int = 60
    client_pixels: int = 20_000_000
    client_requests: int = 300
    similar_pages: int = 100_000
    watermark: str = ""
    harvest_private: tuple[str, ...] = ()
    harvest_records: int = 1_000_000
    harvest_bytes: int = 50_000_000_000
    credentials_certificates: str = ""
    credentials_key: str = ""
    cache_bytes: int = 0
    request_log: str = ""
    lease_seconds: int = 60
    sweep_seconds: int = 10
    patience_seconds: int = 86_400

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database or f"sqlite:///{self._sqlite_file}"

    @property
    def has_database(self) -> bool:
        """Whether a database is set, or its file exists."""
        return bool(self.database) or self._sqlite_file.exists()

    @property
    def _sqlite_file(self) -> Path:
        return self.data / "shanben.sqlite"

    @property
    def store_url(self) -> str:
        """The address of the store: a folder's path or ``s3://bucket/prefix``."""
        return self.store or str(self.data / "store")

    @property
    def is_read_only(self) -> bool:
        """Whether the data folder exists and this process may not write it."""
        return self.data.is_dir() and not os.access(self.data, os.W_OK)

    @property
    def keys(self) -> Path:
        """The folder of the log's private keys and of the salt of sealed names, which are never in the store."""
        return self.data / "keys"

    def signing_passphrase(self) -> str:
        """Return the passphrase of the signing keys, '' for none; read it from its file, if one is set.

        Raises `SettingInvalid` for a file that cannot be read, is empty, or can be read by other users.
        """
        if self.key_passphrase or not self.key_passphrase_file:
            return self.key_passphrase
        return _read_passphrase(Path(self.key_passphrase_file))

    @property
    def cache(self) -> Path:
        """The folder of the disk cache for tiles of an S3 store; may be deleted at any time."""
        return self.data / "cache"

    @property
    def metrics(self) -> Path:
        """The folder where web processes of a machine share their metrics; may be deleted at any time."""
        return self.data / "metrics"

    @property
    def staging(self) -> Path:
        """The folder of scratch files; may be emptied when nothing runs."""
        return self.data / "staging"


_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "tile_size": (64, 4096),
    "jpeg_quality": (1, 100),
    "pixel_budget": (1, 1 << 40),
    "max_area": (1, 4_000_000_000),
    "decode_seconds": (1, 86_400),
    "render_seconds": (1, 3600),
    "client_pixels": (0, 1 << 40),
    "client_requests": (0, 1_000_000),
    "quorum": (0, 100),
    "key_days": (1, 36_500),
    "delete_days": (0, 3650),
    "harvest_records": (1, 100_000_000),
    "harvest_bytes": (1, 1 << 50),
    "similar_pages": (0, 100_000_000),
    "fixity_days": (1, 3650),
    "fixity_limit": (0, 1 << 40),
    "autorepair": (0, 1),
    "cache_bytes": (0, 1 << 50),
    "lease_seconds": (2, 3600),
    "sweep_seconds": (1, 3600),
    "patience_seconds": (0, 30 * 86_400),
}

_LISTS: Final = frozenset({"alarm_mail", "cold_stores", "embedders", "harvest_private", "replicas", "witnesses"})
_ORIGIN: Final = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5})?")


def read_settings(environ: Mapping[str, str], folder: Path | None = None) -> Settings:
    """Return the settings of `environ`, then of `shanben.toml` in `folder`. Raises `SettingInvalid`.

    An unknown name in the file is an error, so that a mistyped setting is not ignored. The environment has variables of
    other programs; `unknown_names` finds mistyped settings in it.
    """
    names = {field.name for field in fields(Settings)}
    values: dict[str, Any] = _read_file(folder / SETTINGS_FILE) if folder else {}
    if unknown := sorted(values.keys() - names):
        raise SettingInvalid(name=unknown[0], reason=LocalizedText("没有这项设置", "there is no such setting"))
    if "key_passphrase_file" not in values and (credential := _credential(environ)):
        values["key_passphrase_file"] = credential
    values |= {name: environ[PREFIX + name.upper()] for name in names if PREFIX + name.upper() in environ}
    return replace(Settings(), **{name: _convert(name, value) for name, value in values.items() if value != ""})


def _credential(environ: Mapping[str, str]) -> str:
    """Return the path of the credential that systemd passes (``LoadCredential=``); '' without one."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(folder, KEY_CREDENTIAL)
    return str(path) if folder and path.is_file() else ""


def _read_passphrase(path: Path) -> str:
    name = "key_passphrase_file"
    try:
        mode, content = path.stat().st_mode, path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingInvalid(name=name, reason=str(fault)) from fault
    if mode & 0o077 and path.name != KEY_CREDENTIAL:
        reason = LocalizedText("他人可读取；请执行 chmod 600", "other users can read it; run chmod 600 on it")
        raise SettingInvalid(name=name, reason=reason)
    if not content:
        raise SettingInvalid(name=name, reason=LocalizedText("文件为空", "the file is empty"))
    return content


def read_language(environ: Mapping[str, str]) -> Language | None:
    """Return the interface language of POSIX's locale variables; None when they name neither Chinese nor English."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return {"zh": Language.CHINESE, "en": Language.ENGLISH}.get(locale[:2].lower())


def process_settings() -> Settings:
    """Return the settings of this process, from its environment and the file in its current folder."""
    return read_settings(os.environ, Path.cwd())


def process_language() -> Language | None:
    """Return the interface language of this process's environment."""
    return read_language(os.environ)


def process_unknown_names() -> list[str]:
    """Return the unknown names with our prefix in this process's environment."""
    return unknown_names(os.environ)


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Return the names in the environment that have our prefix and are no settings."""
    variables = {PREFIX + field.name.upper() for field in fields(Settings)}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in variables)


def _read_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingInvalid(name=path.name, reason=str(fault)) from fault


def _convert(name: str, value: Any) -> Any:
    if name in _LISTS:
        listed = _listed(name, value)
        return _checked_origins(name, listed) if name == "embedders" else listed
    if name in _BOUNDS:
        return _bounded(name, value)
    text = _text(name, value)
    if name == "data":
        return Path(text)
    if name == "provider_logo":
        return _checked_base_url(name, text)
    return _checked_base_url(name, text).rstrip("/") if name == "base_url" else text


def _listed(name: str, value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        reason = LocalizedText("应为文字的列表，或以逗号分隔的文字", "it must be a list, or a text with commas")
        raise SettingInvalid(name=name, reason=reason)
    return tuple(text for part in parts if (text := _text(name, part).strip()))


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):  # a number may have been written without quotes
        raise SettingInvalid(name=name, reason=LocalizedText("应为文字，须加引号", "it must be a text, in quotes"))
    if "\0" in str(value):
        raise SettingInvalid(name=name, reason=LocalizedText("不可含有空字符", "it must not contain NUL characters"))
    return str(value)


def _checked_base_url(name: str, text: str) -> str:
    """Return the base URL, which begins every IIIF identifier, or another address of documents, if it is valid."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or set(text) & set(" ?#"):
        reason = LocalizedText(
            "应为 http:// 或 https:// 加主机名，不含查询（?）与片段（#），如 https://library.example",
            "it must be http:// or https:// and a host, without query or fragment, like https://library.example",
        )
        raise SettingInvalid(name=name, reason=reason)
    return text


def _checked_origins(name: str, origins: tuple[str, ...]) -> tuple[str, ...]:
    """Return the origins of sites, which become part of a header, if each is valid: ``*``, or a scheme and a host."""
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            reason = LocalizedText(
                f"{origin} 应为 * 或形如 https://partner.example 的网址",
                f"{origin} must be * or like https://partner.example",
            )
            raise SettingInvalid(name=name, reason=reason)
    return origins


def _bounded(name: str, value: Any) -> int:
    low, high = _BOUNDS[name]
    invalid = LocalizedText(
        f"应为 {low} 至 {high} 的整数，不能是 {value!r}", f"it must be an integer from {low} to {high}, not {value!r}"
    )
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as fault:
        raise SettingInvalid(name=name, reason=invalid) from fault
    if not low <= number <= high or (isinstance(value, float) and number != value):
        raise SettingInvalid(name=name, reason=invalid)
    return number
