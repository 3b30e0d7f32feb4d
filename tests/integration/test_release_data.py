"""The data folder that the release before left: it is opened, served, added to and rebuilt by this one.

`tests/support/make_release_data.py` made it. Each test extracts the archive into a folder of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from command_line import SHANBEN, ShanbenHere, environment
from ports import reserve_port
from server_process import ServerProcess, answers

from repository.config import read_settings
from repository.repository import Repository, open_repository

pytestmark = pytest.mark.integration

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "data-0.1.0.tar.xz"
BASE_URL = "http://fixture.example"
TITLES = {"千字文": 3, "百家姓": 2}
"""The works of the archive and how many images each has."""


class ReleaseData:
    """The extracted archive, and the commands of this release run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "var" / "store"
        self.shanben = ShanbenHere(folder)
        self.shanben.environment = self.environment = environment()  # the data folder has settings of its own

    def run(self, *arguments: str | Path) -> Any:
        """Run a command. Return its JSON document."""
        done = self.shanben.run_json(*arguments)
        assert done.code == 0, done.errors
        return done.document

    def open(self) -> Repository:
        """Open the repository in this process."""
        os.chdir(self.folder)  # the data folder of its settings is relative
        return open_repository(read_settings({}, self.folder))

    def catalogue(self) -> Any:
        """Return all that the catalogue and the log's numbers say of every work."""
        repository = self.open()
        works = {each.identifier: repository.catalogue.work(each.identifier) for each in repository.catalogue.works()}
        images = [image.identifier for work in works.values() if work for image in work.images()]
        indexes = {image: repository.log_sequence.newest_log_index(image) for image in images}
        pyramids = {work: repository.catalogue.pyramids(work) for work in works}
        return works, indexes, pyramids, repository.catalogue.counts()

    def preserved(self) -> dict[str, bytes]:
        """Return every file of the works and of the log."""
        files = [file for part in ("ocfl", "log") for file in (self.store / part).rglob("*") if file.is_file()]
        return {str(file.relative_to(self.store)): file.read_bytes() for file in files}

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the data. Give the server's address."""
        port = reserve_port()
        address = f"http://127.0.0.1:{port}"
        command = [SHANBEN, "serve", "--port", str(port), "--workers", "1"]
        server = ServerProcess("serve", command, self.folder / "serve.log", environment=self.environment)
        try:
            server.start(lambda: answers(f"{address}/health/ready"))
            yield address
        finally:
            server.stop()


def get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as response:
        assert response.status == 200
        return bytes(response.read())


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseData:
    """The data folder of the release before, extracted."""
    monkeypatch.chdir(tmp_path)  # back at the end of the test
    with tarfile.open(ARCHIVE) as archive:
        # Debian's Python 3.11.2 knows no filters, later ones warn without one.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    return ReleaseData(tmp_path)


def test_release_data_is_served_and_its_evidence_is_checked_offline(data: ReleaseData) -> None:
    with data.served() as address:
        page = get(f"{address}/works").decode()
        assert all(title in page for title in TITLES)
        (collection,) = [get(f"{address}/iiif/presentation/3/collection/top")]
        manifests = [item["id"] for item in json.loads(collection)["items"]]
        assert len(manifests) == len(TITLES)
        for manifest_id in manifests:
            assert manifest_id.startswith(BASE_URL)
            manifest = json.loads(get(address + manifest_id.removeprefix(BASE_URL)))
            (title,) = (
                manifest["label"]["none"] if "none" in manifest["label"] else next(iter(manifest["label"].values()))
            )
            assert len(manifest["items"]) == TITLES[title]
            work = manifest_id.split("/")[-2]
            assert title in get(f"{address}/works/{work}").decode()
            for canvas in manifest["items"]:
                check_image(data, address, canvas)
        wait_for_new_manifests(address, [manifest.removeprefix(BASE_URL) for manifest in manifests])


def wait_for_new_manifests(address: str, manifests: Sequence[str]) -> None:
    """The local worker publishes the manifests again as this release builds them, and the feed says so."""
    deadline = time.monotonic() + 120
    while not all("rendering" in json.loads(get(address + manifest)) for manifest in manifests):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    while True:
        feed = json.loads(get(f"{address}/iiif/discovery/1/changes/page/0"))["orderedItems"]
        if {each["object"]["id"] for each in feed if each["type"] == "Update"} >= {
            BASE_URL + each for each in manifests
        }:
            return
        assert time.monotonic() < deadline, feed
        time.sleep(0.2)


def check_image(data: ReleaseData, address: str, canvas: Any) -> None:
    """A tile of a canvas' image is a JPEG, and the evidence of the image holds without the server."""
    service = canvas["items"][0]["items"][0]["body"]["service"][0]["id"].removeprefix(BASE_URL)
    assert get(f"{address}{service}/0,0,512,512/512,512/0/default.jpg").startswith(b"\xff\xd8")
    image = service.rpartition("/")[2]
    evidence = data.folder / f"{image}.proof"
    evidence.write_bytes(get(f"{address}/log/proof/{image}"))
    key = get(f"{address}/log/key").decode().strip()
    assert data.run("log", "check", evidence, "--key", key)["event"]["image"] == image


def test_ingest_of_a_deposit_that_release_data_holds_changes_nothing(data: ReleaseData) -> None:
    before, files = data.catalogue(), data.preserved()
    done = data.run("ingest", "first-revised")
    (work,) = done["works"]
    assert (work["images"], work["changed"]) == (3, False)
    assert done["unfinished"] == []
    assert data.catalogue() == before
    assert data.preserved() == files


def test_release_data_takes_a_further_work_and_its_log_goes_on(data: ReleaseData) -> None:
    works, indexes, _, counts = data.catalogue()
    size = data.run("log", "verify")["size"]
    further = shutil.copytree(data.folder / "second", data.folder / "third")
    record = further / "work.toml"
    record.write_text(record.read_text("utf-8").replace("fixture-2", "fixture-3").replace("百家姓", "三字經"), "utf-8")
    (work,) = data.run("ingest", "third")["works"]
    assert work["changed"]
    assert work["identifier"] not in works
    audit = data.run("log", "verify")
    assert (audit["ok"], audit["size"]) == (True, size + 3)
    works_after, indexes_after, _, counts_after = data.catalogue()
    assert works_after.items() > works.items()
    assert indexes_after.items() > indexes.items()
    assert counts_after.works == counts.works + 1


def test_rebuild_from_the_store_of_release_data_gives_the_same_catalogue(data: ReleaseData) -> None:
    before = data.catalogue()
    for file in (data.folder / "var").glob("shanben.sqlite*"):
        file.unlink()
    sound = {"skipped": [], "lost": [], "log_problems": []}
    assert data.run("rebuild") == {"works": 2, "images": 5, "pyramids_made": 0, **sound}
    assert data.catalogue() == before
