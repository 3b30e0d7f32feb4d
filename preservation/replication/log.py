"""Copy the provenance log from one store to another; a copy never moves backwards.

1. read the source's checkpoint and recompute its tree from the source's entries: an invalid log is not copied;
2. verify that the target's checkpoint, if it has one, belongs to the same history, and that its intact entries after
   that are the source's. A target that is ahead of the source is left unchanged;
3. put entry bundles and the tiles computed from them, and read both back;
4. recompute the tree from the entries at the target;
5. put the checkpoint: THE COMMIT POINT;
6. delete partial tiles at the target that full tiles have replaced;
7. copy the checkpoints that witnesses cosigned, unless the target has one of a larger tree, and those with timestamps.

An update of a replica reads the entries added since its checkpoint; a whole copy, and an update by very many entries,
reads all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from preservation.log import notes
from preservation.log.audit import audit
from preservation.log.log_keys import CheckpointKey
from preservation.log.merkle import EMPTY_ROOT, TreeHead, leaf_hash
from preservation.log.notes import encode_base64
from preservation.log.tiles import StoredTree, pack_entries, pack_hashes, row_widths
from preservation.progress import OnProgress, ignore_progress
from preservation.replication.transfer import NamedStore, TransferTotals, transfer_small
from repository.errors import EvidenceInvalid, LogInvalid
from repository.localized import LocalizedText
from repository.paths import (
    LOG,
    LOG_CHECKPOINT,
    LOG_COSIGNED,
    LOG_TIMESTAMPED,
    LOG_WITNESSES,
    TILE_WIDTH,
    log_entries,
    log_tile,
    parse_log_path,
)
from repository.storage.store import ObjectStore, read_if_present

_MOST_RECOUNTED: Final = 1 << 16
"""The most entries whose hashes are kept in memory; for more, the whole log is audited in bounded memory."""


@dataclass(frozen=True, slots=True)
class LogCopy:
    """The log at the target after the copy: `size` entries, their root in base64, and the objects transferred."""

    size: int
    root: str
    totals: TransferTotals


def replicate_log(
    source: NamedStore,
    target: NamedStore,
    key: CheckpointKey | None,
    *,
    whole: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> LogCopy | None:
    """Bring the target's log up to the source's; return None when the source has no log.

    Checkpoints must be signed by `key` if one is given. `whole` compares every tile at the target, not only those since
    its checkpoint. Raises `LogInvalid` naming the store at fault, `StoreFault`.
    """
    source_checkpoint = _read_head(source, key)
    if source_checkpoint is None:
        return None
    copy = _copy(source, target, source_checkpoint, _read_head(target, key), whole=whole, on_progress=on_progress)
    return LogCopy(copy.size, copy.root, copy.totals + _transfer_cosigned(source, target, key))


def _copy(
    source: NamedStore,
    target: NamedStore,
    source_checkpoint: tuple[bytes, TreeHead],
    target_checkpoint: tuple[bytes, TreeHead] | None,
    *,
    whole: bool,
    on_progress: OnProgress,
) -> LogCopy:
    note, head = source_checkpoint
    old = target_checkpoint[1] if target_checkpoint else TreeHead(0, EMPTY_ROOT)
    _refuse_other_history(source, target, head, old)
    if old.size > head.size:
        return LogCopy(old.size, encode_base64(old.root), TransferTotals())
    if old.size == head.size and target_checkpoint and not whole:
        return LogCopy(head.size, encode_base64(head.root), transfer_small(target, LOG_CHECKPOINT, note, exists=True))
    since = TreeHead(0, EMPTY_ROOT) if whole else old
    _recompute(source, head, since)
    _refuse_other_entries(source, target, head, since)
    totals = _transfer_tiles(source, target, head, since, on_progress)
    _recompute(target, head, since)
    totals += transfer_small(target, LOG_CHECKPOINT, note, exists=target_checkpoint is not None)
    _sweep(target, head.size, since.size)
    return LogCopy(head.size, encode_base64(head.root), totals)


def _transfer_cosigned(source: NamedStore, target: NamedStore, key: CheckpointKey | None) -> TransferTotals:
    """Copy the cosigned and the timestamped checkpoints, except those that are invalid in the source."""
    totals = TransferTotals()
    copied = {stored.key for stored in target.store.list(LOG_TIMESTAMPED)}
    timestamped = (stored.key for stored in source.store.list(LOG_TIMESTAMPED) if stored.key not in copied)
    for place in (LOG_COSIGNED, *(stored.key for stored in source.store.list(LOG_WITNESSES)), *timestamped):
        try:
            head = _read_head(source, key, place)
        except LogInvalid:
            continue
        try:
            old = _read_head(target, key, place)
        except LogInvalid:
            old = None
        if head and (old is None or old[1].size <= head[1].size):
            totals += transfer_small(target, place, head[0], exists=old is not None)
    return totals


def _read_head(
    store: NamedStore, key: CheckpointKey | None, place: str = LOG_CHECKPOINT
) -> tuple[bytes, TreeHead] | None:
    note = read_if_present(store.store, place)
    if note is None:
        return None
    try:
        checkpoint = key.read(note) if key else notes.parse_checkpoint(notes.parse_note(note).text)
    except EvidenceInvalid as fault:
        raise _not_verified(store, place, fault) from fault
    return note, checkpoint.head


def _refuse_other_history(source: NamedStore, target: NamedStore, head: TreeHead, old: TreeHead) -> None:
    """Raise `LogInvalid` unless the longer log extends the shorter one, by the tiles of the longer."""
    shorter, longer, store = (old, head, source) if old.size <= head.size else (head, old, target)
    if StoredTree(store.store, longer.size).hash_of(0, shorter.size) != shorter.root:
        raise LogInvalid(
            reason=LocalizedText(
                f"{source.name} 与 {target.name} 的日志历史不一致（{head.size} 条与 {old.size} 条）；未作改动，"
                "请查明何者为真",
                f"{source.name} and {target.name} hold logs of different histories ({head.size} and {old.size}"
                " entries); nothing was changed: find out which of them is genuine",
            )
        )


def _refuse_other_entries(source: NamedStore, target: NamedStore, head: TreeHead, since: TreeHead) -> None:
    """Raise `LogInvalid` if the target has intact entries, after its head `since`, that the source does not have.

    The target's checkpoint may be lost or outdated. Damaged entries are replaced.
    """
    tree = StoredTree(source.store, head.size)
    for index, width in _stored_bundles(target.store, head.size, since.size):
        start = index * TILE_WIDTH
        try:
            stored = list(StoredTree(target.store, start + width).entries(start, start + width))
        except LogInvalid:
            continue
        if start >= head.size or stored != tree.bundle(index)[:width]:
            raise LogInvalid(
                reason=LocalizedText(
                    f"{target.name} 有 {source.name} 所无的日志条目（第 {start} 条起），其检查点可能已丢失或过旧；"
                    "未作改动，请查明何者为真",
                    f"{target.name} has log entries, from {start} on, that {source.name} does not have, and its"
                    " checkpoint may be lost or outdated; nothing was changed: find out which of them is genuine",
                )
            )


def _stored_bundles(target: ObjectStore, size: int, since: int) -> Iterator[tuple[int, int]]:
    """Yield index and width of the target's bundles: those that a log of `size` entries has since `since`, or all."""
    if since:
        full = [log_entries(index) for index in range(since // TILE_WIDTH, -(-size // TILE_WIDTH))]
        keys = [key for key in full if target.exists(key)]
        keys += [stored.key for key in full for stored in target.list(f"{key}.p")]
    else:
        keys = [stored.key for stored in target.list(f"{LOG}/tile/entries")]
    for key in keys:
        if found := parse_log_path(key.removeprefix(f"{LOG}/")):
            yield found[1], found[2]


def _recompute(store: NamedStore, head: TreeHead, since: TreeHead) -> None:
    """Recompute the tree from a store's entries: those after `since`, or all if they are many. Raise `LogInvalid`."""
    if head.size - since.size > _MOST_RECOUNTED or since.size == 0:
        problems = audit(store.store, [head]).problems
        if problems:
            raise _invalid(store, problems[0])
        return
    try:
        recount = StoredTree(store.store, head.size).recount(since.size // TILE_WIDTH)
        valid = (recount.root(since.size), recount.root(head.size)) == (since.root, head.root)
    except LogInvalid as fault:
        raise _invalid(store, fault.message) from fault
    if not valid:
        raise _invalid(store, LocalizedText("条目与签发的树根不符", "the entries do not give the signed root"))


def _transfer_tiles(
    source: NamedStore, target: NamedStore, head: TreeHead, since: TreeHead, on_progress: OnProgress
) -> TransferTotals:
    existing = {stored.key for stored in target.store.list(LOG)} if since.size == 0 else set()
    totals = TransferTotals()
    for key, content in _tiles(source.store, head.size, since.size):
        totals += transfer_small(target, key, content, exists=key in existing)
        on_progress(len(content))
    return totals


def _tiles(store: ObjectStore, size: int, since: int) -> Iterator[tuple[str, bytes]]:
    """Yield every bundle and tile that contains entries from `since` on; tiles are computed from the entries."""
    edge, tree = StoredTree(store, since).edge(), StoredTree(store, size)
    for index in range(since // TILE_WIDTH, -(-size // TILE_WIDTH)):
        entries = tree.bundle(index)
        yield log_entries(index, len(entries)), pack_entries(entries)
        for entry in entries[max(since - index * TILE_WIDTH, 0) :]:
            yield from ((tile.key, pack_hashes(tile.hashes)) for tile in edge.append(leaf_hash(entry)))
    yield from ((tile.key, pack_hashes(tile.hashes)) for tile in edge.partial_tiles())


def _rows(size: int, since: int) -> list[tuple[int, int]]:
    """Return, for each tile level from 0, its number of hashes in a tree of `size` leaves and in one of `since`."""
    return [(width, since >> 8 * level) for level, width in enumerate(row_widths(size))]


def _sweep(target: NamedStore, size: int, since: int) -> None:
    """Delete partial tiles that full ones replaced: those at the previous edge; after a whole copy, all of them."""
    if since == 0:
        keys = {stored.key for stored in target.store.list(LOG)}
        stale = sorted(key for key in keys if ".p/" in key and key.partition(".p/")[0] in keys)
    else:
        stale = [stored.key for key in _completed(size, since) for stored in target.store.list(f"{key}.p")]
    for key in stale:
        target.store.delete(key)


def _completed(size: int, since: int) -> Iterator[str]:
    """Yield the tiles that were partial in a tree of `since` leaves and are full in one of `size`."""
    for level, (width, old) in enumerate(_rows(size, since)):
        if old // TILE_WIDTH < width // TILE_WIDTH:
            yield log_tile(level, old // TILE_WIDTH)
            if level == 0:
                yield log_entries(old // TILE_WIDTH)


def _not_verified(store: NamedStore, place: str, fault: EvidenceInvalid) -> EvidenceInvalid:
    """Return the error with the store and the key of the note that does not verify."""
    reason = LocalizedText("{where}：{reason}", "{where}: {reason}")
    return EvidenceInvalid(reason=reason.format(where=store.key(place), reason=fault.details["reason"]))


def _invalid(store: NamedStore, problem: LocalizedText) -> LogInvalid:
    return LogInvalid(reason=LocalizedText(f"{store.name}：{problem.zh}", f"{store.name}: {problem.en}"))
