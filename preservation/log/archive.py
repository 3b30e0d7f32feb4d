"""Archives of evidence: a ZIP with evidence of every event of an image, a work or a version, and what checks it.

The archive holds the stand-alone verifier, keys and policy, each checkpoint with its cosignatures, each timestamp as
the file that ``openssl ts -verify`` reads, and a README in both languages. Entries are stored without compression,
in one order and with one date, so that the same log gives the same bytes on every machine.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import islice
from typing import IO, Final

from cryptography.hazmat.primitives.serialization import Encoding

from preservation.log import notes
from preservation.log.archive_readme import readme
from preservation.log.evidence import EvidenceFile
from preservation.log.log import ProvenanceLog
from preservation.log.notes import parse_checkpoint, parse_note
from preservation.log.sequencer import open_log
from preservation.log.subject import Subject, events_of
from preservation.log.timestamp import read_roots, timestamp_response
from preservation.log.witnesses import WitnessPolicy, witness_policy
from repository.errors import NotFound
from repository.model.work import Event
from repository.repository import Repository

ARCHIVE_ENTRIES: Final = 1000
"""The most entries of an archive that is sent over HTTP: some 3 to 15 MB, by the number of cosignatures."""

_DATE: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644 << 16
_UNIX: Final = 3
_COLUMNS: Final = ("evidence", "index", "time", "event", "work", "image", "sha256", "version")


@dataclass(slots=True)
class _Archive:
    """An archive being written: its ZIP, the checkpoints that its evidence uses, by size, and the table of contents."""

    zip: zipfile.ZipFile
    folder: str
    checkpoints: dict[int, bytes] = field(default_factory=dict)
    contents: list[Sequence[object]] = field(default_factory=lambda: [_COLUMNS])

    def add(self, name: str, content: bytes) -> None:
        member = zipfile.ZipInfo(f"{self.folder}/{name}", _DATE)
        member.external_attr, member.create_system = _MODE, _UNIX
        self.zip.writestr(member, content)

    def add_evidence(self, event: Event, file: EvidenceFile) -> None:
        name = f"evidence/{file.index:012d}-{event.image or event.work}.tlog-proof"
        self.add(name, file.content())
        self.checkpoints.setdefault(parse_checkpoint(parse_note(file.checkpoint).text).size, file.checkpoint)
        version = event.detail.get("version", "")
        what = (event.time, event.type, event.work, event.image or "", event.sha256 or "", version)
        self.contents.append((name, file.index, *what))

    def add_checkpoints(self) -> None:
        for size, content in self.checkpoints.items():
            note = parse_note(content)
            self.add(f"checkpoint-{size}", content)
            self.add(f"checkpoint-{size}.txt", note.text.encode())
            if response := timestamp_response(note):
                self.add(f"timestamp-{size}.tsr", response)


def write_archive(
    repository: Repository, subject: Subject, file: IO[bytes], *, after: int = -1, limit: int | None = None
) -> int:
    """Write an archive of at most `limit` entries after the index `after`; return how many it has.

    Evidence is made and written one by one. Raises `NotFound` when there is none, `LogInvalid`, `SettingInvalid`,
    `StoreFault`.
    """
    log, settings = open_log(repository), repository.settings
    roots = read_roots(settings.tsa_certificates)
    policy = witness_policy(settings)
    events = events_of(repository, subject, after)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as written:
        archive = _Archive(written, f"evidence-{subject.name}")
        last, count = _add_all(archive, log, events if limit is None else islice(events, limit))
        if not count:
            raise NotFound(what=subject.name)
        archive.add_checkpoints()
        archive.add("contents.csv", _csv(archive.contents))
        archive.add("policy.txt", policy_text(log, policy, archive.checkpoints, settings.base_url))
        if roots:
            archive.add("roots.pem", b"".join(root.public_bytes(Encoding.PEM) for root in roots))
        archive.add("verify.py", resources.files("preservation.verifier").joinpath("verify.py").read_bytes())
        more = next(events, None) is not None
        name = subject.name
        archive.add("README.txt", readme(name, log.key.name, count, last if more else None, settings.base_url))
    return count


def _add_all(archive: _Archive, log: ProvenanceLog, events: Iterable[tuple[int, Event]]) -> tuple[int, int]:
    """Add evidence of the events; return the index of the last, and how many there are."""
    last, count = -1, 0
    for batch in iter(lambda: list(islice(events, ARCHIVE_ENTRIES)), []):
        files = log.evidence_files(index for index, _ in batch)
        for (index, event), made in zip(batch, files, strict=True):
            archive.add_evidence(event, made)
            last, count = index, count + 1
    return last, count


def policy_text(log: ProvenanceLog, policy: WitnessPolicy, checkpoints: Mapping[int, bytes], address: str) -> bytes:
    """Return the policy as a file (C2SP tlog-policy).

    If the quorum cosigned not every one of the checkpoints, the file requires none and says so.
    """
    keys = [witness.key for witness in policy.witnesses]
    signed = [each.key for each in log.key.keys if each.key.algorithm is notes.Algorithm.ED25519]
    lines = [f"log {key.line()}" + (f" {address}/log/" if address else "") for key in signed]
    lines += [f"witness w{number} {key.line()}" for number, key in enumerate(keys, 1)]
    cosigned = min((len(notes.cosigners(note, keys)) for note in checkpoints.values()), default=0)
    if keys and cosigned >= policy.quorum:
        members = " ".join(f"w{number}" for number in range(1, len(keys) + 1))
        lines += [f"group witnesses {policy.quorum} {members}", "quorum witnesses"]
    else:
        lines += (
            ["# 并非每个检查点均有足数联署。 Not every checkpoint has the cosignatures of a quorum."] if keys else []
        )
        lines += ["quorum none"]
    return "".join(f"{line}\n" for line in lines).encode()


def _csv(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
