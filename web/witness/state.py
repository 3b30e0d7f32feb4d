"""The data folder of a witness: its key, the logs that it accepts, and the newest checkpoint it cosigned of each.

::

    witness.key            the private key (`preservation/log/signing_key.py`)
    logs                   verifier keys of the accepted logs, one a line; lines that begin with # are comments
    checkpoints/{origin}   the newest cosigned checkpoint, by the SHA-256 of the log's origin

A checkpoint is durable before its cosignature leaves the witness. One process at a time uses the folder.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from preservation.log.checkpoint_file import CheckpointFile
from preservation.log.merkle import EMPTY_ROOT, TreeHead
from preservation.log.notes import Note, Signature, VerifierKey, parse_checkpoint, parse_verifier_key, verify_note
from preservation.log.signing_key import Cosigner
from preservation.log.witness import Judgement, Verdict, accepted_logs, judge
from repository.clock import system_clock
from repository.errors import Busy, LogInvalid, RequestInvalid, SettingInvalid
from repository.localized import LocalizedText
from repository.storage.lock_files import hold_lock_file

LOGS_FILE: Final = "logs"
_CHECKPOINTS: Final = "checkpoints"
_BUSY: Final = LocalizedText("见证目录", "the witness's folder")


class WitnessFolder:
    """The witness of one data folder; safe to use from several threads. `logs` are the keys of each accepted origin."""

    def __init__(
        self,
        folder: Path,
        cosigner: Cosigner,
        logs: Mapping[str, Sequence[VerifierKey]],
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        self._folder = folder / _CHECKPOINTS
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._cosigner = cosigner
        self._logs = logs
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def verifier_key(self) -> str:
        """The witness's public key, as a verifier key line."""
        return self._cosigner.key.line()

    def submit(self, body: bytes) -> tuple[Judgement, Signature | None]:
        """Judge a submission; cosign it, durably recorded, if it is consistent. Raises `LogInvalid`, `StoreFault`.

        The lock makes the check of the size and the record of the new checkpoint one step (tlog-witness).
        """
        with self._lock:
            judgement = judge(body, self._logs, self._cosigned_head)
            if judgement.verdict is not Verdict.COSIGN or judgement.note is None or judgement.checkpoint is None:
                return judgement, None
            note = judgement.note
            cosignature = self._cosigner.cosign(note.text, int(self._clock().timestamp()))
            cosigned = Note(note.text, (*note.signatures, cosignature)).content()
            self._file(origin_hash(judgement.checkpoint.origin)).write(cosigned)
            return judgement, cosignature

    def checkpoint(self, digest: str) -> bytes | None:
        """Return the newest cosigned checkpoint of the log whose origin has this SHA-256; None without one."""
        if digest not in map(origin_hash, self._logs):
            return None
        return next(iter(self._file(digest).read()), None)

    def _cosigned_head(self, origin: str) -> TreeHead:
        content = self.checkpoint(origin_hash(origin))
        if content is None:
            return TreeHead(0, EMPTY_ROOT)
        # Our own cosignature shows that the file is the one we wrote.
        checkpoint = parse_checkpoint(verify_note(content, [self._cosigner.key]).text)
        if checkpoint.origin != origin:
            reason = LocalizedText(f"记录文件属于 {checkpoint.origin}", f"its file is that of {checkpoint.origin}")
            raise LogInvalid(reason=reason)
        return checkpoint.head

    def _file(self, digest: str) -> CheckpointFile:
        return CheckpointFile(self._folder / digest)


def origin_hash(origin: str) -> str:
    """Return the hexadecimal SHA-256 of a log's origin (tlog-witness, "Monitor Retrieval Mechanism")."""
    return hashlib.sha256(origin.encode()).hexdigest()


def read_logs(folder: Path, lines: Sequence[str]) -> Mapping[str, Sequence[VerifierKey]]:
    """Return the logs of the file `logs` and of `lines`. Raises `SettingInvalid` for a line that is no key of a log."""
    path = folder / LOGS_FILE
    try:
        listed = path.read_text("utf-8").splitlines() if path.exists() else []
        keys = [parse_verifier_key(line) for line in (*listed, *lines) if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingInvalid(name=str(path), reason=str(fault)) from fault
    except RequestInvalid as fault:
        raise SettingInvalid(name=LOGS_FILE, reason=fault.message) from fault
    return accepted_logs(keys)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a witness's folder. Raises `Busy` when another process holds it: two would cosign two histories."""
    with hold_lock_file(folder / "witness.lock", 0, Busy(what=_BUSY)):
        yield
