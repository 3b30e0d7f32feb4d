"""Archives of evidence: unpacked in an empty folder, what they hold verifies itself, by OpenSSL too."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from log_scenarios import NOW, publication
from timestamp_authority import TimestampAuthority, openssl

from preservation.log.archive import write_archive
from preservation.log.evidence import verify
from preservation.log.sequencer import open_log, record_events, verifier_key
from preservation.log.signing_key import Cosigner
from preservation.log.subject import Subject, events_of, evidence_of, parse_subject
from preservation.log.timestamped import timestamp_log
from preservation.premis import ChangeOfAccess, access_event, accession_event, parse_event
from repository.config import Settings
from repository.errors import IdentifierInvalid, NotFound, SettingInvalid
from repository.model.work import WorkAccess
from repository.paths import LOG_COSIGNED
from repository.repository import Repository, open_repository
from workers.bootstrap import prepare_repository

pytestmark = pytest.mark.slow

WORK = publication("one").work.identifier
WITNESS = Cosigner("w1.example/witness", b"w" * 32)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository whose log holds a work of two versions, each with images, and another work between."""
    settings = Settings(data=tmp_path / "var", witnesses=(f"https://w1.example {WITNESS.key.line()}",))
    made = prepare_repository(open_repository(settings))
    one, other = publication("one"), publication("other")
    accession = accession_event(WORK, 1, sha256(b"record").hexdigest(), time=NOW, software="test")
    first = (*one.events, accession)
    made.catalogue.publish(replace(one, events=first), (), NOW)
    record_events(made)
    made.catalogue.publish(other, (), NOW)
    record_events(made)
    digest = sha256(b"access").hexdigest()
    change = access_event(WORK, 2, digest, WorkAccess(), ChangeOfAccess.CHANGE, time=NOW, software="test")
    made.catalogue.publish(replace(one, events=(*first, change), version=2), (), NOW)
    record_events(made)
    return made


def archive(repository: Repository, subject: Subject, after: int = -1, limit: int | None = None) -> bytes:
    file = io.BytesIO()
    write_archive(repository, subject, file, after=after, limit=limit)
    return file.getvalue()


def unpack(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        packed.extractall(folder)
    return next(folder.iterdir())


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "contents.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run_verifier(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the verifier of an archive as its README says, without the project in sight."""
    evidence = sorted(str(path.relative_to(folder)) for path in (folder / "evidence").iterdir())
    command = [sys.executable, "-I", "verify.py", *evidence, "--policy", "policy.txt", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def timestamping(repository: Repository, authority: TimestampAuthority) -> Iterator[Repository]:
    with authority.served() as url:
        settings = replace(repository.settings, tsa=url, tsa_certificates=str(authority.roots))
        yield replace(repository, settings=settings)


def test_evidence_is_of_an_image_a_work_or_a_version(repository: Repository) -> None:
    key, image = verifier_key(repository), str(publication("one").events[1].image)
    for subject, index in [
        (parse_subject(image.upper()), 1),
        (parse_subject(WORK), 7),
        (parse_subject(WORK, 1), 3),
        (parse_subject(WORK, 2), 7),
    ]:
        assert verify(evidence_of(repository, subject), key).index == index, subject
    for absent in (parse_subject(WORK, 3), parse_subject(publication("other").work.identifier)):
        with pytest.raises(NotFound):
            evidence_of(repository, absent)
    with pytest.raises(NotFound):
        parse_subject(image, 1)
    with pytest.raises(IdentifierInvalid):
        parse_subject(WORK[:-1])


def test_archive_of_a_work_verifies_itself_and_has_every_event(
    repository: Repository, authority: TimestampAuthority, tmp_path: Path
) -> None:
    with timestamping(repository, authority) as stamped:
        timestamp_log(open_log(stamped), stamped.store, stamped.settings)
        content = archive(stamped, parse_subject(WORK))
    assert content == archive(stamped, parse_subject(WORK))
    folder = unpack(content, tmp_path / "unpacked")
    assert [int(row["index"]) for row in rows(folder)] == [0, 1, 2, 3, 7]
    assert {row["work"] for row in rows(folder)} == {WORK}
    done = run_verifier(folder, "--roots", "roots.pem")
    assert (done.returncode, done.stderr) == (0, "")
    assert "核验通过：证据 5 份" in done.stdout
    text, response = folder / "checkpoint-8.txt", folder / "timestamp-8.tsr"
    openssl("ts", "-verify", "-data", text, "-in", response, "-CAfile", folder / "roots.pem")
    assert verifier_key(repository) in (folder / "policy.txt").read_text("utf-8")
    assert f"证据包 {WORK}" in (folder / "README.txt").read_text("utf-8")
    absent = replace(stamped.settings, tsa_certificates=str(tmp_path / "none.pem"))
    with pytest.raises(SettingInvalid, match="none.pem"):
        archive(replace(stamped, settings=absent), parse_subject(WORK))
    damaged = next((folder / "evidence").iterdir())
    damaged.write_bytes(damaged.read_bytes().replace(b"\nindex ", b"\nindex 1", 1))
    assert run_verifier(folder).returncode == 1


def test_archive_of_a_version_or_an_image_has_their_events_alone(repository: Repository, tmp_path: Path) -> None:
    image = str(publication("one").events[1].image)
    for subject, indexes in [(parse_subject(WORK, 2), [7]), (parse_subject(image), [1])]:
        folder = unpack(archive(repository, subject), tmp_path / subject.name)
        assert folder.name == f"evidence-{subject.name}"
        assert [int(row["index"]) for row in rows(folder)] == indexes
        assert run_verifier(folder).returncode == 0
    with pytest.raises(NotFound):
        archive(repository, parse_subject(WORK, 3))


def test_archives_of_a_long_work_continue_each_other(repository: Repository, tmp_path: Path) -> None:
    first = unpack(archive(repository, parse_subject(WORK), limit=3), tmp_path / "first")
    assert "?after=2" in (first / "README.txt").read_text("utf-8")
    second = unpack(archive(repository, parse_subject(WORK), after=2, limit=3), tmp_path / "second")
    assert "?after" not in (second / "README.txt").read_text("utf-8")
    assert [int(row["index"]) for row in rows(first) + rows(second)] == [0, 1, 2, 3, 7]


def test_policy_of_an_archive_requires_the_quorum_only_if_every_checkpoint_has_it(
    repository: Repository, tmp_path: Path
) -> None:
    before = unpack(archive(repository, parse_subject(WORK)), tmp_path / "before")
    assert (before / "policy.txt").read_text("utf-8").endswith("quorum none\n")
    note = open_log(repository).checkpoint_note()
    text = note.partition(b"\n\n")[0].decode() + "\n"
    repository.store.put(LOG_COSIGNED, note + WITNESS.cosign(text, 1_800_000_000).line().encode())
    after = unpack(archive(repository, parse_subject(WORK)), tmp_path / "after")
    assert (after / "policy.txt").read_text("utf-8").endswith("quorum witnesses\n")
    done = run_verifier(after)
    assert done.returncode == 0
    assert f"Cosigned: {WITNESS.key.name}" in done.stdout


def test_events_of_a_subject_are_read_page_by_page(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preservation.log.subject._PAGE", 2)
    found = list(events_of(repository, parse_subject(WORK)))
    assert [index for index, _ in found] == [0, 1, 2, 3, 7]
    log = open_log(repository)
    assert [parse_event(log.entry(index)).identifier for index, _ in found] == [event.identifier for _, event in found]
