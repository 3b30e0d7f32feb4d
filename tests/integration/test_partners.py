"""Partners of a real server: `oaipmh-scythe` and a client of Change Discovery take everything and follow changes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from change_discovery import ChangeDiscoveryClient
from command_line import ShanbenHere
from deposits import write_deposit
from lxml import etree
from oaipmh_scythe import Scythe
from oaipmh_scythe.exceptions import NoRecordsMatch
from schemas import partners_schema
from web_server import NO_LOCAL_WORKER, WebServer

from repository.config import Settings
from repository.repository import open_repository

pytestmark = pytest.mark.integration

SECONDS = 3.0
"""Within which a partner can see a withdrawal."""
TITLES = ("甲", "乙", "丙")
PASSWORD = "七月流火，九月授衣，一之日觱发"


class Library:
    """A library of three works and, if a server has its address, its partners."""

    def __init__(self, shanben: ShanbenHere, works: Sequence[str], address: str = "") -> None:
        self.shanben, self.works, self.address = shanben, works, address
        self.follower = ChangeDiscoveryClient(
            f"{address}/iiif/discovery/1/changes", lambda url: json.load(urlopen(url, timeout=30))
        )

    def run(self, *arguments: object, password: str = "") -> dict[str, object]:
        """Run a command, which must end with 0; it reads the password from standard input."""
        done = self.shanben.run_json(*arguments, stdin=password)
        assert done.code == 0, done.errors
        return dict(done.document)

    def harvested(self, **arguments: str) -> dict[str, bool]:
        """Return the works by whether they are deleted."""
        with Scythe(f"{self.address}/oai") as scythe:
            found = scythe.list_identifiers(metadata_prefix="oai_dc", **arguments)
            return {header.identifier.rpartition(":")[2]: header.deleted for header in found}

    def datestamps(self) -> dict[str, str]:
        """Return the datestamps of the works' records."""
        with Scythe(f"{self.address}/oai") as scythe:
            found = scythe.list_identifiers(metadata_prefix="oai_dc")
            return {header.identifier.rpartition(":")[2]: header.datestamp for header in found}

    def news(self) -> list[tuple[str, str]]:
        """Return the activities that the follower's last crawl processed, with their works, the newest first."""
        return [(kind, manifest.split("/")[-2]) for kind, manifest in self.follower.news]

    def followed(self) -> set[str]:
        """Return the works that the follower has after a crawl."""
        self.follower.crawl()
        return {manifest.rpartition("/")[0].rpartition("/")[2] for manifest in self.follower.resources}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The library as ingested, without a server: each test has a copy of its folder."""
    folder = tmp_path_factory.mktemp("template")
    shanben = ShanbenHere(folder, similar_pages=0)
    deposits = [write_deposit(folder / title, 1, title, seed) for seed, title in enumerate(TITLES)]
    done = shanben.run_json("ingest", *deposits)
    assert done.code == 0, done.errors
    return Library(shanben, [each["identifier"] for each in done.document["works"]])


@pytest.fixture
def shanben(template: Library, tmp_path: Path) -> ShanbenHere:
    shutil.copytree(template.shanben.folder / "var", tmp_path / "var")
    return ShanbenHere(tmp_path, similar_pages=0, delete_days=0)


@pytest.fixture
def library(template: Library, shanben: ShanbenHere) -> Iterator[Library]:
    with WebServer(shanben.folder, shanben.environment | NO_LOCAL_WORKER, processes=1) as server:
        yield Library(shanben, template.works, server.address)


def wait_for(condition: Callable[[], bool]) -> float:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() < start + 30
        time.sleep(0.05)
    return time.monotonic() - start


def test_partners_take_everything_and_follow_a_withdrawal_and_a_return(
    library: Library, shared: Path, tmp_path: Path
) -> None:
    works = library.works
    schema = partners_schema(shared, tmp_path / "schemas")
    with Scythe(f"{library.address}/oai") as scythe:
        formats = [each.metadataPrefix for each in scythe.list_metadata_formats()]
        assert scythe.identify().deletedRecord == "persistent"
        assert {each.setSpec for each in scythe.list_sets()} >= {"class:jing", "class:other"}
        for prefix in formats:
            records = list(scythe.list_records(metadata_prefix=prefix))
            assert [record.header.identifier.rpartition(":")[2] for record in records] == works
            for record in records:
                schema.assertValid(etree.fromstring(etree.tostring(record.xml.find("{*}metadata")[0])))
        with pytest.raises(NoRecordsMatch):
            list(scythe.list_records(metadata_prefix="mods", set_="class:jing"))
    assert library.followed() == set(works)

    assert library.run("withdraw", works[0], "--reason", "试")["state"] == "withdrawn"
    assert wait_for(lambda: library.harvested()[works[0]]) <= SECONDS
    assert wait_for(lambda: library.followed() == set(works[1:])) <= SECONDS

    library.run("restore", works[0])
    wait_for(lambda: not library.harvested()[works[0]])
    assert library.followed() == set(works)


def test_a_rebuild_from_storage_alone_tells_the_same_story(
    template: Library, shanben: ShanbenHere, tmp_path: Path
) -> None:
    told = Library(shanben, template.works)
    told.run("withdraw", told.works[0], "--reason", "试")
    told.run("restore", told.works[0])
    data, empty = tmp_path / "var", tmp_path / "empty"
    empty.mkdir()
    (empty / "keys").symlink_to(data / "keys")
    Library(ShanbenHere(tmp_path, data=empty, store=data / "store", similar_pages=0), told.works).run("rebuild")
    before, after = (activities(Settings(data=folder)) for folder in (data, empty))
    assert after == before
    assert [kind for kind, _ in after] == ["Create"] * 3 + ["Delete", "Create"]


def test_partners_follow_a_change_and_a_deletion(library: Library, tmp_path: Path) -> None:
    changed, deleted, other = library.works
    library.followed()
    before = library.datestamps()
    time.sleep(1.1)  # datestamps are to the second
    library.run("ingest", write_deposit(tmp_path / "revision", 1, "甲，改題"), "--revises", changed)
    assert wait_for(lambda: library.datestamps()[changed] > before[changed]) <= SECONDS
    with Scythe(f"{library.address}/oai") as scythe:
        (record,) = scythe.list_records(metadata_prefix="oai_dc", from_=library.datestamps()[changed])
        assert "甲，改題" in etree.tostring(record.xml, encoding="unicode")
    assert changed in library.followed()
    # A client also processes again what has the time of the newest activity of its last crawl.
    assert library.news()[0] == ("Update", changed)
    assert set(library.news()[1:]) <= {("Create", deleted), ("Create", other)}

    for name in ("anna", "bo"):
        library.run("account", "add", name, "--role", "conservator", password=f"{PASSWORD}\n")
    library.run("withdraw", deleted, "--reason", "試")
    assert wait_for(lambda: deleted not in library.followed()) <= SECONDS
    library.run("delete", "request", deleted, "--account", "anna", "--reason", "試", password=f"{PASSWORD}\n")
    assert library.run("delete", "confirm", deleted, "--account", "bo", password=f"{PASSWORD}\n")["state"] == "deleted"
    assert deleted not in library.followed()
    assert library.news()[0] == ("Delete", deleted), "a deletion adds nothing to the withdrawal"
    assert library.harvested()[deleted]
    with pytest.raises(HTTPError) as gone:
        urlopen(f"{library.address}/iiif/presentation/3/{deleted}/manifest", timeout=30)
    assert gone.value.code == 410


def activities(settings: Settings) -> list[tuple[str, str | None]]:
    feed = open_repository(settings).changes
    return [(activity.kind.value, activity.work) for activity in feed.activities(0, feed.size())]
