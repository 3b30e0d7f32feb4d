"""One pass over a master: its digest, its whole decoding, and, when asked for, its pyramid.

A dry run and an ingest take the same way, so that what passes the one passes the other; an ingest decodes once.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyvips

from iiif_server.pyramid.file import PyramidSummary, write_pyramid
from repository.config import Settings
from repository.errors import DecoderCrashed, MasterUnreadable, PyramidCorrupt, SandboxFailed, StagingFault
from repository.sandbox import Quota, SandboxPool


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of a master once it was read whole: `bytes` long, `width` by `height` pixels, upright.

    `pixels` is the same for two files that show the same picture, as long as both were examined with a pyramid or both
    without.
    """

    sha256: str
    bytes: int
    media_type: str
    width: int
    height: int
    pixels: str
    pyramid: PyramidSummary | None


class Examiner(Protocol):
    """Reads one master whole: `ChildExaminer`. May be called from `concurrency` threads at once."""

    concurrency: int

    def __call__(self, path: Path, pyramid: Path | None) -> Examined:
        """What is known of it. Raises `MasterUnreadable`, `StagingFault`."""


def examine(path: Path, settings: Settings, pyramid: Path | None) -> Examined:
    """Hash and decode a master; write its pyramid to `pyramid` if one is named. Runs in a child process.

    Raises `MasterUnreadable` or one of its kinds, `StagingFault` when there is no room to write.
    """
    # The decoders are loaded here, in the child, and never in the process that must not crash.
    from workers.masters.decode import block_other_loaders, opened_master  # noqa: PLC0415

    block_other_loaders()
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as fault:
        raise MasterUnreadable(reason=fault.strerror) from fault
    with opened_master(path, settings) as master:
        image = master.image
        if pyramid is None:
            summary, pixels = None, fingerprint(image)
        else:
            summary = _write_pyramid(image, pyramid, settings)
            pixels = summary.fingerprint
        width, height = image.width, image.height
    return Examined(sha256, size, master.file_format.media_type, width, height, pixels, summary)


def _write_pyramid(image: Any, target: Path, settings: Settings) -> PyramidSummary:
    try:
        return write_pyramid(image, target, settings.tile_size, settings.jpeg_quality)
    except (OSError, PyramidCorrupt) as fault:
        # Nobody but us has touched the file: a disk that is full, which libvips does not always notice.
        raise StagingFault(reason=str(fault)) from fault


def fingerprint(image: Any) -> str:
    """The sha256 of a picture's size and raw samples, row by row, in bounded memory; 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{image.width} {image.height} {image.bands} ".encode())

    def take(chunk: Any) -> int:
        digest.update(chunk)
        return len(chunk)

    target = pyvips.TargetCustom()
    target.on_write(take)
    image.rawsave_target(target)
    return digest.hexdigest()


class ChildExaminer:
    """`examine` in a pool of children; several masters at once when called from several threads."""

    def __init__(self, pool: SandboxPool, settings: Settings, concurrency: int) -> None:
        self._pool = pool
        self._settings = settings
        self.concurrency = concurrency

    def __call__(self, path: Path, pyramid: Path | None) -> Examined:
        """Return what `examine` returns.

        Raises what `examine` raises, and `DecoderCrashed` when the child exceeded its time or crashed twice. A single
        crash may have another cause than the file: a shortage of memory, or a person who killed the process.
        """
        started = time.monotonic()
        try:
            return self._call(path, pyramid)
        except DecoderCrashed:
            if time.monotonic() - started >= self._settings.decode_seconds:
                raise
            return self._call(path, pyramid)

    def _call(self, path: Path, pyramid: Path | None) -> Examined:
        try:
            return self._pool.call(examine, path, self._settings, pyramid)
        except SandboxFailed as failure:
            raise DecoderCrashed(reason=failure.details["reason"]) from failure


@contextmanager
def open_child_examiner(
    settings: Settings, scratch: Path, concurrency: int | None = None, cores: int | None = None
) -> Iterator[ChildExaminer]:
    """An examiner over `concurrency` children (default: one a core), which share `cores` among them (default: all).

    Temporary files go to `scratch`, an empty folder on a real disk, which the caller takes away.
    """
    cores = cores or len(os.sched_getaffinity(0))
    count = concurrency or cores
    limits = Quota(seconds=settings.decode_seconds, threads=max(1, cores // count))
    with SandboxPool(count, scratch, limits) as pool:
        yield ChildExaminer(pool, settings, count)
