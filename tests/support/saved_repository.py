"""A repository in memory as it was when it was saved, for tests that begin with the same works.

An ingest takes a tenth of a second of processor time and more, a copy of what it made a few milliseconds.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from repository.clock import Clock
from repository.repository import Repository, memory_repository


class SavedRepository:
    """A repository in memory, and the files in a folder of its own: its data folder, replicas, deposits.

    One process has one copy at a time, because the files return to the folder that they were saved from: addresses of
    replicas and deposits stay those that the database has.
    """

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._settings, self._clock = repository.settings, repository.clock
        self._objects = {item.key: repository.store.read(item.key) for item in repository.store.list()}
        self._database = _connection(repository).serialize()
        self._folder = folder
        self._files = shutil.copytree(folder, folder.with_name(f"{folder.name}.saved"))

    def copy(self, clock: Clock | None = None) -> Repository:
        """Return a repository with what was saved, and make the files again what they were; by default, its clock."""
        shutil.rmtree(self._folder)
        shutil.copytree(self._files, self._folder)
        repository = memory_repository(self._settings, clock or self._clock)
        for key, content in self._objects.items():
            repository.store.put(key, content)
        _connection(repository).deserialize(self._database)
        return repository


def _connection(repository: Repository) -> sqlite3.Connection:
    """Return the only connection of a database in memory."""
    with repository.catalogue._sessions() as session:
        connection = session.connection().connection.driver_connection
    assert isinstance(connection, sqlite3.Connection)
    return connection
