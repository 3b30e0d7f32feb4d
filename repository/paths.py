"""The keys of all objects in the store, with their inverses. (pure)

::

    ocfl/0=ocfl_1.1, ocfl/ocfl_layout.json         an OCFL 1.1 storage root, layout extension 0003
    ocfl/{3}/{3}/{3}/shanben%3a{work}/...          one OCFL object per work
    pyramids/{3}/{image}/{recipe}.zip              one pyramid per image and recipe
    published/works/{3}/{work}/manifest.json       Presentation 3.0 manifests
    published/collections/{name}.json              Presentation 3.0 collections
    published/edition.json                         of which release and settings these are (`presentation/edition.py`)
    published/older-edition                        a mark that one of them is older (`workers/published_edition.py`)
    published/text/{3}/{work}/texts.jsonl          the text of a work's pages (`repository/texts.py`)
    log/checkpoint, log/tile/{level}/{index}       the provenance log, C2SP tlog-tiles
    log/cosigned, log/witnesses/{key}              checkpoints that witnesses cosigned (`preservation/log/witnesses.py`)
    log/timestamped/{size}                         checkpoints with timestamps (`preservation/log/timestamped.py`)
    similar/works/{3}/{work}/{recipe}.features     features of pages (`iiif_server/similarity/work_features.py`)
    similar/shards/{name}.npy, {name}.ivf          the index of features (`iiif_server/similarity/shards.py`)
    similar/shards.json                            the list of its shards
    search/segments/{name}.sqlite                  the search index (`iiif_server/search/segments.py`)
    search/segments.json                           the list of its segments
    unfinished/{3}/{3}/{3}/shanben%3a{work}.json   the record of a version that is being written
    quarantine/{sha256}/{key}                      what a repair moved away (`preservation/fixity/quarantine.py`)
    canaries/...                                   objects known to be bad (`preservation/fixity/canaries.py`)
    deleted/{3}/{3}/{3}/shanben%3a{work}.json      the tombstone of a work that was deleted (`preservation/deletion.py`)
    harvested/{source}/source.json                 a source that is harvested (`workers/harvest/keeping.py`)
    harvested/{source}/records/{3}/{key}           a partner's record with its original
    shanben-store.json                             whose store this is (`preservation/store_identity.py`)

Arguments are identifiers that `identifiers.parse` has accepted. Keys are relative, use ``/``, and have no ``.`` or
``..`` segment.
"""

from __future__ import annotations

import hashlib
from typing import Final

from repository.whole_numbers import LARGEST_NUMBER, parse_whole_number

OCFL_ROOT: Final = "ocfl"
PYRAMIDS: Final = "pyramids"
PUBLISHED: Final = "published"
COLLECTIONS: Final = "published/collections"
PUBLISHED_EDITION: Final = "published/edition.json"
PUBLISHED_BY_OLDER: Final = "published/older-edition"
UNFINISHED: Final = "unfinished"
DELETED: Final = "deleted"
QUARANTINE: Final = "quarantine"
SIMILAR: Final = "similar"
SIMILAR_WORKS: Final = "similar/works"
SIMILAR_SHARDS: Final = "similar/shards.json"
SIMILAR_SHARD_FILES: Final = "similar/shards"
SEARCH: Final = "search"
SEARCH_SEGMENTS: Final = "search/segments.json"
SEARCH_SEGMENT_FILES: Final = "search/segments"
CANARIES: Final = "canaries"
HARVESTED: Final = "harvested"
LOG: Final = "log"
STORE_IDENTITY: Final = "shanben-store.json"
LOG_CHECKPOINT: Final = "log/checkpoint"
LOG_COSIGNED: Final = "log/cosigned"
LOG_WITNESSES: Final = "log/witnesses"
LOG_TIMESTAMPED: Final = "log/timestamped"
TILE_WIDTH: Final = 256

_OCFL_ID_PREFIX: Final = "shanben:"
_HIGHEST: Final = 63
"""The highest level of tiles of a log."""


def ocfl_id(work: str) -> str:
    """Return the OCFL object identifier of a work (a URI, OCFL 1.1 section 3.5.1)."""
    return _OCFL_ID_PREFIX + work


def work_of_ocfl_id(identifier: str) -> str | None:
    """Return the work of an OCFL object identifier; None for an identifier of another form."""
    return identifier.removeprefix(_OCFL_ID_PREFIX) if identifier.startswith(_OCFL_ID_PREFIX) else None


def ocfl_object(work: str) -> str:
    """Return a work's object root by extension 0003-hash-and-id-n-tuple-storage-layout (sha256, 3 by 3)."""
    identifier = ocfl_id(work)
    digest = hashlib.sha256(identifier.encode()).hexdigest()
    return f"{OCFL_ROOT}/{digest[0:3]}/{digest[3:6]}/{digest[6:9]}/{identifier.replace(':', '%3a')}"


def unfinished_version(work: str) -> str:
    """Return the key of the record of the version of a work that is being written, which is outside the object."""
    return f"{UNFINISHED}{ocfl_object(work).removeprefix(OCFL_ROOT)}.json"


def quarantined(sha256: str, key: str) -> str:
    """Return the key under which bytes with this digest, found under `key`, are kept in the store's quarantine."""
    return f"{quarantine_of(sha256)}/{key}"


def quarantine_of(sha256: str) -> str:
    """Return the folder of the quarantine in which all bytes with this digest are kept, wherever they were found."""
    return f"{QUARANTINE}/{sha256[:16]}"


def tombstone(work: str) -> str:
    """Return the key of the tombstone of a work, which is outside the object that it replaces."""
    return f"{DELETED}{ocfl_object(work).removeprefix(OCFL_ROOT)}.json"


def pyramids_of(image: str) -> str:
    """Return the folder of all pyramids of an image."""
    return f"{PYRAMIDS}/{image[1:4]}/{image}"


def pyramid(image: str, recipe: str) -> str:
    """Return the key of an image's pyramid; `recipe` is a short hexadecimal digest of all that decides its bytes."""
    return f"{pyramids_of(image)}/{recipe}.zip"


def features_of_work(work: str) -> str:
    """Return the folder of the features of a work's pages."""
    return f"{SIMILAR_WORKS}/{work[1:4]}/{work}"


def page_features(work: str, recipe: str) -> str:
    """Return the key of the features of a work's pages; `recipe` is a digest of all that decides them."""
    return f"{features_of_work(work)}/{recipe}.features"


def search_segment(name: str) -> str:
    """Return the key of a segment of the search index."""
    return f"{SEARCH_SEGMENT_FILES}/{name}.sqlite"


def parse_page_features(key: str) -> tuple[str, str] | None:
    """Return work and recipe of a key: the inverse of `page_features`; None for any other key."""
    folder, _, name = key.rpartition("/")
    work, recipe = folder.rpartition("/")[2], name.removesuffix(".features")
    return (work, recipe) if page_features(work, recipe) == key else None


def similar_shard(name: str) -> str:
    """Return the key of a shard of the index without its suffix."""
    return f"{SIMILAR_SHARD_FILES}/{name}"


def manifest(work: str) -> str:
    """Return the key of a work's published manifest."""
    return f"{PUBLISHED}/works/{work[1:4]}/{work}/manifest.json"


def page_texts(work: str) -> str:
    """Return the key of the text of a work's pages."""
    return f"{PUBLISHED}/text/{work[1:4]}/{work}/texts.jsonl"


def collection(name: str) -> str:
    """Return the key of a published collection."""
    return f"{COLLECTIONS}/{name}.json"


def name_of_collection(key: str) -> str | None:
    """Return the name of a collection's key: the inverse of `collection`; None for any other key."""
    name = key.removeprefix(f"{COLLECTIONS}/").removesuffix(".json")
    return name if name and "/" not in name and collection(name) == key else None


def harvest_folder(source: str) -> str:
    """Return the folder of everything that is kept of a source that is harvested."""
    return f"{HARVESTED}/{source}"


def harvest_source(name: str) -> str:
    """Return the key of the settings of a source that is harvested."""
    return f"{harvest_folder(name)}/source.json"


def harvested_records(source: str) -> str:
    """Return the folder of all records of a source."""
    return f"{harvest_folder(source)}/records"


def harvested_record(source: str, key: str) -> str:
    """Return the key of a partner's record with its original."""
    return f"{harvested_records(source)}/{key[:3]}/{key}"


def name_of_harvest_source(key: str) -> str | None:
    """Return the source of the key of its settings: the inverse of `harvest_source`; None for any other key."""
    name = key.removeprefix(f"{HARVESTED}/").removesuffix("/source.json")
    return name if name and "/" not in name and harvest_source(name) == key else None


def log_tile(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the key of a Merkle tree tile (C2SP tlog-tiles, "Merkle Tree"), partial if narrower than 256 hashes."""
    return f"{LOG}/tile/{level}/{_log_index(index)}{_partial(width)}"


def log_entries(index: int, width: int = TILE_WIDTH) -> str:
    """Return the key of an entry bundle (C2SP tlog-tiles, "Log Entries")."""
    return f"{LOG}/tile/entries/{_log_index(index)}{_partial(width)}"


def log_witness(key: str) -> str:
    """Return the key of the newest checkpoint that the witness with the key `key`, in hexadecimal, cosigned."""
    return f"{LOG_WITNESSES}/{key}"


def log_timestamped(size: int) -> str:
    """Return the key of the timestamped checkpoint of `size` entries."""
    return f"{LOG_TIMESTAMPED}/{size:019d}"


def is_attested_checkpoint(key: str) -> bool:
    """Return whether a key is that of a checkpoint which witnesses cosigned or an authority timestamped."""
    folder, _, name = key.rpartition("/")
    if folder == LOG_TIMESTAMPED:
        size = parse_whole_number(name, LARGEST_NUMBER)
        return size is not None and log_timestamped(size) == key
    return key == LOG_COSIGNED or (folder == LOG_WITNESSES and bool(name))


def _log_index(index: int) -> str:
    """Return zero-padded groups of three digits, all but the last prefixed by x: 1234067 is x001/x234/067."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def _partial(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


def log_tile_place(key: str) -> str:
    """Return the key of the full tile or bundle that a partial one grows into; any other key unchanged."""
    return key.rpartition(".p/")[0] or key


def log_file(path: str) -> str:
    """Return the key of a file of the log by its path below ``log/``, which `parse_log_path` has accepted."""
    return f"{LOG}/{path}"


def parse_log_path(path: str) -> tuple[str, int, int] | None:
    """Return (level in digits or "entries", index, width) of a path below ``log/``; None when it is no tile's path.

    The inverse of `log_tile` and `log_entries`: a path is accepted only in the form that they return.
    """
    segments = path.split("/")
    if len(segments) < 3 or segments[0] != "tile":
        return None
    level, rest = segments[1], segments[2:]
    width: int | None = TILE_WIDTH
    if len(rest) >= 2 and rest[-2].endswith(".p"):
        width = parse_whole_number(rest[-1], TILE_WIDTH, 1)
        rest = [*rest[:-2], rest[-2].removesuffix(".p")]
    index = parse_whole_number("".join(group.removeprefix("x") for group in rest), LARGEST_NUMBER)
    height = 0 if level == "entries" else parse_whole_number(level, _HIGHEST)
    if width is None or index is None or height is None:
        return None
    canonical = log_entries(index, width) if level == "entries" else log_tile(height, index, width)
    return (level, index, width) if canonical == log_file(path) else None
