"""An exported work is a valid bag with valid PREMIS and METS, and its import gives the same work again."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import bagit
import pytest
import pyvips
from lxml import etree
from silent_progress import SilentProgress

from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from repository.config import Settings
from repository.database.outbox import JobState
from repository.errors import DigestMismatch, NotFound, RequestInvalid
from repository.model.access import is_same_access
from repository.model.condition import Condition, Repair
from repository.model.work import Access, WorkAccess
from repository.repository import Repository, memory_repository
from repository.texts import texts_of
from workers.bootstrap import prepare_repository
from workers.exchange.archive_file import writing_archive
from workers.exchange.bag import opened_bag
from workers.exchange.contents import BagContents
from workers.exchange.export import export_work, prepare_bag, write_bag
from workers.exchange.for_partners import work_without_names
from workers.exchange.mets import mets_document
from workers.exchange.premis_xml import premis_document
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks import access as changes
from workers.tasks.jobs import access_job, ingest_job, text_job

ADDRESS = "https://books.example"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RECORD = """
title = "試書 <一>"
identifier = "LIB-7"
creator = ["某人撰"]
language = ["lzh"]
classification = "經部"
rights = "http://creativecommons.org/publicdomain/mark/1.0/"
access = "reduced"
max_size = 300
watermark = true
[[page]]
file = "上冊/0001"
redact = ["1,2,30,40"]
[[range]]
label = "卷上"
pages = "上冊/0001-上冊/0002%"
[[range]]
label = "序"
pages = "上冊/0001"
parent = "卷上"
"""


def write_book(folder: Path) -> Path:
    """Write a deposit of two volumes with Chinese names, a percent sign, and a page that two volumes share."""
    for name, seed in {"上冊/0001": 1, "上冊/0002%": 2, "下冊/0003": 3}.items():
        path = folder / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = pyvips.Image.gaussnoise(90, 120, mean=200, sigma=30, seed=seed).cast("uchar")
        noise.tiffsave(str(path), compression="lzw")
    (folder / "work.toml").write_text(RECORD, "utf-8")
    return folder


def ingest(context: TaskContext, deposit: Path, bag: Path | None = None, revises: str | None = None) -> str:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit, revises, bag))
    assert job.result
    assert job.state is JobState.DONE, job.result
    return str(job.result["identifier"])


def export(context: TaskContext, work: str, target: Path) -> Path:
    export_work(context.repository, work, target, ADDRESS, SilentProgress())
    return target


def import_bag(context: TaskContext, file: Path) -> str:
    with opened_bag(file, context.repository.settings.staging) as bag:
        return ingest(context, bag.payload, bag.root)


def unpacked(file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    (root,) = folder.iterdir()
    return root


def change_access(context: TaskContext, work: str, access: WorkAccess) -> None:
    changes.change(context.repository, work, lambda _: access, "因故")
    with local_runner(context) as runner:
        runner.attempt([access_job(work)])


def held_masters(repository: Repository, work: str) -> dict[str, str]:
    inventory = objects.read_inventory(repository.store, work)
    assert isinstance(inventory, Inventory)
    return {path: digest for path, digest in inventory.state.items() if not path.startswith("metadata/")}


@pytest.fixture
def empty_library(tmp_path: Path, context: TaskContext) -> TaskContext:
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "other"), lambda: NOON))
    return TaskContext(repository, context.examiner)


@pytest.fixture
def book(context: TaskContext, tmp_path: Path) -> str:
    return ingest(context, write_book(tmp_path / "book"))


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_an_export_is_a_valid_bag_and_its_import_gives_the_same_work(
    context: TaskContext, empty_library: TaskContext, book: str, tmp_path: Path, suffix: str
) -> None:
    file = export(context, book, tmp_path / f"book{suffix}")
    assert import_bag(empty_library, file) == book
    here, there = context.repository, empty_library.repository
    assert there.catalogue.work(book) == here.catalogue.work(book)
    assert held_masters(there, book) == held_masters(here, book)
    assert there.catalogue.access(book) == here.catalogue.access(book)
    again = export(empty_library, book, tmp_path / f"again{suffix}")
    assert again.read_bytes() == file.read_bytes()


def test_the_bag_is_valid_for_the_library_of_congress(context: TaskContext, book: str, tmp_path: Path) -> None:
    noise = pyvips.Image.gaussnoise(90, 120, mean=200, sigma=30, seed=9).cast("uchar")
    (plain := tmp_path / "plain").mkdir()
    noise.tiffsave(str(plain / "0001.tif"))
    (plain / "work.toml").write_text('title = "無百分號"')
    work = ingest(context, plain)
    bag = bagit.Bag(str(unpacked(export(context, work, tmp_path / "bag.zip"), tmp_path / "unpacked")))
    assert bag.validate()
    assert bag.info["External-Identifier"] == work
    assert bag.has_oxum()


def test_premis_and_mets_are_valid_by_their_schemas(
    context: TaskContext, book: str, tmp_path: Path, shared: Path
) -> None:
    root = unpacked(export(context, book, tmp_path / "bag.zip"), tmp_path / "unpacked")
    schemas = shared / "conformance/schemas"
    for name, schema in {"premis": "premis-v3-0.xsd", "mets": "mets-1.12.1.xsd"}.items():
        document = etree.parse(root / f"metadata/{name}.xml")
        _schema(schemas, schema, tmp_path / "schemas").assertValid(document)
    references = etree.parse(root / "metadata/mets.xml").xpath("//@xlink:href", namespaces={"xlink": _XLINK})
    files = [(root / "metadata" / unquote(reference)).resolve() for reference in references]
    assert len(files) == 5  # three masters, the record, PREMIS
    assert all(file.is_file() for file in files)
    events = etree.parse(root / "metadata/premis.xml").findall("{*}event")
    assert [event.findtext("{*}eventType") for event in events] == ["ingestion"] * 3 + ["accession"]


_XLINK = "http://www.w3.org/1999/xlink"


def _schema(schemas: Path, name: str, folder: Path) -> etree.XMLSchema:
    """Return a schema whose imports are files beside it.

    METS names the groups of XLink's attributes as the older schema of the Library of Congress did: ``simpleLink`` is
    ``simpleAttrs`` of XLink 1.1.
    """
    folder.mkdir(exist_ok=True)
    for each in (name, "xlink.xsd", "xml.xsd"):
        text = (schemas / each).read_text("utf-8")
        text = re.sub(r'schemaLocation="https?://[^"]*/', 'schemaLocation="', text)
        (folder / each).write_text(re.sub(r'ref="xlink:(\w+)Link"', r'ref="xlink:\1Attrs"', text), "utf-8")
    return etree.XMLSchema(etree.parse(folder / name, etree.XMLParser(no_network=True)))


@pytest.mark.parametrize(
    "access",
    [
        pytest.param(WorkAccess(access=Access.OPEN), id="opened by the staff"),
        pytest.param(WorkAccess(access=Access.RESTRICTED, until="2031-01-01"), id="restricted until a day"),
    ],
)
def test_an_import_has_the_access_that_the_staff_decided(
    context: TaskContext, empty_library: TaskContext, book: str, tmp_path: Path, access: WorkAccess
) -> None:
    change_access(context, book, access)
    import_bag(empty_library, export(context, book, tmp_path / "bag.zip"))
    imported = empty_library.repository.catalogue.access(book)
    assert imported
    assert is_same_access(imported.access, access)


def test_texts_that_were_added_are_imported_with_what_is_known_of_them(
    context: TaskContext, empty_library: TaskContext, book: str, tmp_path: Path
) -> None:
    text = tmp_path / "下冊/0003.txt"
    text.parent.mkdir()
    text.write_text("天地玄黃", "utf-8")
    stated = {"kind": "ocr", "source": "engine 1", "language": "lzh", "quality": 0.5}
    with local_runner(context) as runner:
        [job] = runner.attempt([text_job(book, [text], stated)])
    assert job.state is JobState.DONE, job.result
    held = list(texts_of(context.repository.store, book))
    assert [(each.page, each.source) for each in held] == [("下冊/0003", "engine 1")]
    file = export(context, book, tmp_path / "bag.zip")
    for _ in range(2):
        assert import_bag(empty_library, file) == book
        assert list(texts_of(empty_library.repository.store, book)) == held
        assert empty_library.repository.catalogue.version(book) == 1
    without_text = write_book(tmp_path / "again")
    assert ingest(empty_library, without_text, revises=book) == book
    assert list(texts_of(empty_library.repository.store, book)) == held


def test_a_withdrawn_work_is_never_public_in_the_library_that_imports_it(
    context: TaskContext, empty_library: TaskContext, book: str, tmp_path: Path
) -> None:
    changes.withdraw(context.repository, book, "因故")
    file = export(context, book, tmp_path / "bag.zip")  # before the object holds the withdrawal
    import_bag(empty_library, file)
    held = empty_library.repository.catalogue.access(book)
    assert held
    assert held.access.state == "withdrawn"
    assert empty_library.repository.catalogue.published_count() == 0


def test_a_revision_that_lost_its_identifier_is_imported_under_its_own(
    context: TaskContext, empty_library: TaskContext, book: str, tmp_path: Path
) -> None:
    revision = write_book(tmp_path / "revision")
    lines = [line for line in RECORD.splitlines() if "identifier" not in line and "watermark" not in line]
    (revision / "work.toml").write_text("\n".join(lines).replace("某人撰", "某人注"), "utf-8")
    assert ingest(context, revision, revises=book) == book
    file = export(context, book, tmp_path / "bag.zip")
    assert import_bag(empty_library, file) == book
    assert empty_library.repository.catalogue.work(book) == context.repository.catalogue.work(book)
    assert import_bag(empty_library, file) == book
    assert empty_library.repository.catalogue.version(book) == 1


def test_a_bag_whose_documents_are_of_another_work_is_an_ordinary_deposit(
    context: TaskContext, empty_library: TaskContext, book: str, tmp_path: Path
) -> None:
    root = unpacked(export(context, book, tmp_path / "bag.zip"), tmp_path / "unpacked")
    other = tmp_path / "other-book"
    other.mkdir()
    pyvips.Image.gaussnoise(90, 120, mean=200, sigma=30, seed=7).cast("uchar").tiffsave(str(other / "0001.tif"))
    (other / "work.toml").write_text('title = "他書"')
    assert ingest(empty_library, other, bag=root) != book


def test_a_damaged_master_is_not_exported(context: TaskContext, book: str, tmp_path: Path) -> None:
    store = context.repository.store
    key = next(stored.key for stored in store.list("ocfl") if stored.key.endswith("0001.tif"))
    damaged = bytearray(store.read(key))
    damaged[100] ^= 1
    store.put(key, bytes(damaged))
    for suffix in (".zip", ".tar"):
        with pytest.raises(DigestMismatch):
            export(context, book, tmp_path / f"bag{suffix}")
    assert not list(tmp_path.glob("bag*"))


def test_an_export_overwrites_nothing_and_names_no_unknown_work(
    context: TaskContext, book: str, tmp_path: Path
) -> None:
    (tmp_path / "bag.zip").write_text("mine")
    with pytest.raises(RequestInvalid):
        export(context, book, tmp_path / "bag.zip")
    assert (tmp_path / "bag.zip").read_text() == "mine"
    with pytest.raises(NotFound):
        export(context, "w0000000000000000", tmp_path / "other.zip")


def test_characters_that_xml_does_not_allow_are_replaced(context: TaskContext, book: str) -> None:
    work = context.repository.catalogue.work(book)
    assert work
    odd = replace(work, record=replace(work.record, title="書\x01\ufffe"))
    contents = BagContents(odd, [], [], "2026-01-01T00:00:00Z")
    for document in (premis_document(contents), mets_document(contents, b"", "")):
        assert "書\ufffd\ufffd" in document.decode()


CONDITION = """
# 張三評定
[condition]
grade = "二级甲等"
damage = "三级"
causes = ["蟲蛀"]
assessed = "2024-05-03"
assessor = "張三"
note = "李四云：書腦\\"朽\\""
[[condition.repair]]
date = "2025-01"
what = "溜口"
by = "王五"
[[volume]]
folder = "下冊"
order = 2
[volume.condition]
assessor = "趙六"
[[volume]]
folder = "上冊"
order = 1
"""
NAMES = ("張三", "李四", "王五", "趙六", "因故")


def test_a_bag_for_a_partner_names_nobody_says_so_and_is_imported(
    context: TaskContext, empty_library: TaskContext, tmp_path: Path, shared: Path
) -> None:
    deposit = write_book(tmp_path / "book")
    record = deposit / "work.toml"
    record.write_text(RECORD.replace('redact = ["1,2,30,40"]', "") + CONDITION, "utf-8")
    digest = sha256(record.read_bytes()).hexdigest()
    (deposit / "manifest-sha256.txt").write_text(f"{digest} *work.toml\n")
    listed = [
        f"{sha256(each.read_bytes()).hexdigest()}  {each.relative_to(deposit)}" for each in deposit.rglob("*.tif")
    ]
    (deposit / "checksums.sha256").write_text("\n".join([*listed, f"{digest}  ./work.toml"]))
    work = ingest(context, deposit)
    change_access(context, work, WorkAccess(access=Access.OPEN))
    repository = context.repository
    preserved = objects.read_file(repository.store, work, "metadata/work.json")
    prepared = prepare_bag(repository, work, ADDRESS, for_partner=True)
    file = tmp_path / "bag.zip"
    with writing_archive(file, prepared.time) as archive:
        write_bag(repository, prepared, archive, lambda _: None)

    root = unpacked(file, tmp_path / "unpacked")
    documents = [each for each in root.rglob("*") if each.is_file() and each.suffix != ".tif"]
    assert not [each for each in documents if any(name in each.read_text("utf-8") for name in NAMES)]
    left_out = {each["file"]: each for each in json.loads((root / "metadata/left-out.json").read_bytes())["documents"]}
    assert {name: each["left_out"] for name, each in left_out.items()} == {
        "data/checksums.sha256": ["work.toml"],
        "data/manifest-sha256.txt": ["work.toml"],
        "data/work.toml": ["assessor", "comments", "note", "repairs.by"],
        "metadata/access.json": ["reason"],
        "metadata/work.json": ["assessor", "note", "repairs.by"],
    }
    assert (left_out["data/work.toml"]["sha256"], (root / "data/manifest-sha256.txt").exists()) == (digest, False)
    assert left_out["metadata/work.json"]["sha256"] == sha256(preserved).hexdigest()
    stated = {
        event["linkingObjectIdentifier"]["sha256"] for event in json.loads((root / "metadata/events.json").read_bytes())
    }
    assert {left_out[f"metadata/{name}.json"]["sha256"] for name in ("work", "access")} <= stated
    assert "left-out.json" in (root / "bag-info.txt").read_text("utf-8")
    for name, schema in {"premis": "premis-v3-0.xsd", "mets": "mets-1.12.1.xsd"}.items():
        found = _schema(shared / "conformance/schemas", schema, tmp_path / "schemas")
        found.assertValid(etree.parse(root / f"metadata/{name}.xml"))

    assert import_bag(empty_library, file) == work
    imported, held = empty_library.repository.catalogue.work(work), repository.catalogue.work(work)
    assert held
    assert imported == work_without_names(held)
    assert imported.condition == Condition(
        "二级甲等", "三级破损", ("虫蛀",), "2024-05-03", repairs=(Repair("2025-01", "溜口"),)
    )
    assert held_masters(empty_library.repository, work).keys() == held_masters(repository, work).keys() - {
        "deposit/manifest-sha256.txt"
    }


def test_a_bag_for_a_partner_of_a_work_that_names_nobody_is_as_it_was_deposited(
    context: TaskContext, book: str
) -> None:
    own, partner = (prepare_bag(context.repository, book, ADDRESS, for_partner=each) for each in (False, True))
    assert (partner.contents, partner.tags) == (own.contents, own.tags)
