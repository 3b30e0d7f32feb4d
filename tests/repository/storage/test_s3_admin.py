from __future__ import annotations

import pytest
from ports import reserve_port
from tcp_proxy import TcpProxy

from repository.config import Settings
from repository.errors import SettingInvalid, StoreDenied, StoreFault
from repository.storage.s3_admin import Bucket, prepare_bucket
from repository.storage.store import open_store

pytestmark = pytest.mark.slow


def settings(endpoint: str, store: str, region: str = "us-east-1") -> Settings:
    return Settings(store=store, s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret", s3_region=region)


def prepare(settings: Settings) -> Bucket:
    return prepare_bucket(settings.store, settings)


def test_preparing_a_bucket_twice_keeps_its_objects(endpoint: str) -> None:
    ours = settings(endpoint, "s3://rare-books/main")
    with pytest.raises(StoreDenied):
        open_store(ours).put("a", b"x")
    assert prepare_bucket(ours.store, ours) == Bucket("rare-books", "us-east-1", versioned=True)
    open_store(ours).put("a", b"x")
    assert prepare_bucket(ours.store, ours) == Bucket("rare-books", "us-east-1", versioned=True)
    assert open_store(ours).read("a") == b"x"


def test_a_bucket_is_created_in_its_region(endpoint: str) -> None:
    bucket = prepare(settings(endpoint, "s3://rubbings", "eu-west-1"))
    assert bucket == Bucket("rubbings", "eu-west-1", versioned=True)


def test_folders_and_invalid_bucket_names_are_refused(endpoint: str) -> None:
    with pytest.raises(SettingInvalid):
        prepare(settings(endpoint, "/a/folder"))
    with pytest.raises(StoreFault):
        prepare(settings(endpoint, "s3://ab"))


@pytest.mark.parametrize("name", ["ab", "rare!books", "a" * 300])
def test_invalid_bucket_names_are_no_transient_fault(endpoint: str, name: str) -> None:
    with pytest.raises(StoreDenied, match="bucket name is not valid"):
        prepare(settings(endpoint, f"s3://{name}"))


def test_a_refused_head_request_is_no_transient_fault(endpoint: str) -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with TcpProxy(endpoint, received=lambda _: refusal) as proxy, pytest.raises(StoreDenied, match="the region"):
        prepare(settings(proxy.endpoint, "s3://rare-books"))


def test_an_unreachable_server_is_a_transient_fault() -> None:
    with pytest.raises(StoreFault) as raised:
        prepare(settings(f"http://127.0.0.1:{reserve_port()}", "s3://rare-books"))
    assert raised.value.transient
    assert "无法连接存储服务" in raised.value.message.zh
    assert "cannot be reached" in raised.value.message.en
    assert "endpoint" not in str(raised.value)


class WithoutLifecycle:
    """A proxy that answers lifecycle requests as a server without lifecycle rules does."""

    def __init__(self) -> None:
        self.requests = 0
        self._response: bytes | None = None

    def sent(self, piece: bytes) -> bytes:
        if piece.startswith((b"GET ", b"PUT ", b"HEAD ")):
            is_lifecycle = b"lifecycle" in piece.partition(b"\r\n")[0]
            self.requests += is_lifecycle
            body = b"<Error><Code>NotImplemented</Code></Error>"
            response = b"HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            response %= len(body), body
            self._response = response if is_lifecycle else None
        return piece

    def received(self, piece: bytes) -> bytes:
        if self._response is None:
            return piece
        piece, self._response = self._response, b""
        return piece


def test_a_server_without_lifecycle_rules_is_accepted(endpoint: str) -> None:
    server = WithoutLifecycle()
    with TcpProxy(endpoint, sent=server.sent, received=server.received) as proxy:
        assert prepare(settings(proxy.endpoint, "s3://without-rules/x")).versioned
    assert server.requests
