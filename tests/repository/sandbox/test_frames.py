"""A parent believes nothing that a child sends."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_functions import ADD, FUNCTIONS, NEVER_READ, SEND_BYTES, SEND_FOR_EVER, SEND_FRAME, SEND_PICKLE

from repository.errors import MasterUnreadable, SandboxFailed, ShanbenError, StoreFault
from repository.sandbox.frames import (
    LARGEST_FRAME,
    FrameInvalid,
    FrameKind,
    FrameSocket,
    SentCall,
    SentError,
    decode,
    encode,
    rebuild_error,
)
from repository.sandbox.functions import Layer, Quota
from repository.sandbox.pool import SandboxPool
from workers.masters.examine import Examined

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPool]:
    with SandboxPool(FUNCTIONS, 1, tmp_path_factory.mktemp("scratch"), Quota(seconds=2)) as pool:
        yield pool


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (FrameKind.READY, b""),
        (FrameKind.STARTED, b""),
        (FrameKind.CALL, b""),
        (FrameKind.RESPONSE, b""),
        (FrameKind.RESULT, b""),
        (FrameKind.RESULT, b"\xc1"),
        (FrameKind.RESULT, encode("a text, not a number")),
        (FrameKind.RESULT, encode(1) + encode(2)),
        (FrameKind.RESULT, b"\x91" * 200_000),
        (FrameKind.ERROR, encode(["StoreFault"])),
        (FrameKind.ERROR, encode(["StoreFault", {"key": "a"}])),
        (FrameKind.ERROR, encode(["StoreFault", {"key": "a", "reason": ["list"]}])),
        (FrameKind.ERROR, encode(["StoreFault", {"self": "a"}])),
        (FrameKind.ERROR, encode(["MasterUnreadable", {"reason": "of another branch"}])),
        (FrameKind.ERROR, encode(["SystemExit", {}])),
        (FrameKind.REQUEST, encode("a text, not a number")),
        (FrameKind.REQUEST, encode([1, 2])),
    ],
    ids=lambda value: value.name if isinstance(value, FrameKind) else value[:12].hex(),
)
def test_a_frame_that_is_not_expected_ends_the_child(pool: SandboxPool, kind: FrameKind, payload: bytes) -> None:
    with pytest.raises(SandboxFailed, match="malformed"):
        list(pool.open_session(SEND_FRAME, int(kind), payload, respond=lambda _: 1))
    assert pool.call(ADD, 1, 1) == 2


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<BI", 99, 0),
        struct.pack("<BI", FrameKind.CHUNK, LARGEST_FRAME + 1),
        struct.pack("<BI", FrameKind.RESULT, 0xFFFFFFFF),
        bytes(100),
        b"\xff" * 100,
    ],
)
def test_bytes_that_are_no_frame_end_the_child(pool: SandboxPool, content: bytes) -> None:
    with pytest.raises(SandboxFailed, match="malformed"):
        list(pool.open_session(SEND_BYTES, content, respond=lambda _: 1))


@pytest.mark.parametrize("content", [b"\x07", struct.pack("<BI", FrameKind.RESULT, 100) + bytes(50)])
def test_a_frame_that_never_ends_takes_no_longer_than_the_quota(pool: SandboxPool, content: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(SandboxFailed, match="2 s"):
        list(pool.open_session(SEND_BYTES, content, respond=lambda _: 1))
    assert time.monotonic() - started < 10


def test_a_child_that_never_reads_does_not_hold_its_parent(pool: SandboxPool) -> None:
    started = time.monotonic()
    with pytest.raises(SandboxFailed, match="2 s"):
        list(pool.open_session(NEVER_READ, respond=lambda _: bytes(1 << 20)))
    assert time.monotonic() - started < 10


def test_a_child_that_never_stops_sending_takes_no_longer_than_the_quota(pool: SandboxPool) -> None:
    started = time.monotonic()
    with pool.open_session(SEND_FOR_EVER, respond=lambda _: 1) as session, pytest.raises(SandboxFailed, match="2 s"):
        next(chunk for chunk in session if time.monotonic() - started > 10)


@pytest.mark.parametrize("kind", list(FrameKind))
def test_a_pickle_runs_no_code(pool: SandboxPool, kind: FrameKind, tmp_path: Path) -> None:
    made = tmp_path / "made"
    session = pool.open_session(SEND_PICKLE, int(kind), str(made), respond=lambda _: 1)
    if kind is FrameKind.CHUNK:  # plain bytes to the parent
        assert next(session).startswith(b"\x80")
        session.close()
    else:
        with pytest.raises(SandboxFailed, match="malformed"):
            next(session)
    assert not made.exists()


@given(st.binary(max_size=200), st.sampled_from([Examined, SentCall, SentError, list[int], tuple[Layer, ...], int]))
def test_any_payload_is_of_its_type_or_refused(payload: bytes, kind: Any) -> None:
    try:
        value = decode(payload, kind)
    except FrameInvalid:
        return
    assert msgspec.convert(msgspec.to_builtins(value), kind) == value


@given(st.text(max_size=30) | st.sampled_from(["MasterUnreadable", "MasterMultipage", "StoreFault"]), st.data())
def test_any_error_is_one_of_those_declared_or_refused(kind: str, data: st.DataObject) -> None:
    names = st.sampled_from(["reason", "pages", "seen", "width", "height", "limit", "self", "extra", "key"])
    details = data.draw(st.dictionaries(names, st.none() | st.integers() | st.text(max_size=10), max_size=4))
    try:
        error: ShanbenError = rebuild_error(SentError(kind, details), (MasterUnreadable,))
    except FrameInvalid:
        return
    assert isinstance(error, MasterUnreadable)
    assert not isinstance(error, StoreFault)
    assert str(error)


@given(st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(max_size=5000)), max_size=6))
def test_frames_arrive_as_they_were_sent(frames: list[tuple[FrameKind, bytes]]) -> None:
    ends = socket.socketpair()
    first, second = map(FrameSocket, ends)
    for kind, payload in frames:
        first.send(kind, payload)
    assert [second.receive() for _ in frames] == frames
    first.close()
    with pytest.raises(EOFError):
        second.receive()
    second.close()
