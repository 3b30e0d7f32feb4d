"""Digests from when masters were scanned: compared at each deposit, recorded in the events and preserved."""

import hashlib

import pytest
from silent_progress import SilentProgress

from preservation.ocfl.objects import read_file
from repository.database.outbox import JobState
from workers.deposit.check import check
from workers.exchange.contents import payload_path
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job
from workers.tasks.preserve import read_events


def run(context, deposit):
    with local_runner(context) as runner:
        return runner.run(ingest_job(deposit))


def digest(path, algorithm):
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


def write_manifest(deposit, name, algorithm, *files):
    lines = [f"{digest(deposit / file, algorithm)}  {file}\n" for file in files]
    (deposit / name).write_text("".join(lines), "utf-8")


def faults_of(context, deposit):
    """Return the faults of an ingest, which are those of a check."""
    checked = check(deposit, context.examiner, SilentProgress())
    job = run(context, deposit)
    assert job.state is JobState.FAILED
    assert [fault.to_json() for fault in checked.faults] == job.result["faults"]
    return [(fault.file, fault.place, fault.code) for fault in checked.faults]


def test_digests_of_the_scanner_are_stated_in_the_events_and_preserved(context, deposit):
    pages = ["0001.tif", "0002.tif", "0003.tif"]
    write_manifest(deposit, "SHA256SUMS", "sha256", *pages)
    write_manifest(deposit, "checksums.md5", "md5", *pages[:2], "work.toml")
    job = run(context, deposit)
    assert job.state is JobState.DONE
    assert job.result["notices"] == []
    store, work = context.repository.store, job.result["identifier"]
    sha256, md5 = ([f"{name}:{digest(deposit / page, name)}" for page in pages] for name in ("sha256", "md5"))
    captured = [event.detail.get("captured") for event in read_events(store, work)]
    assert captured == [f"{sha256[0]} {md5[0]}", f"{sha256[1]} {md5[1]}", sha256[2], None]
    for name in ("SHA256SUMS", "checksums.md5"):
        assert read_file(store, work, f"deposit/{name}") == (deposit / name).read_bytes()
        assert payload_path(f"deposit/{name}") == f"data/{name}"
    assert run(context, deposit).result["changed"] is False


def test_deposit_without_a_manifest_states_no_digest_of_a_scanner(context, deposit):
    work = run(context, deposit).result["identifier"]
    assert not any("captured" in event.detail for event in read_events(context.repository.store, work))


@pytest.mark.parametrize(("name", "algorithm"), [("manifest-sha256.txt", "sha256"), ("MD5SUMS", "md5")])
def test_file_that_changed_since_it_was_scanned_is_refused(context, deposit, name, algorithm):
    write_manifest(deposit, name, algorithm, "0001.tif", "0002.tif", "0003.tif")
    with (deposit / "0002.tif").open("ab") as file:
        file.write(b"\0")  # the picture is the same
    assert faults_of(context, deposit) == [("0002.tif", "", "capture.changed")]
    (fault,) = check(deposit, context.examiner, SilentProgress()).faults
    assert f"{name} 第 2 行" in fault.message.zh
    assert f"{name}, line 2" in fault.message.en


def test_known_master_is_compared_too(context, deposit):
    run(context, deposit)
    write_manifest(deposit, "MD5SUMS", "md5", "0001.tif", "0002.tif", "0003.tif")
    assert run(context, deposit).result["version"] == 2
    (deposit / "MD5SUMS").write_text(f"{'0' * 32}  0001.tif\n", "utf-8")
    assert faults_of(context, deposit) == [("0001.tif", "", "capture.changed")]


def test_listed_file_that_is_absent_is_refused(context, deposit):
    write_manifest(deposit, "MD5SUMS", "md5", "0001.tif", "0002.tif", "0003.tif")
    (deposit / "0003.tif").unlink()
    (deposit / "work.toml").write_text('title = "試"', "utf-8")
    (deposit / "Thumbs.db").write_bytes(b"x")
    with (deposit / "MD5SUMS").open("a") as manifest:
        manifest.write(f"{'0' * 32}  ../0001.tif\n{'0' * 32}  Thumbs.db\n")
    assert faults_of(context, deposit) == [
        ("MD5SUMS", "line 3", "capture.absent"),
        ("MD5SUMS", "line 4", "capture.absent"),
    ]


def test_images_that_a_manifest_does_not_list_are_a_notice(context, deposit):
    write_manifest(deposit, "MD5SUMS", "md5", "0002.tif")
    (notice,) = run(context, deposit).result["notices"]
    assert (notice["code"], notice["file"]) == ("capture.unlisted", "MD5SUMS")
    assert "2 images are not listed, the first is 0001.tif" in notice["message"]["en"]


def test_manifest_of_a_volume_is_beside_its_images(context, deposit):
    (deposit / "volume-1").mkdir()
    for page in sorted(deposit.glob("*.tif")):
        page.rename(deposit / "volume-1" / page.name)
    (deposit / "work.toml").write_text('title = "試"', "utf-8")
    write_manifest(deposit / "volume-1", "checksums.sha256", "sha256", "0001.tif", "0002.tif", "0003.tif")
    work = run(context, deposit).result["identifier"]
    store = context.repository.store
    assert read_file(store, work, "deposit/volume-1/checksums.sha256")
    assert all("captured" in event.detail for event in read_events(store, work)[:3])
