"""Rights URIs: every page about a licence is known as that licence, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.rights import licence_uri

BY = "http://creativecommons.org/licenses/by/4.0/"
MARK = "http://creativecommons.org/publicdomain/mark/1.0/"
IN_COPYRIGHT = "http://rightsstatements.org/vocab/InC/1.0/"
LICENCES = [
    BY,
    MARK,
    "http://creativecommons.org/publicdomain/zero/1.0/",
    "http://creativecommons.org/licenses/by-nc-sa/3.0/tw/",
    "http://creativecommons.org/licenses/by-nd/2.5/cn/",
    "http://creativecommons.org/licenses/by/3.0/igo/",
    "http://creativecommons.org/licenses/nc-sa/1.0/",
    IN_COPYRIGHT,
    "http://rightsstatements.org/vocab/NoC-OKLR/1.0/",
    "http://rightsstatements.org/vocab/InC-OW-EU/1.0/",
]


@given(
    st.sampled_from(LICENCES),
    st.sampled_from(["http://", "https://", "http://www.", "https://www.", "HTTPS://"]),
    st.sampled_from(
        ["", "deed", "deed.zh-hans", "deed.zh_TW", "deed.en", "legalcode", "legalcode.zh-hant", "legalcode.txt"]
    ),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "?ref=chooser-v1", "?language=zh", "#section"]),
)
def test_every_address_of_a_licence_gives_its_uri(licence: str, scheme: str, page: str, slash: str, query: str) -> None:
    address = scheme + licence.removeprefix("http://")
    address = address + page + slash if page else address.rstrip("/") + slash
    assert licence_uri(address + query) == licence


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("https://creativecommons.org/publicdomain/mark/1.0/deed.zh-hans", MARK),
        ("https://creativecommons.org/licenses/by/4.0/legalcode", BY),
        ("http://creativecommons.org/licenses/by/4.0", BY),
        ("http://rightsstatements.org/page/InC/1.0/?language=zh", IN_COPYRIGHT),
        ("https://rightsstatements.org/vocab/noc-nc/1.0/", "http://rightsstatements.org/vocab/NoC-NC/1.0/"),
    ],
)
def test_address_as_copied_from_a_browser_gives_the_uri(address: str, uri: str) -> None:
    assert licence_uri(address) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "http://creativecommons.org/licenses/",
        "http://creativecommons.org/licenses/by/",
        "http://creativecommons.org/licenses/xx/4.0/",
        "http://creativecommons.org/licenses/by/9.9/",
        "http://creativecommons.org/licenses/by/4.0/other/",
        "http://creativecommons.org.evil.example/licenses/by/4.0/",
        "http://rightsstatements.org/vocab/1.0/",
        "http://rightsstatements.org/vocab/XXX/1.0/",
        "https://library.example/terms",
        "https://library.example/?http://creativecommons.org/licenses/by/4.0/",
    ],
)
def test_other_addresses_are_no_licence(uri: str) -> None:
    assert licence_uri(uri) is None


@pytest.mark.parametrize("licence", LICENCES)
def test_licence_uri_is_stable(licence: str) -> None:
    assert licence_uri(licence) == licence
