"""Settings, read once: from the environment, and from `shanben.toml` where the environment is silent.

The only module that reads either. Each field's environment name is ``SHANBEN_`` and the field in capitals; in the TOML
file it stands in lower case. docs/settings.md explains each, and a test holds that page to this class.
"""

from __future__ import annotations

import os
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


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set. Paths are used as given; empty strings mean "the default"."""

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
    provider: str = ""
    tile_size: int = 512
    jpeg_quality: int = 80
    pixel_budget: int = 2_000_000_000
    max_area: int = 64_000_000
    decode_seconds: int = 900
    render_seconds: int = 60
    client_pixels: int = 20_000_000
    watermark: str = ""
    cache_bytes: int = 0
    request_log: str = ""
    lease_seconds: int = 60
    sweep_seconds: int = 10
    patience_seconds: int = 86_400

    @property
    def database_url(self) -> str:
        """The SQLAlchemy address of the database."""
        return self.database or f"sqlite:///{self.data / 'shanben.sqlite'}"

    @property
    def store_url(self) -> str:
        """Where the store is: a folder's path or ``s3://bucket/prefix``."""
        return self.store or str(self.data / "store")

    @property
    def keys(self) -> Path:
        """The folder of the log's signing key: never in the store."""
        return self.data / "keys"

    @property
    def cache(self) -> Path:
        """Where tiles of a distant store are kept at hand; may be deleted at any time."""
        return self.data / "cache"

    @property
    def metrics(self) -> Path:
        """Where the web processes of a machine share their numbers; may be deleted at any time."""
        return self.data / "metrics"

    @property
    def staging(self) -> Path:
        """Where work in progress lies; may be emptied when nothing runs."""
        return self.data / "staging"


_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "tile_size": (64, 4096),
    "jpeg_quality": (1, 100),
    "pixel_budget": (1, 1 << 40),
    "max_area": (1, 1 << 32),
    "decode_seconds": (1, 86_400),
    "render_seconds": (1, 3600),
    "client_pixels": (0, 1 << 40),
    "cache_bytes": (0, 1 << 50),
    "lease_seconds": (2, 3600),
    "sweep_seconds": (1, 3600),
    "patience_seconds": (0, 30 * 86_400),
}


def read_settings(environ: Mapping[str, str], folder: Path | None = None) -> Settings:
    """Settings from `environ`, then from `shanben.toml` in `folder`. Raises `SettingInvalid` for what cannot be used.

    An unknown name in the file is a fault: a mistyped setting must not pass in silence. The environment belongs to
    others too; `unknown_names` tells what in it was not understood.
    """
    known = {field.name for field in fields(Settings)}
    values: dict[str, Any] = _read_file(folder / SETTINGS_FILE) if folder else {}
    if unknown := sorted(values.keys() - known):
        raise SettingInvalid(name=unknown[0], reason=LocalizedText("没有这项设置", "there is no such setting"))
    values |= {name: environ[PREFIX + name.upper()] for name in known if PREFIX + name.upper() in environ}
    return replace(Settings(), **{name: _convert(name, value) for name, value in values.items() if value != ""})


def read_language(environ: Mapping[str, str]) -> Language | None:
    """The language of the person at the terminal, by POSIX's locale variables; None when they say neither of ours."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return {"zh": Language.CHINESE, "en": Language.ENGLISH}.get(locale[:2].lower())


def process_settings() -> Settings:
    """The settings of this process: its environment, and the file in the folder it was started in."""
    return read_settings(os.environ, Path.cwd())


def process_language() -> Language | None:
    """The language of the person who started this process."""
    return read_language(os.environ)


def process_unknown_names() -> list[str]:
    """Names in this process's environment that look like settings of ours and are none."""
    return unknown_names(os.environ)


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Names in the environment that look like settings of ours and are none."""
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _read_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingInvalid(name=path.name, reason=str(fault)) from fault


def _convert(name: str, value: Any) -> Any:
    if name == "data":
        return Path(value)
    if name == "replicas":
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(part.strip() for part in parts if part.strip())
    if name in _BOUNDS:
        return _bounded(name, value)
    text = str(value)
    return _checked_base_url(name, text).rstrip("/") if name == "base_url" else text


def _checked_base_url(name: str, text: str) -> str:
    """What every identifier and some headers begin with."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or set(text) & set(" ?#"):
        reason = LocalizedText(
            "应为 http:// 或 https:// 加主机名，不含查询（?）与片段（#），如 https://library.example",
            "it is to be http:// or https:// and a host, without query or fragment, like https://library.example",
        )
        raise SettingInvalid(name=name, reason=reason)
    return text


def _bounded(name: str, value: Any) -> int:
    low, high = _BOUNDS[name]
    try:
        number = int(value)
    except (TypeError, ValueError) as fault:
        raise SettingInvalid(name=name, reason=f"{value!r}") from fault
    if not low <= number <= high:
        raise SettingInvalid(name=name, reason=f"{number} ∉ [{low}, {high}]")
    return number
