"""A library in memory whose works have no pictures, for tests of what partners learn of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from publications import NOW, publication

from preservation.store_identity import recognise_primary
from repository.config import Settings
from repository.database.access_changes import PreservedAccess
from repository.model.work import WorkState
from repository.repository import memory_repository
from web.app import create_app

ADDRESS = "https://books.example"


class FollowedLibrary:
    """Publishes, changes, withdraws and restores works by name. Its clock is a second later with every change."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        settings = {"base_url": ADDRESS, "provider": "某館", **settings}
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.repository = memory_repository(Settings(data=folder, **settings), lambda: self.now)
        recognise_primary(self.repository)
        self.client: FlaskClient = create_app(self.repository).test_client()
        self.published: dict[str, int] = {}
        self.shown: set[str] = set()

    def publish(self, name: str, **record: Any) -> str:
        """Publish a work, or its next version; return its identifier. A withdrawn work stays withdrawn."""
        self.now += timedelta(seconds=1)
        version = self.published.get(name, 0) + 1
        made = publication(name, images=0)
        work = replace(made.work, record=replace(made.work.record, **record))
        self.repository.catalogue.publish(replace(made, version=version, work=work), (), NOW)
        if name not in self.published:
            self.shown.add(work.identifier)
        self.published[name] = version
        return work.identifier

    def set_state(self, name: str, state: WorkState) -> None:
        """Withdraw or restore a work that was published."""
        self.now += timedelta(seconds=1)
        work, catalogue = publication(name, images=0).work.identifier, self.repository.catalogue
        before = catalogue.access(work)
        after = catalogue.change_access(work, lambda held: replace(held, state=state), lambda _: (), NOW)
        assert before
        assert after
        if after != before.access:
            self.published[name] += 1
            catalogue.record_access(work, PreservedAccess(after, self.published[name], ()), (), NOW)
        (self.shown.add if state is WorkState.PUBLISHED else self.shown.discard)(work)

    def withdraw(self, name: str) -> None:
        self.set_state(name, WorkState.WITHDRAWN)

    def restore(self, name: str) -> None:
        self.set_state(name, WorkState.PUBLISHED)
