"""Entity tags of documents, and their comparison (RFC 9110, sections 8.8.3 and 13.1.2). (pure)

The tags of images name the pyramid and the tile or the rendering instead (`image/service.py`): they are known before
any byte is read.
"""

from __future__ import annotations

from werkzeug.http import generate_etag, parse_etags, quote_etag


def entity_tag(content: bytes) -> str:
    """Return the strong entity tag of a document, in its quotes, as `werkzeug.Response.add_etag` does."""
    return quote_etag(generate_etag(content))


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether ``If-None-Match`` names `etag`, an entity tag in its quotes, weak or strong.

    The comparison is the weak one (RFC 9110, section 13.1.2). A tag without quotes, which werkzeug accepts, names
    nothing.
    """
    if not if_none_match:
        return False
    tags, quoted = parse_etags(if_none_match.strip()), etag.removeprefix("W/")
    return tags.star_tag or (quoted in if_none_match and tags.contains_weak(quoted.strip('"')))
