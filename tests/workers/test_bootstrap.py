"""A serving process starts while its store is unavailable, and refuses to start for every other fault."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from ports import reserve_port
from publications import NOW, publication
from tcp_proxy import TcpProxy

from preservation.fixity.canaries import check_canaries
from preservation.log.sequencer import can_sign, open_log, read_damaged_log, record_events
from preservation.premis import ingestion_event
from repository.config import Settings
from repository.errors import SettingInvalid, StoreDenied
from repository.repository import Repository
from web.operations.status import StatusReader
from workers.bootstrap import bootstrap, bootstrap_to_rebuild, bootstrap_to_serve

pytestmark = pytest.mark.slow

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def settings(folder: Path, endpoint: str, store: str = "s3://rare-books/main") -> Settings:
    return Settings(data=folder / "var", store=store, s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret")


def test_bootstrap_prepares_an_available_store(tmp_path: Path, endpoint: str) -> None:
    ours = settings(tmp_path, endpoint)
    assert bootstrap_to_serve(ours) is None
    assert bootstrap(ours).store.exists("ocfl/0=ocfl_1.1")


def test_new_store_has_canaries_before_its_first_sweep_and_gets_them_once(tmp_path: Path) -> None:
    repository = bootstrap(Settings(data=tmp_path / "var"))
    with ThreadPoolExecutor(1) as executor:
        check = check_canaries(repository.store, executor)
    assert (check.planted > 0, check.missed) == (True, ())
    sweep = repository.sweeps.begin("", "all", repository.clock())
    repository.sweeps.record_canaries(sweep.id, check.planted, 0)
    for stored in list(repository.store.list("canaries")):
        repository.store.delete(stored.key)
    bootstrap(Settings(data=tmp_path / "var"))
    assert list(repository.store.list("canaries")) == [], "what a sweep has seen and is gone is a fault, not new"


@pytest.mark.slow
def test_serving_starts_while_the_store_is_unavailable(tmp_path: Path) -> None:
    ours = settings(tmp_path, f"http://127.0.0.1:{reserve_port()}")
    fault = bootstrap_to_serve(ours)
    assert fault
    assert "cannot be reached" in fault.message.en
    assert not ours.keys.exists()  # the store may contain a log of another key


def test_serving_does_not_start_when_the_store_denies_access(tmp_path: Path, endpoint: str) -> None:
    with TcpProxy(endpoint, received=lambda _: REFUSAL) as proxy, pytest.raises(StoreDenied, match="credentials"):
        bootstrap_to_serve(settings(tmp_path, proxy.endpoint))
    with pytest.raises(StoreDenied, match="name"):
        bootstrap_to_serve(settings(tmp_path, endpoint, "s3://ab"))


def test_serving_does_not_start_with_the_name_of_another_log(tmp_path: Path, endpoint: str) -> None:
    bootstrap(settings(tmp_path, endpoint))
    away = settings(tmp_path, f"http://127.0.0.1:{reserve_port()}")
    assert bootstrap_to_serve(away)
    with pytest.raises(SettingInvalid, match="log_origin"):
        bootstrap_to_serve(replace(away, log_origin="another.example/log"))


def test_everything_starts_when_key_and_database_are_lost(tmp_path: Path) -> None:
    first = Settings(data=tmp_path / "first")
    publish_event(bootstrap(first))
    lost = Settings(data=tmp_path / "second", store=str(tmp_path / "first" / "store"))
    assert bootstrap_to_serve(lost) is None
    repository = bootstrap(lost)
    assert not can_sign(repository)
    assert not lost.keys.exists()
    assert StatusReader(repository).read(5).log.reason
    assert read_damaged_log(repository).indexes
    first.keys.rename(lost.keys)
    assert open_log(bootstrap(lost)).verify().ok


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_rebuild_needs_no_usable_key(tmp_path: Path, content: bytes | None) -> None:
    settings = Settings(data=tmp_path)
    publish_event(bootstrap(settings))
    key = settings.keys / "log.key"
    key.unlink()
    if content is not None:
        key.write_bytes(content)
    assert open_log(bootstrap_to_rebuild(settings)).verify().ok


def publish_event(repository: Repository) -> None:
    work = publication("one", images=1)
    image = next(work.work.images())
    master = replace(image.master, sha256="0" * 64)
    event = ingestion_event(work.work.identifier, image.identifier, master, time=NOW, software="test")
    repository.catalogue.publish(replace(work, events=(event,)), (), NOW)
    assert record_events(repository) == 1
