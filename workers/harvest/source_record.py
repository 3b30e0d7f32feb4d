"""What a partner's record says, in the partner's words, whatever its format. (pure)"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final
from urllib.parse import quote, urlsplit

MOST_VALUES: Final = 50
LONGEST_VALUE: Final = 4000
LONGEST_URL: Final = 2000


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """The values of a record by field, as the partner writes them, each at most `MOST_VALUES` of `LONGEST_VALUE`.

    `page`, `manifest` and `thumbnail` are URLs at the partner: of the page about the work, of its IIIF manifest and of
    a small picture.
    """

    title: tuple[str, ...] = ()
    creator: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    edition: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    classification: tuple[str, ...] = ()
    holder: tuple[str, ...] = ()
    call_number: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    page: tuple[str, ...] = ()
    manifest: tuple[str, ...] = ()
    thumbnail: tuple[str, ...] = ()
    place: tuple[str, ...] = ()


FIELDS: Final = tuple(field.name for field in fields(SourceRecord))
URL_FIELDS: Final = frozenset({"page", "manifest", "thumbnail"})


def source_record(values: dict[str, list[str]]) -> SourceRecord:
    """Return a record of collected values: without empty and repeated ones, and within the limits."""
    return SourceRecord(**{name: _bounded(name, values.get(name, [])) for name in FIELDS})


def _bounded(name: str, values: list[str]) -> tuple[str, ...]:
    if name in URL_FIELDS:
        urls = (ascii_url(value.strip()) for value in values)
        kept = [url for url in urls if is_web_url(url)]
    else:
        kept = [value.strip()[:LONGEST_VALUE] for value in values if value.strip()]
    return tuple(dict.fromkeys(kept))[:MOST_VALUES]


def ascii_url(text: str) -> str:
    """Return a URL with its characters outside ASCII percent-encoded (RFC 3987, section 3.1), as requests send it."""
    return text if text.isascii() else quote(text, safe="%:/?#[]@!$&'()*+,;=")


def is_web_url(text: str) -> bool:
    """Return whether a value is an http or https URL with a host, in printable ASCII without spaces and quotes.

    It has at most `LONGEST_URL` characters, and no user information: ``http://library.example@elsewhere.example`` would
    seem to lead to the first (RFC 3986, section 7.6).
    """
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" \"'<>\\^`{|}")
    if not is_plain or len(text) > LONGEST_URL or not text.lower().startswith(("http://", "https://")):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:  # a bracket without its twin
        return False
