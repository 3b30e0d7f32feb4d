"""A partner's server for the whole folder, and a repository in memory that harvests from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from partner_server import Answer, PartnerServer, partner_server

from repository.config import Settings
from repository.model.harvest import HarvestedRecord, HarvestSource, RecordState, SourceKind, SourceSettings
from repository.repository import Repository, memory_repository
from workers.harvest.keeping import keep_source
from workers.tasks.harvest import harvest_source
from workers.tasks.jobs import harvest_job


@dataclass
class Harvesting:
    """A repository with one source at the partner's server."""

    repository: Repository
    partner: PartnerServer
    name: str = "partner"

    def add(self, kind: SourceKind = SourceKind.OAI_PMH, path: str = "/oai", **settings: Any) -> None:
        source = HarvestSource(self.name, self.partner.url + path, SourceSettings(kind, rate=1000.0, **settings))
        self.repository.harvests.add(source)
        keep_source(self.repository, source)

    def run(self, *, full: bool = False, accept: bool = False) -> dict[str, Any]:
        """Run the task once; return the totals that are not 0."""
        job = SimpleNamespace(arguments=harvest_job(self.name, full=full, accept=accept).arguments)
        result = harvest_source(cast(Any, SimpleNamespace(repository=self.repository)), cast(Any, job))
        return {name: value for name, value in result.items() if type(value) is int and value}

    def live(self) -> list[HarvestedRecord]:
        return self.repository.harvests.records(self.name, RecordState.LIVE, 0, 1000)

    def titles(self) -> list[str]:
        return [record.title for record in self.live()]


@pytest.fixture(scope="module")
def server() -> Iterator[PartnerServer]:
    with partner_server() as server:
        yield server


@pytest.fixture
def harvesting(server: PartnerServer, tmp_path: Path) -> Harvesting:
    server.asked.clear()
    server.answer = lambda path, query: Answer(status=404)
    settings = Settings(data=tmp_path, harvest_private=("127.0.0.1",), harvest_records=500)
    return Harvesting(memory_repository(settings), server)
