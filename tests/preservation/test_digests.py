from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation.digests import MASTER_ALGORITHMS, Digester, digests, file_digests, sha256

ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


@given(st.lists(st.binary(max_size=50)))
def test_digests_of_one_pass_equal_those_of_hashlib(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    assert digests(chunks, *ALGORITHMS) == {name: hashlib.new(name, whole).hexdigest() for name in ALGORITHMS}
    assert sha256(chunks) == hashlib.sha256(whole).hexdigest()


@given(st.lists(st.binary(max_size=50)))
def test_digester_yields_chunks_unchanged_and_counts_bytes(chunks: list[bytes]) -> None:
    digester = Digester("sha256")
    assert list(digester.pass_through(iter(chunks))) == chunks
    assert digester.bytes == sum(map(len, chunks))
    assert digester.hexdigest("sha256") == sha256(chunks)


@pytest.mark.skipif("sm3" not in MASTER_ALGORITHMS, reason="SM3 of OpenSSL is absent: this was not tested")
def test_masters_have_the_sm3_digest_of_the_standard() -> None:
    # GB/T 32905-2016, example 1
    abc = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert file_digests(io.BytesIO(b"abc"), *MASTER_ALGORITHMS) == {"sha256": sha256([b"abc"]), "sm3": abc}


def test_digester_refuses_an_unknown_algorithm() -> None:
    with pytest.raises(ValueError, match="crc99"):
        digests([], "crc99")
