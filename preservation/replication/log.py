"""The provenance log from one store to another: never backwards, and never what does not verify.

1. the source's checkpoint is read, and its tree computed again from the source's entries: nothing is taken from a log
   that does not hold;
2. the target's checkpoint, if it has one, must be of the same history. Ahead of the source's, it is left as it is;
3. entry bundles are put and read back, and with them the tiles, as the entries give them anew;
4. the tree is computed again from what the target now holds;
5. the checkpoint is put: THE COMMIT POINT;
6. partial tiles at the target that full ones have replaced are deleted.

A replica that is kept up to date computes only what was added since; a whole copy computes everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from preservation.log import notes
from preservation.log.audit import audit
from preservation.log.merkle import EMPTY_ROOT, TreeHead, leaf_hash
from preservation.log.notes import VerifierKey, encode_base64
from preservation.log.tiles import StoredTree, pack_entries, pack_hashes, row_widths
from preservation.replication.transfer import NamedStore, OnProgress, Transferred, ignore_progress, transfer_small
from repository.errors import KeyNotFound, LogInvalid
from repository.localized import LocalizedText
from repository.paths import LOG, LOG_CHECKPOINT, TILE_WIDTH, log_entries, log_tile
from repository.storage.store import ObjectStore

_RECOUNTED: Final = 1 << 16
"""Entries whose hashes are held in memory at once; for more, the whole log is audited, which holds none."""


@dataclass(frozen=True, slots=True)
class LogCopy:
    """The log as the target now has it: `size` entries and their root in base64, and what that took."""

    size: int
    root: str
    done: Transferred


def replicate_log(
    source: NamedStore,
    target: NamedStore,
    key: VerifierKey | None,
    *,
    whole: bool = False,
    told: OnProgress = ignore_progress,
) -> LogCopy | None:
    """Bring the target's log to where the source's is; None when the source has no log.

    Checkpoints must be signed by `key` when one is given. `whole` compares every tile at the target and not only those
    since its checkpoint. Raises `LogInvalid` (with the store at fault), `StoreFault`.
    """
    read = _read_head(source, key)
    if read is None:
        return None
    note, head = read
    found = _read_head(target, key)
    held = found[1] if found else TreeHead(0, EMPTY_ROOT)
    _refuse_other_history(source, target, head, held)
    if held.size > head.size:
        return LogCopy(held.size, encode_base64(held.root), Transferred())
    if held.size == head.size and found and not whole:
        return LogCopy(head.size, encode_base64(head.root), transfer_small(target, LOG_CHECKPOINT, note, there=True))
    since = TreeHead(0, EMPTY_ROOT) if whole else held
    _recompute(source, head, since)
    done = _transfer_tiles(source, target, head, since, told)
    _recompute(target, head, since)
    done += transfer_small(target, LOG_CHECKPOINT, note, there=found is not None)
    _sweep(target, head.size, since.size)
    return LogCopy(head.size, encode_base64(head.root), done)


def _read_head(place: NamedStore, key: VerifierKey | None) -> tuple[bytes, TreeHead] | None:
    try:
        note = place.store.read(LOG_CHECKPOINT)
    except KeyNotFound:
        return None
    checkpoint = notes.read_checkpoint(note, [key]) if key else notes.parse_checkpoint(notes.parse_note(note).text)
    return note, checkpoint.head


def _refuse_other_history(source: NamedStore, target: NamedStore, head: TreeHead, held: TreeHead) -> None:
    """The shorter log must be the beginning of the longer one, by the tiles of the longer."""
    shorter, longer, place = (held, head, source) if held.size <= head.size else (head, held, target)
    if StoredTree(place.store, longer.size).hash_of(0, shorter.size) != shorter.root:
        raise LogInvalid(
            reason=LocalizedText(
                f"{source.name} 与 {target.name} 中的日志出自不同的历史（{head.size} 条与 {held.size} 条）；未作改动",
                f"{source.name} and {target.name} hold logs of different histories ({head.size} and {held.size}"
                " entries); nothing was changed",
            )
        )


def _recompute(place: NamedStore, head: TreeHead, since: TreeHead) -> None:
    """Compute the tree again from the entries a store holds: those after `since`, or all of many."""
    if head.size - since.size > _RECOUNTED or since.size == 0:
        problems = audit(place.store, [head]).problems
        if problems:
            raise _not_whole(place, problems[0])
        return
    try:
        recount = StoredTree(place.store, head.size).recount(since.size // TILE_WIDTH)
        right = (recount.root(since.size), recount.root(head.size)) == (since.root, head.root)
    except LogInvalid as fault:
        raise _not_whole(place, fault.message) from fault
    if not right:
        raise _not_whole(place, LocalizedText("条目与签发的树根不符", "the entries do not give the signed root"))


def _transfer_tiles(
    source: NamedStore, target: NamedStore, head: TreeHead, since: TreeHead, told: OnProgress
) -> Transferred:
    there = {found.key for found in target.store.list(LOG)} if since.size == 0 else set()
    done = Transferred()
    for key, content in _tiles(source.store, head.size, since.size):
        done += transfer_small(target, key, content, there=key in there)
        told(len(content))
    return done


def _tiles(store: ObjectStore, size: int, since: int) -> Iterator[tuple[str, bytes]]:
    """Every bundle and tile that entries from `since` on are part of; the tiles as the entries give them."""
    edge, tree = StoredTree(store, since).edge(), StoredTree(store, size)
    for index in range(since // TILE_WIDTH, -(-size // TILE_WIDTH)):
        entries = tree.bundle(index)
        yield log_entries(index, len(entries)), pack_entries(entries)
        for entry in entries[max(since - index * TILE_WIDTH, 0) :]:
            yield from ((tile.key, pack_hashes(tile.hashes)) for tile in edge.append(leaf_hash(entry)))
    yield from ((tile.key, pack_hashes(tile.hashes)) for tile in edge.partial_tiles())


def _rows(size: int, since: int) -> list[tuple[int, int]]:
    """For each tile level from 0: its hashes in a tree of `size` leaves, and in one of `since`."""
    return [(width, since >> 8 * level) for level, width in enumerate(row_widths(size))]


def _sweep(target: NamedStore, size: int, since: int) -> None:
    """The tiles at the edge before may have been partial; in a copy of the whole, any may."""
    if since == 0:
        keys = {found.key for found in target.store.list(LOG)}
        stale = sorted(key for key in keys if ".p/" in key and key.partition(".p/")[0] in keys)
    else:
        stale = [found.key for key in _completed(size, since) for found in target.store.list(f"{key}.p")]
    for key in stale:
        target.store.delete(key)


def _completed(size: int, since: int) -> Iterator[str]:
    """The tiles that were partial in a tree of `since` leaves and are full in one of `size`."""
    for level, (width, old) in enumerate(_rows(size, since)):
        if old // TILE_WIDTH < width // TILE_WIDTH:
            yield log_tile(level, old // TILE_WIDTH)
            if level == 0:
                yield log_entries(old // TILE_WIDTH)


def _not_whole(place: NamedStore, problem: LocalizedText) -> LogInvalid:
    return LogInvalid(reason=LocalizedText(f"{place.name}：{problem.zh}", f"{place.name}: {problem.en}"))
