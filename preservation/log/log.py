"""The provenance log: an append-only Merkle log in the store, with signed checkpoints.

The log is a C2SP tlog-tiles log below ``log/``: ``checkpoint``, ``tile/<level>/...`` and ``tile/entries/...``. The
newest signed checkpoint defines the log (`log/heads.py`); objects beyond its size are ignored. This module reads:
heads, entries, proofs, evidence, audits. `log/writer.py` appends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from preservation.log import evidence
from preservation.log.audit import AuditResult, audit
from preservation.log.evidence import EvidenceFile
from preservation.log.heads import SignedHeads, checkpoint_lost, checkpoint_outdated
from preservation.log.log_keys import CheckpointKey, LogKeys
from preservation.log.merkle import TreeHead, consistency_proof, inclusion_proof
from preservation.log.notes import Algorithm, Checkpoint, Note, parse_note, without_ml_dsa
from preservation.log.readable import ReadableLog, read_log
from preservation.log.signing_key import Signer, signing_key_missing
from preservation.log.tiles import StoredTree, has_tiles, stored_size
from preservation.log.writer import Append, LogWriter
from preservation.log.writer_lock import WriterLock
from repository.errors import CallError, LogInvalid, NotFound
from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT
from repository.storage.store import ObjectStore


class MlDsaSignatureAbsent(CallError):
    """The checkpoint of some evidence is older than the log's ML-DSA key; `size` is its number of entries."""

    code = "log.ml-dsa"
    text = LocalizedText(
        "{size} 条时的检查点没有 ML-DSA 签名：签发时日志尚无 ML-DSA 密钥。运行 shanben keys rotate 加入密钥之后，"
        "新条目的检查点才有",
        "The checkpoint of {size} entries has no ML-DSA signature: the log had no ML-DSA key then. After shanben keys "
        "rotate has added one, the checkpoints of new entries have it",
    )


class ProvenanceLog:
    """The log in `store`. With a `Signer` it can be read and extended, with its verifier key alone only read.

    All writers of the log share `lock`.
    """

    def __init__(self, store: ObjectStore, key: Signer | CheckpointKey, lock: WriterLock) -> None:
        self._store = store
        self._key = key.keys if isinstance(key, Signer) else LogKeys.of(key)
        self._heads = SignedHeads(store, self._key, lock)
        self._writer = LogWriter(store, key, self._heads, lock) if isinstance(key, Signer) else None

    @property
    def key(self) -> LogKeys:
        """The log's public keys."""
        return self._key

    @property
    def size(self) -> int:
        """The number of signed entries: the size of the newest checkpoint, published or not published yet."""
        return self.checkpoint().size

    @property
    def root(self) -> str:
        """The root at that size, in base64 as in checkpoints."""
        return self.checkpoint().root_text

    def checkpoint(self) -> Checkpoint:
        """Return the newest signed checkpoint. A log without one has size 0. Raises `LogInvalid`."""
        return self._heads.newest().checkpoint

    def checkpoint_note(self) -> bytes:
        """Return the note of the newest signed checkpoint. Raises `NotFound` before the first, `LogInvalid`."""
        note = self._heads.newest().note
        if not note:
            raise NotFound(what=LOG_CHECKPOINT)
        return note

    def is_behind(self) -> bool:
        """Return whether a signed checkpoint is newer than the published one. Raises `LogInvalid`."""
        published = self._heads.published()
        return self.size > published.checkpoint.size if published else bool(self._heads.remembered())

    def append(self, entries: Sequence[bytes], at: int | None = None) -> int:
        """Append entries, each at most 65,535 bytes, as one batch; return the index of the first.

        The batch is durable, signed and published when this returns. Raises `LogBusy` (also when the log's size is not
        `at`), `LogInvalid`, `StoreFault`, `RequestInvalid` for an entry that is too long, `DependencyMissing` without
        the signing key.
        """
        with self.writing() as append:
            return append(entries, at)

    def writing(self) -> AbstractContextManager[Append]:
        """Hold the writer lock for several batches. Raises as `append`, and `DatabaseFault` when the lock is lost."""
        if self._writer is None:
            raise signing_key_missing()
        return self._writer.writing()

    def entry(self, index: int) -> bytes:
        """Return the entry at `index`. Raises `NotFound`, `LogInvalid`."""
        _require(index, self.size)
        return next(self.entries(index, index + 1))

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the entries ``[start, end)`` that exist, in bounded memory, each verified against its leaf hash."""
        size = self.size
        return StoredTree(self._store, size).entries(start, min(end, size)) if start < size else iter(())

    def evidence(self, index: int) -> bytes:
        """Return a verified evidence file for an entry. Raises `NotFound`, `LogInvalid`."""
        return next(self.evidence_files((index,))).content()

    def evidence_files(self, indexes: Iterable[int]) -> Iterator[EvidenceFile]:
        """Yield verified evidence for entries. Raises `NotFound`, `LogInvalid`.

        Each holds the oldest timestamped checkpoint that covers the entry, else the one that a quorum of witnesses
        cosigned, else the newest.
        """
        coverage = self._heads.coverage()
        trees: dict[int, StoredTree] = {}
        for index in indexes:
            head = coverage.of(index)
            size = head.checkpoint.size
            _require(index, size)
            tree = trees.setdefault(size, StoredTree(self._store, size))
            entry = next(tree.entries(index, index + 1))
            note = without_ml_dsa(head.note, [each.key for each in self._key.keys])
            file = EvidenceFile(entry, index, tuple(inclusion_proof(index, size, tree.hash_of)), note)
            evidence.verify(file.content(), self._key.text())
            yield file

    def ml_dsa_note(self, index: int) -> bytes:
        """Return the checkpoint in the evidence of an entry with the signatures of ML-DSA that the evidence leaves out.

        Raises `MlDsaSignatureAbsent`, `NotFound`, `LogInvalid`.
        """
        head = self._heads.coverage().of(index)
        _require(index, head.checkpoint.size)
        note = parse_note(head.note)
        large = [each.key for each in self._key.keys if each.key.algorithm is Algorithm.ML_DSA_44]
        signatures = tuple(each for each in note.signatures if any(key.is_claimed_by(each) for key in large))
        if not signatures:
            raise MlDsaSignatureAbsent(size=head.checkpoint.size)
        return Note(note.text, signatures).content()

    def consistency(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Return the proof that the log, at `size` or its newest size, extends its state at `old_size` >= 1.

        Raises `NotFound`, `LogInvalid`.
        """
        size = self.size if size is None else size
        _require(old_size - 1, size)
        return consistency_proof(old_size, size, StoredTree(self._store, size).hash_of)

    def readable(self) -> ReadableLog:
        """Return everything of the log that can be read, however damaged it is, with what is wrong with it."""
        heads, problems = self._readable_heads()
        return read_log(self._store, [head.size for head in heads], problems)

    def verify(self) -> AuditResult:
        """Recompute the whole log from its entries, in bounded memory, and report every difference."""
        heads, problems = self._readable_heads()
        return audit(self._store, heads, problems)

    def _readable_heads(self) -> tuple[list[TreeHead], list[LocalizedText]]:
        """Return the signed heads that can be verified, and what is wrong with the others."""
        heads: list[TreeHead] = []
        problems: list[LocalizedText] = []
        sources = (self._heads.published_heads, self._heads.remembered)
        for read_heads in (*sources, self._heads.cosigned_heads, self._heads.timestamped_heads):
            try:
                heads += [head.checkpoint.head for head in read_heads()]
            except LogInvalid as fault:
                problems.append(fault.message)
        if not self._store.exists(LOG_CHECKPOINT) and (any(head.size for head in heads) or has_tiles(self._store)):
            problems.append(checkpoint_lost().message)
        elif len(heads) == 1 and stored_size(self._store) > heads[0].size and not self._remembers():
            problems.append(checkpoint_outdated(heads[0].size).message)
        return heads, problems

    def _remembers(self) -> bool:
        """Return whether a checkpoint that can be used is remembered outside the store."""
        try:
            return bool(self._heads.remembered())
        except LogInvalid:
            return False


def _require(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise NotFound(what=LocalizedText(f"日志条目 {index}", f"log entry {index}"))
