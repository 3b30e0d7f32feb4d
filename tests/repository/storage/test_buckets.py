from __future__ import annotations

from collections.abc import Callable

import pytest
from ports import reserve_port
from tcp_proxy import TcpProxy

from repository.config import Settings
from repository.errors import KeyNotFound, SettingInvalid, StoreDenied, StoreFault
from repository.storage.buckets import Bucket, describe_bucket, prepare_bucket
from repository.storage.store import open_store


def settings(endpoint: str, store: str, region: str = "us-east-1") -> Settings:
    return Settings(store=store, s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret", s3_region=region)


def test_a_bucket_is_made_once_and_keeps_what_is_in_it(endpoint: str) -> None:
    ours = settings(endpoint, "s3://rare-books/main")
    with pytest.raises(KeyNotFound):
        describe_bucket(ours)
    assert prepare_bucket(ours) == Bucket("rare-books", "us-east-1", versioned=True)
    open_store(ours).put("a", b"x")
    assert prepare_bucket(ours) == describe_bucket(ours)
    assert open_store(ours).read("a") == b"x"


def test_a_bucket_is_made_in_its_region(endpoint: str) -> None:
    bucket = prepare_bucket(settings(endpoint, "s3://rubbings", "eu-west-1"))
    assert bucket == Bucket("rubbings", "eu-west-1", versioned=True)


def test_a_name_that_cannot_be_a_bucket_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingInvalid):
        prepare_bucket(settings(endpoint, "/a/folder"))
    with pytest.raises(StoreFault):
        prepare_bucket(settings(endpoint, "s3://ab"))


@pytest.mark.parametrize("name", ["ab", "rare!books", "a" * 300])
def test_a_name_that_no_bucket_can_have_does_not_pass(endpoint: str, name: str) -> None:
    with pytest.raises(StoreDenied, match="name is not a valid one"):
        prepare_bucket(settings(endpoint, f"s3://{name}"))


def test_a_server_that_refuses_the_name_to_a_head_does_not_pass(endpoint: str) -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with TcpProxy(endpoint, received=lambda _: refusal) as proxy, pytest.raises(StoreDenied, match="the region"):
        prepare_bucket(settings(proxy.endpoint, "s3://rare-books"))


@pytest.mark.parametrize("ask", [prepare_bucket, describe_bucket])
def test_a_server_that_is_away_is_told_in_our_words(ask: Callable[[Settings], Bucket]) -> None:
    with pytest.raises(StoreFault) as raised:
        ask(settings(f"http://127.0.0.1:{reserve_port()}", "s3://rare-books"))
    assert raised.value.transient
    assert "连接不上存储服务" in raised.value.message.zh
    assert "cannot be reached" in raised.value.message.en
    assert "endpoint" not in str(raised.value)


class WithoutLifecycle:
    """Answers as a server that knows no lifecycle rules."""

    def __init__(self) -> None:
        self.asked = 0
        self._answering: bytes | None = None

    def sent(self, piece: bytes) -> bytes:
        if piece.startswith((b"GET ", b"PUT ", b"HEAD ")):
            asked = b"lifecycle" in piece.partition(b"\r\n")[0]
            self.asked += asked
            body = b"<Error><Code>NotImplemented</Code></Error>"
            answer = b"HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            answer %= len(body), body
            self._answering = answer if asked else None
        return piece

    def received(self, piece: bytes) -> bytes:
        if self._answering is None:
            return piece
        piece, self._answering = self._answering, b""
        return piece


def test_a_server_without_lifecycle_rules_does_as_well(endpoint: str) -> None:
    server = WithoutLifecycle()
    with TcpProxy(endpoint, sent=server.sent, received=server.received) as proxy:
        assert prepare_bucket(settings(proxy.endpoint, "s3://without-rules/x")).versioned
    assert server.asked
