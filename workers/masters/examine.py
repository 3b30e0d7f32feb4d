"""Examines a master in one pass: hashes it, decodes it completely and writes its pyramid if requested.

A dry run and an ingest call the same code, so that a deposit that passes the dry run passes the ingest.
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
    """The properties of a master that was decoded completely.

    `bytes` is the length of the file; `width` and `height` are in pixels after the orientation was applied. `pixels` is
    equal for two files with equal pixels, if both were examined with a pyramid or both without. The field names are
    stored in the results of page jobs.
    """

    sha256: str
    bytes: int
    media_type: str
    width: int
    height: int
    pixels: str
    pyramid: PyramidSummary | None


class Examiner(Protocol):
    """Examines one master, as `ChildExaminer` does. It may be called from `concurrency` threads at the same time."""

    concurrency: int

    def __call__(self, path: Path, pyramid: Path | None) -> Examined:
        """Examine the master at `path`, and write its pyramid to `pyramid` if it is not None.

        Raises `MasterUnreadable`, `StagingFault`.
        """


def examine(path: Path, settings: Settings, pyramid: Path | None) -> Examined:
    """Hash and decode a master, and write its pyramid to `pyramid` if it is not None. Runs in a sandbox.

    Raises `MasterUnreadable` or a subclass, and `StagingFault` if there is no space to write.
    """
    # The decoders are loaded in the sandbox only: the calling process must not crash.
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
        # No other process writes this file: the disk is full, which libvips does not always report.
        raise StagingFault(reason=str(fault)) from fault


def fingerprint(image: Any) -> str:
    """Return the sha256 of an image's size and raw samples in 64 hexadecimal digits, computed in bounded memory."""
    digest = hashlib.sha256(f"{image.width} {image.height} {image.bands} ".encode())

    def update(chunk: Any) -> int:
        digest.update(chunk)
        return len(chunk)

    target = pyvips.TargetCustom()
    target.on_write(update)
    image.rawsave_target(target)
    return digest.hexdigest()


class ChildExaminer:
    """Runs `examine` in a pool of sandboxes. Several threads may examine masters at the same time."""

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
    """Open an examiner with `concurrency` sandboxes (default: one per core), which share `cores` (default: all).

    Temporary files are written to `scratch`, an empty directory on a disk, which the caller deletes.
    """
    cores = cores or len(os.sched_getaffinity(0))
    count = concurrency or cores
    limits = Quota(seconds=settings.decode_seconds, threads=max(1, cores // count))
    with SandboxPool(count, scratch, limits) as pool:
        yield ChildExaminer(pool, settings, count)
