"""Read and verify the log's signed tree heads: the published checkpoint and those remembered outside the store.

The newest signed head is the log's head for every process that shares the writer lock, also while its checkpoint is
not published yet (`log/writer.py`, steps 6 and 7).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from preservation.log.log_keys import CheckpointKey
from preservation.log.merkle import EMPTY_ROOT, MAX_SIZE
from preservation.log.notes import Checkpoint
from preservation.log.writer_lock import WriterLock
from repository.errors import LogInvalid
from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT, LOG_COSIGNED, LOG_TIMESTAMPED, log_timestamped
from repository.storage.store import ObjectStore, read_if_present
from repository.whole_numbers import parse_whole_number


class RememberedCheckpointInvalid(LogInvalid):
    """A checkpoint remembered outside the store that cannot be used: it is damaged, or no key of the log signed it."""

    code = "integrity.remembered-checkpoint"
    text = LocalizedText(
        "数据目录中的 log.signed（使用 PostgreSQL 的，或为数据库中的一份）记有最新签发的检查点，现已损坏，或非本日志的"
        "密钥所签；已停止签发。请从数据目录的备份恢复此文件。没有备份的，先运行 shanben log verify：别无其他问题，"
        "且数据库未曾退回旧状态的，可将此文件改名，下次签发时自动重写",
        "log.signed in the data folder, or with PostgreSQL the copy in the database, keeps the newest signed checkpoint"
        " and is damaged, or no key of this log signed it; nothing more is signed. Put the file back from a backup of"
        " the data folder. Without one, run shanben log verify: if it names no other fault, and the database was not"
        " put back to an older state, rename the file; it is written again when the log is next signed",
    )


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A verified checkpoint and the note that contains it."""

    note: bytes
    checkpoint: Checkpoint


class SignedHeads:
    """The signed heads of the log in `store`, verified with `key`; `lock` remembers heads outside the store."""

    def __init__(self, store: ObjectStore, key: CheckpointKey, lock: WriterLock) -> None:
        self._store = store
        self._key = key
        self._lock = lock

    def newest(self) -> SignedHead:
        """Return the newest signed head; one of size 0 with an empty note before the first. Raises `LogInvalid`."""
        heads = [*self.published_heads(), *self.remembered()]
        return newest_of(heads) if heads else SignedHead(b"", Checkpoint(self._key.name, 0, EMPTY_ROOT))

    def published(self) -> SignedHead | None:
        """Return the head in the store; None before the first. Raises `LogInvalid`."""
        return self._read(LOG_CHECKPOINT)

    def published_heads(self) -> list[SignedHead]:
        """Return the head in the store as a list of at most one. Raises `LogInvalid`."""
        published = self.published()
        return [published] if published else []

    def cosigned(self) -> SignedHead | None:
        """Return the newest head that a quorum of witnesses cosigned; None before the first. Raises `LogInvalid`.

        The signature of the log is verified, the cosignatures are not (`log/witnesses.py`).
        """
        return self._read(LOG_COSIGNED)

    def cosigned_heads(self) -> list[SignedHead]:
        """Return the cosigned head as a list of at most one. Raises `LogInvalid`."""
        cosigned = self.cosigned()
        return [cosigned] if cosigned else []

    def coverage(self) -> Coverage:
        """Return the heads for evidence of entries, as they are now. Raises `LogInvalid`, `StoreFault`."""
        return Coverage(self, timestamped_sizes(self._store))

    def timestamped(self, size: int) -> SignedHead | None:
        """Return the timestamped head of this size; None without one. Raises `LogInvalid`."""
        return self._read(log_timestamped(size))

    def timestamped_heads(self) -> list[SignedHead]:
        """Return every timestamped head. Raises `LogInvalid`."""
        heads = map(self.timestamped, timestamped_sizes(self._store))
        return [head for head in heads if head]

    def remembered(self) -> list[SignedHead]:
        """Return the newest head from every memory of the writer lock. Raises `RememberedCheckpointInvalid`."""
        try:
            return [self.verify(note) for note in self._lock.remembered()]
        except LogInvalid as fault:
            raise RememberedCheckpointInvalid from fault

    def _read(self, place: str) -> SignedHead | None:
        note = read_if_present(self._store, place)
        return None if note is None else self.verify(note)

    def verify(self, note: bytes) -> SignedHead:
        """Return the head that a note states, signed by a key of this log. Raises `LogInvalid`."""
        checkpoint = self._key.read(note)
        if checkpoint.origin != self._key.name:
            raise log_fault(
                "检查点属于另一日志；请从备份恢复本日志的检查点",
                "the checkpoint belongs to another log; restore this log's checkpoint from a backup",
            )
        return SignedHead(note, checkpoint)


class Coverage:
    """The heads for evidence of entries: for each the oldest timestamped one, the cosigned one, or the newest.

    The oldest timestamp that covers an entry proves the earliest time. Every head is read and verified once.
    """

    def __init__(self, heads: SignedHeads, timestamped: Sequence[int]) -> None:
        self._heads = heads
        self._sizes = timestamped
        self._read: dict[int, SignedHead] = {}

    def of(self, index: int) -> SignedHead:
        """Return the head for an entry; one that does not cover it when none does. Raises `LogInvalid`."""
        place = bisect_right(self._sizes, index)
        size = self._sizes[place] if place < len(self._sizes) else 0
        if size not in self._read:
            self._read[size] = (size and self._heads.timestamped(size)) or self._without_timestamp(index)
        head = self._read[size]
        return head if head.checkpoint.size > index else self._heads.newest()

    def _without_timestamp(self, index: int) -> SignedHead:
        cosigned = self._heads.cosigned()
        return cosigned if cosigned and cosigned.checkpoint.size > index else self._heads.newest()


def timestamped_sizes(store: ObjectStore) -> list[int]:
    """Return the sizes of the timestamped checkpoints in the store, smallest first. Raises `StoreFault`."""
    names = (stored.key.removeprefix(f"{LOG_TIMESTAMPED}/") for stored in store.list(LOG_TIMESTAMPED))
    return sorted(size for name in names if (size := parse_whole_number(name, MAX_SIZE)) is not None)


def newest_of(heads: Sequence[SignedHead]) -> SignedHead:
    """Return the head with the largest tree."""
    return max(heads, key=lambda head: head.checkpoint.size)


def log_fault(zh: str, en: str) -> LogInvalid:
    """Return the error for a log that breaks a promise."""
    return LogInvalid(reason=LocalizedText(zh, en))


def checkpoint_lost() -> LogInvalid:
    """Return the error for a log whose tiles or remembered head exist without a published checkpoint."""
    return log_fault("检查点丢失，请从备份恢复", "its checkpoint is lost; restore it from a backup")


def checkpoint_outdated(size: int) -> LogInvalid:
    """Return the error for a log with entries after its checkpoint, of `size` entries, the newest that is known."""
    return log_fault(
        f"存储中有第 {size} 条之后的条目，而检查点只到此，也无处记有更新的检查点；未作改动。请从副本或备份恢复最新的"
        "检查点；确知这些条目从未签发的，移走其文件",
        f"the store has entries after the {size} of its checkpoint, and no newer checkpoint is remembered; nothing was"
        " changed: restore the newest checkpoint from a replica or a backup, or, if these entries were never signed,"
        " move their files away",
    )
