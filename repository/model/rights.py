"""The URIs of licences and rights statements, in the one form that IIIF and harvesters compare. (pure)

Creative Commons and RightsStatements.org identify a licence by one URI, with ``http`` and a final slash, and publish
pages about it at others: deeds and legal codes in many languages. Sources: https://creativecommons.org/licenses/list.en
and https://rightsstatements.org/page/1.0/ .
"""

from __future__ import annotations

import re
from typing import Final

_HOST: Final = r"https?://(?:www\.)?"
_LANGUAGE: Final = r"[.-][A-Za-z]{2,4}(?:[-_][A-Za-z]{2,4})?"
_PAGE: Final = rf"(?:/(?:(?:deed|legalcode|rdf)(?:{_LANGUAGE})?(?:\.(?:txt|html))?)?)?/?(?:\?[^#]*)?(?:#.*)?"
_LICENCES: Final = r"by|by-sa|by-nd|by-nc|by-nc-sa|by-nc-nd"
_OLD_LICENCES: Final = r"by-nd-nc|nc|nc-sa|nd|nd-nc|sa"
_CREATIVE_COMMONS: Final = re.compile(
    rf"{_HOST}creativecommons\.org/"
    rf"(licenses/(?:(?:{_LICENCES})/(?:[123]\.0|2\.[15]|4\.0)|(?:{_OLD_LICENCES})/[12]\.0)(?:/(?:[a-z]{{2}}|igo|scotland))?"
    rf"|publicdomain/(?:mark|zero)/1\.0){_PAGE}",
    re.ASCII | re.IGNORECASE,
)
_STATEMENTS: Final = (
    "InC",
    "InC-OW-EU",
    "InC-EDU",
    "InC-NC",
    "InC-RUU",
    "NoC-CR",
    "NoC-NC",
    "NoC-OKLR",
    "NoC-US",
    "CNE",
    "UND",
    "NKC",
)
_STATEMENT: Final = re.compile(
    rf"{_HOST}rightsstatements\.org/(?:vocab|page|data)/({'|'.join(_STATEMENTS)})/1\.0{_PAGE}", re.ASCII | re.IGNORECASE
)
_SPELLING: Final = {name.casefold(): name for name in _STATEMENTS}


def licence_uri(uri: str) -> str | None:
    """Return the URI of the licence or rights statement that an address belongs to, or None if it is of no known one.

    ``https://creativecommons.org/licenses/by/4.0/deed.zh-hans`` is ``http://creativecommons.org/licenses/by/4.0/``.
    """
    if match := _CREATIVE_COMMONS.fullmatch(uri):
        return f"http://creativecommons.org/{match[1].lower()}/"
    if match := _STATEMENT.fullmatch(uri):
        return f"http://rightsstatements.org/vocab/{_SPELLING[match[1].casefold()]}/1.0/"
    return None
