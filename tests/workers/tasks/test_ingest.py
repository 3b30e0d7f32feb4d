"""An ingest preserves, tiles, publishes and logs a work; repeated or killed and repeated, it has the same result."""

import hashlib
import json
import shutil
from dataclasses import replace

import imagecodecs
import numpy
import pytest
import pyvips
from silent_progress import SilentProgress

from iiif_server.presentation.published import PresentationService
from preservation.log.notes import without_ml_dsa
from preservation.log.sequencer import open_log
from preservation.ocfl.objects import read_file, read_inventory
from preservation.ocfl.validation import validate_object
from preservation.premis import parse_event
from repository import paths
from repository.database.outbox import JobState
from repository.model.work import Record
from repository.model.work_json import work_to_json
from repository.repository import memory_repository
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.maintenance.rebuild import rebuild
from workers.masters.examine import Examined
from workers.service.local import local_runner
from workers.tasks.ingest import IngestPlan
from workers.tasks.ingest_page import IngestedPage
from workers.tasks.jobs import ingest_job


class Killed(BaseException):
    """Stands for the end of the process: no handler catches it."""


class KillingStore:
    """A store that kills its process at the n-th change, before or after making it."""

    def __init__(self, store, changes, after):
        self._store, self._left, self._after = store, changes, after

    def __getattr__(self, name):
        action = getattr(self._store, name)
        return (
            action if name not in ("put", "put_new", "delete") else lambda *arguments: self._change(action, arguments)
        )

    def _change(self, action, arguments):
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        action(*arguments)
        if self._left < 0:
            raise Killed


def run(context, deposit, revises=None):
    with local_runner(context) as runner:
        return runner.run(ingest_job(deposit, revises))


def contents(repository):
    """Return the content of the store; of pyramids only the keys, because a ZIP file contains its creation time.

    Signatures by ML-DSA are left out, because each is another one.
    """
    keys = [item.key for item in repository.store.list() if item.key != paths.STORE_IDENTITY]
    found = {key: b"" if key.startswith(paths.PYRAMIDS) else repository.store.read(key) for key in keys}
    if paths.LOG_CHECKPOINT in found:
        signers = [each.key for each in open_log(repository).key.keys]
        found[paths.LOG_CHECKPOINT] = without_ml_dsa(found[paths.LOG_CHECKPOINT], signers)
    return found


def catalogued(repository):
    """Return the content of the catalogue."""
    works = repository.catalogue.works()
    held = [repository.catalogue.work(work.identifier) for work in works]
    images = [repository.catalogue.image(image.identifier) for work in held for image in work.images()]
    indexes = [repository.log_sequence.newest_log_index(image.identifier) for image in images]
    pyramids = [replace(image, pyramid=replace(image.pyramid, bytes=0)) for image in images]
    return works, held, pyramids, indexes, repository.catalogue.counts()


def test_ingest_preserves_tiles_publishes_and_logs_a_work(context, deposit):
    job = run(context, deposit)
    repository = context.repository
    assert job.state is JobState.DONE
    work = job.result["identifier"]
    assert validate_object(repository.store, paths.ocfl_object(work)).valid
    manifest = json.loads(PresentationService(repository.store).manifest(work, "https://example.org").body)
    assert len(manifest["items"]) == 3
    collection = json.loads(PresentationService(repository.store).collection("top", "https://example.org").body)
    assert [item["id"] for item in collection["items"]] == [manifest["id"]]
    held = repository.catalogue.work(work)
    assert held.record == Record("試書", language=("lzh",))
    log = open_log(repository)
    assert log.verify().ok
    events = [parse_event(leaf) for leaf in log.entries(0, log.size)]
    assert [event.sha256 for event in events[:3]] == [image.master.sha256 for image in held.images()]
    masters = [read_file(repository.store, work, image.master.path) for image in held.images()]
    assert [event.detail["sm3"] for event in events[:3]] == [
        hashlib.new("sm3", master).hexdigest() for master in masters
    ]
    assert repository.catalogue.counts().staged == 0


def test_parts_of_a_master_that_its_image_does_not_show_are_recorded(context, tmp_path):
    samples = numpy.random.default_rng(1).integers(0, 256, (40, 50, 4), dtype=numpy.uint8)
    deposit = tmp_path / "scan"
    deposit.mkdir()
    (deposit / "work.toml").write_text('title = "試書"', "utf-8")
    (deposit / "0001.j2k").write_bytes(imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, codecformat="j2k"))
    repository = context.repository
    work = run(context, deposit).result["identifier"]
    for _ in range(2):
        held = repository.catalogue.work(work)
        assert [(image.master.ignored, image.master.puid) for image in held.images()] == [
            (("extra-samples",), "fmt/1794")
        ]
        assert json.loads(work_to_json(held))["volumes"][0]["pages"][0]["images"][0]["master"]["ignored"]
        rebuild(repository, context.examiner, SilentProgress())
    log = open_log(repository)
    assert parse_event(next(iter(log.entries(0, 1)))).detail["ignored"] == "extra-samples"
    assert run(context, deposit).result["changed"] is False


def test_log_entries_contain_no_file_names(context, deposit):
    for page in deposit.glob("*.tif"):
        page.rename(page.with_name(f"somebody-{page.name}"))
    record = deposit / "work.toml"
    record.write_text(record.read_text("utf-8").replace("0001-0003", "somebody-0001-somebody-0003"), "utf-8")
    assert run(context, deposit).state is JobState.DONE
    log = open_log(context.repository)
    assert log.size == 4
    assert not any(b"somebody" in leaf for leaf in log.entries(0, log.size))


def test_repeated_ingest_changes_nothing(context, deposit):
    run(context, deposit)
    before = contents(context.repository), catalogued(context.repository)
    job = run(context, deposit)
    assert job.result["changed"] is False
    assert (contents(context.repository), catalogued(context.repository)) == before


class CountingExaminer:
    """The real examiner, with a count of its calls."""

    def __init__(self, examiner):
        self._examiner, self.concurrency, self.calls = examiner, examiner.concurrency, 0
        self.read_record, self.read_text = examiner.read_record, examiner.read_text

    def is_blank(self, path):
        return self._examiner.is_blank(path)

    def __call__(self, path, pyramid, algorithms=frozenset()):
        self.calls += 1
        return self._examiner(path, pyramid, algorithms)


def test_known_masters_are_not_decoded_again(context, deposit):
    run(context, deposit)
    counting = replace(context, examiner=CountingExaminer(context.examiner))
    assert run(counting, deposit).state is JobState.DONE
    assert counting.examiner.calls == 0


def test_two_works_may_share_a_master(context, deposit, tmp_path):
    first = run(context, deposit).result["identifier"]
    other = tmp_path / "other"
    shutil.copytree(deposit, other)
    (other / "0003.tif").unlink()
    (other / "work.toml").write_text('title = "節本"\nidentifier = "SB-2"\n', "utf-8")
    second = run(context, other).result["identifier"]
    assert first != second
    for image in context.repository.catalogue.work(second).images():
        assert context.repository.store.exists(context.repository.catalogue.image(image.identifier).pyramid.key)


def test_identical_blank_pages_are_one_preserved_image(context, deposit):
    """The first is byte for byte the last, and neither is first by its file name alone."""
    pyvips.Image.black(300, 400).invert().cast("uchar").tiffsave(str(deposit / "2.tif"), bitdepth=1)
    (deposit / "0001.tif").rename(deposit / "1.tif")
    shutil.copy(deposit / "2.tif", deposit / "0010.tif")
    (deposit / "0002.tif").unlink()
    (deposit / "work.toml").write_text('title = "白葉"\n' + MISSING, "utf-8")
    job = run(context, deposit)
    assert (job.state, job.result.get("images")) == (JobState.DONE, 3), job.result
    repository, identifier = context.repository, job.result["identifier"]
    assert validate_object(repository.store, paths.ocfl_object(identifier)).valid
    held = repository.catalogue.work(identifier)
    assert [page.key for page in held.pages() if page.images] == ["1", "2", "0003", "0010"]
    manifest = json.loads(PresentationService(repository.store).manifest(identifier, "https://example.org").body)
    assert len(manifest["items"]) == 10
    assert repository.catalogue.counts().images == 3
    assert run(context, deposit).result["changed"] is False
    assert rebuild(repository, context.examiner, SilentProgress()).images == 3


MISSING = "".join(f'[[page]]\nfile = "{number:04d}"\nmissing = true\n' for number in range(4, 10))


def test_identical_pages_that_are_not_blank_are_refused(context, deposit):
    pyvips.Image.black(300, 400).cast("uchar").tiffsave(str(deposit / "0002.tif"), bitdepth=1)  # black, not white
    shutil.copy(deposit / "0002.tif", deposit / "0003.tif")
    job = run(context, deposit)
    assert [(fault["file"], fault["code"]) for fault in job.result["faults"]] == [("0003.tif", "page.duplicate")]


def test_corrected_record_is_a_new_version_of_the_same_work(context, deposit):
    first = run(context, deposit).result["identifier"]
    record = deposit / "work.toml"
    record.write_text(record.read_text("utf-8").replace("試書", "正名"), "utf-8")
    second = run(context, deposit).result
    assert (second["identifier"], second["changed"]) == (first, True)
    assert context.repository.catalogue.work(first).record.title == "正名"
    log = open_log(context.repository)
    types = [parse_event(leaf).type for leaf in log.entries(0, log.size)]
    assert types == ["ingestion", "ingestion", "ingestion", "accession", "accession"]


def test_faulty_deposit_is_refused_and_leaves_nothing(context, deposit, tmp_path):
    before = contents(context.repository)
    (deposit / "0002.tif").write_bytes(b"")
    job = run(context, deposit)
    assert job.state is JobState.FAILED
    assert [fault["file"] for fault in job.result["faults"]] == ["0002.tif"]
    assert contents(context.repository) == before
    assert context.repository.catalogue.counts().works == 0
    assert list((tmp_path / "var" / "staging").glob("desk-*")) == []


def _twin(context, store=None):
    """Return an empty repository on the same data folder, with the same key and clock, and the given store if any."""
    twin = memory_repository(context.repository.settings, context.repository.clock)
    return prepare_repository(replace(twin, store=store or twin.store))


def _delete_signing_record(context):
    """Delete the record of what the key has signed, which belongs to the log of an earlier trial."""
    for left in context.repository.settings.data.glob("log.*"):
        left.unlink()


@pytest.fixture
def two_pages(tmp_path):
    """The smallest deposit in which a page may be stored while another is not."""
    folder = tmp_path / "two-pages"
    folder.mkdir()
    for number in (1, 2):
        noise = pyvips.Image.gaussnoise(90, 120, mean=200, sigma=30, seed=number).cast("uchar")
        noise.tiffsave(str(folder / f"{number:04d}.tif"))
    (folder / "work.toml").write_text('title = "試書"\n[[range]]\nlabel = "卷上"\npages = "0001-0002"\n', "utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_ingest_killed_at_any_store_change_and_repeated_equals_one_run(context, two_pages, after):
    run(context, two_pages)
    expected = contents(context.repository), catalogued(context.repository)
    kills = 0
    while True:
        _delete_signing_record(context)
        repository = _twin(context)
        killed = replace(repository, store=KillingStore(repository.store, kills, after))
        try:
            run(TaskContext(killed, context.examiner), two_pages)
        except Killed:
            kills += 1
        else:
            break
        survivor = TaskContext(repository, context.examiner)
        ended = run(survivor, two_pages)
        assert ended.state is JobState.DONE, ended.result
        assert (contents(repository), catalogued(repository)) == expected, f"killed at change {kills}"
        assert open_log(repository).verify().ok
    assert kills >= 20


@pytest.mark.slow
def test_ingest_killed_at_any_store_change_is_repeated_with_a_new_database(context, two_pages):
    run(context, two_pages)
    work = context.repository.catalogue.works()[0].identifier
    kills = 0
    while True:
        _delete_signing_record(context)
        repository = _twin(context)
        killed = replace(repository, store=KillingStore(repository.store, kills, after=kills % 2))
        try:
            run(TaskContext(killed, context.examiner), two_pages)
        except Killed:
            kills += 1
        else:
            break
        survivor = TaskContext(_twin(context, repository.store), context.examiner)
        done = rebuild(survivor.repository, context.examiner, SilentProgress())
        assert (done.skipped, done.lost) == ((), ())
        ended = run(survivor, two_pages)
        assert ended.state is JobState.DONE, (kills, ended.result)
        assert validate_object(repository.store, paths.ocfl_object(work)).valid
        assert read_inventory(repository.store, work).head == "v1"
        assert list(repository.store.list(paths.UNFINISHED)) == []
    assert kills >= 20


def test_rebuild_restores_the_catalogue_from_the_store_alone(context, deposit):
    run(context, deposit)
    twin = _twin(context, context.repository.store)
    done = rebuild(twin, context.examiner, SilentProgress())
    assert (done.works, done.images, done.pyramids_made) == (1, 3, 0)
    assert catalogued(twin) == catalogued(context.repository)


def test_rebuild_restores_deleted_pyramids_and_published_documents(context, deposit):
    run(context, deposit)
    repository = context.repository
    before = contents(repository), catalogued(repository)
    for prefix in (paths.PYRAMIDS, paths.PUBLISHED):
        for item in list(repository.store.list(prefix)):
            repository.store.delete(item.key)
    done = rebuild(repository, context.examiner, SilentProgress())
    assert done.pyramids_made == 3
    assert (contents(repository), catalogued(repository)) == before


def test_failed_job_stores_its_fault_in_both_languages(context, deposit, tmp_path):
    for key in (tmp_path / "var" / "keys").iterdir():
        key.unlink()
    job = run(context, deposit)
    assert job.state is JobState.DONE
    sequencing = context.repository.jobs.get("journal")
    assert (sequencing.state, sequencing.result["branch"]) == (JobState.FAILED, "system")
    assert set(sequencing.result["message"]) == {"zh", "en"}


class InterferingExaminer:
    """The real examiner, which changes the page in the deposit after each of the first `times` examinations."""

    def __init__(self, examiner, page, times):
        self._examiner, self._page, self._left = examiner, page, times
        self.read_record, self.read_text = examiner.read_record, examiner.read_text
        self.concurrency = 1

    def is_blank(self, path):
        return self._examiner.is_blank(path)

    def __call__(self, path, pyramid, algorithms=frozenset()):
        if self._left and path == self._page:
            self._left -= 1
            examined = self._examiner(path, pyramid, algorithms)
            pyvips.Image.gaussnoise(700, 900, mean=128, seed=1000 + self._left).cast("uchar").tiffsave(str(path))
            return examined
        return self._examiner(path, pyramid, algorithms)


def test_ingest_restarts_when_the_deposit_changes_and_keeps_nothing_old(context, deposit):
    interfering = InterferingExaminer(context.examiner, deposit / "0002.tif", 2)
    job = run(replace(context, examiner=interfering), deposit)
    assert (job.state, job.result["images"]) == (JobState.DONE, 3)
    repository = context.repository
    held = repository.catalogue.work(job.result["identifier"])
    digest = hashlib.sha256((deposit / "0002.tif").read_bytes()).hexdigest()
    assert digest in {image.master.sha256 for image in held.images()}
    known = {pyramid.key for pyramid in repository.catalogue.pyramids(held.identifier).values()}
    assert {item.key for item in repository.store.list(paths.PYRAMIDS)} == known
    assert validate_object(repository.store, paths.ocfl_object(held.identifier)).valid


def test_deposit_that_keeps_changing_is_refused_and_leaves_nothing(context, deposit):
    before = contents(context.repository)
    interfering = InterferingExaminer(context.examiner, deposit / "0002.tif", 100)
    job = run(replace(context, examiner=interfering), deposit)
    assert job.state is JobState.FAILED
    assert [fault["code"] for fault in job.result["faults"]] == ["deposit.changing"]
    assert contents(context.repository) == before


def test_plans_and_page_results_of_release_0_1_are_read():
    """They are stored with waiting jobs, so that their keys must not change."""
    plan = {"work": "w", "version": 2, "time": "2026-01-01T12:00:00Z", "kept": "ab"}
    assert IngestPlan.of_json(plan).to_json() == plan
    pyramid = {"fingerprint": "12", "bytes": 9, "width": 700, "height": 900}
    examined = {"sha256": "cd", "bytes": 5, "media_type": "image/tiff", "width": 700, "height": 900, "pixels": "12"}
    fault = {"file": "0002.tif", "place": "", "code": "master.empty", "message": {"zh": "空", "en": "empty"}}
    pages = [
        {"file": "0001.tif", "signature": "5 1", "examined": {**examined, "pyramid": pyramid}},
        {"file": "0001.tif", "signature": "5 1", "examined": {**examined, "pyramid": None}},
        {"file": "0002.tif", "signature": "", "fault": fault},
    ]
    assert [IngestedPage.of_json(page).to_json() for page in pages] == pages


def test_page_results_keep_what_their_images_do_not_show():
    examined = Examined("cd", 5, "image/tiff", 700, 900, "12", None, ("extra-samples",))
    page = IngestedPage("0001.tif", "5 1", examined)
    assert IngestedPage.of_json(json.loads(json.dumps(page.to_json()))) == page
