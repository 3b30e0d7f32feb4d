"""Processes that publish works and extend the provenance log concurrently, and checks of the resulting log."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from preservation.log import evidence
from preservation.log.sequencer import open_log, record_events, verifier_key
from preservation.premis import ingestion_event, parse_event
from repository.config import Settings
from repository.database.publication import Publication
from repository.errors import ShanbenError
from repository.identifiers import Kind, mint
from repository.model.work import Image, Master, Page, Pyramid, Record, Volume, Work
from repository.repository import Repository, open_repository

NOW = "2026-01-01T00:00:00Z"
CHANGES = ("put", "put_new", "delete")
FORK = multiprocessing.get_context("fork")
SECONDS = 60.0


@cache
def publication(name: str, images: int = 3) -> Publication:
    """Return a work with `images` images, each with an event."""
    work = mint(Kind.WORK, name)
    held = [_image(work, number) for number in range(1, images + 1)]
    pages = tuple(Page(f"{number:04d}", str(number), (image,)) for number, image in enumerate(held, 1))
    pyramids = {image.identifier: Pyramid(f"pyramids/{image.identifier}", "ff", 10, 512) for image in held}
    events = tuple(ingestion_event(work, image.identifier, image.master, time=NOW, software="test") for image in held)
    return Publication(Work(work, Record(name), (Volume("", pages),)), pyramids, events, 1, NOW, {})


def _image(work: str, number: int) -> Image:
    digest = sha256(f"{work} {number}".encode()).hexdigest()
    return Image(mint(Kind.IMAGE, work, str(number)), 300, 400, Master(f"masters/{number}.tif", digest, 1000, "x/y"))


def publish(repository: Repository, name: str, images: int = 3) -> None:
    """Publish a work; when it is published again, its events keep their positions."""
    repository.catalogue.publish(publication(name, images), (), NOW)


def assert_everything_is_logged_once(repository: Repository, works: dict[str, int]) -> None:
    """Assert that the log is valid, holds every event of these works once and no other, and that evidence is valid."""
    log = open_log(repository)
    assert log.verify().problems == ()
    logged = [parse_event(leaf).identifier for leaf in log.entries(0, log.size)]
    events = {event.identifier: event for name, images in works.items() for event in publication(name, images).events}
    assert len(logged) == len(set(logged))
    assert set(logged) == set(events)
    assert not repository.log_sequence.has_unlogged_events()
    assert repository.catalogue.counts().staged == 0
    key = verifier_key(repository)
    for index in range(0, log.size, max(1, log.size // 40)):
        assert repository.log_sequence.newest_log_index(str(events[logged[index]].image)) == index
        assert evidence.verify(log.evidence(index), key).index == index


class InterruptedStore:
    """A store that calls `interrupt` before or after its n-th change."""

    def __init__(self, store: Any, change: int, interrupt: Callable[[], None], *, after: bool) -> None:
        self._store, self._left, self._interrupt, self._after = store, change, interrupt, after

    def __getattr__(self, name: str) -> Any:
        action = getattr(self._store, name)
        return action if name not in CHANGES else lambda *arguments: self._change(action, arguments)

    def _change(self, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._interrupt()
        action(*arguments)
        if self._left == 0 and self._after:
            self._interrupt()


def die() -> None:
    """Kill this process by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


def stall(folder: Path) -> Callable[[], None]:
    """Return an interruption that creates the file `stalled`, and waits for the file `go`."""

    def interrupt() -> None:
        (folder / "stalled").touch()
        wait_for((folder / "go").exists)

    return interrupt


def wait_for(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run(action: Callable[..., None], *arguments: Any) -> Any:
    """Start a process that calls `action`."""
    process = FORK.Process(target=action, args=arguments)
    process.start()
    return process


def record_with(settings: Settings, change: int, interrupt: Callable[[], None], after: bool) -> None:
    """Record what is staged, over a store that is interrupted at its n-th change. Runs in a process of its own."""
    repository = open_repository(settings)
    record_events(replace(repository, store=InterruptedStore(repository.store, change, interrupt, after=after)))


def publish_and_record(settings: Settings, names: list[str], images: int, old: list[str]) -> None:
    """Publish works, republish others meanwhile, and record. Runs in a process of its own."""
    repository = open_repository(settings)
    chance = random.Random(os.getpid())
    for name in names:
        retry_transient(lambda name=name: publish(repository, name, images))
        again = chance.choice([*old, name])
        retry_transient(lambda again=again: publish(repository, again, images))
        retry_transient(lambda: record_events(repository))


def retry_transient(action: Callable[[], Any]) -> None:
    """Call `action` again while it raises a transient fault."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            action()
        except ShanbenError as fault:
            if not fault.transient or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
