"""Has a master examined in a sandbox: hashed, decoded completely and, if requested, its pyramid written.

A dry run and an ingest call the same code, so that a deposit that passes the dry run passes the ingest. The child
(`masters/examination.py`) opens nothing: this module opens the files and passes their descriptors.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from iiif_server.pyramid.file import PyramidSummary
from repository.config import Settings
from repository.errors import DecoderCrashed, MasterUnreadable, SandboxFailed, StagingFault
from repository.sandbox.functions import Quota, SandboxFunction
from repository.sandbox.pool import SandboxPool

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class MasterSettings:
    """The settings that the child needs, of `Settings`, which has passwords too, and the `algorithms` of this call."""

    pixel_budget: int
    tile_size: int
    jpeg_quality: int
    algorithms: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, algorithms: Iterable[str] = ()) -> MasterSettings:
        """Return the part of `settings` that a child may know; `algorithms` as in `Examiner`."""
        sizes = (settings.pixel_budget, settings.tile_size, settings.jpeg_quality)
        return cls(*sizes, tuple(sorted(algorithms)))


@dataclass(frozen=True, slots=True)
class Examined:
    """The properties of a master that was decoded completely.

    `bytes` is the length of the file; `width` and `height` are in pixels after the orientation was applied. `pixels` is
    equal for two files with equal pixels, if both were examined with a pyramid or both without. `ignored` are codes of
    parts of the file that the image does not show (`masters/ignored.py`). `sm3` is the file's SM3 digest, None where
    OpenSSL lacks SM3; `md5` its MD5 digest, None unless it was requested. `puid` names the format
    with its version in PRONOM, None if it is not known. The field names are stored in the results of page jobs.
    """

    sha256: str
    bytes: int
    media_type: str
    width: int
    height: int
    pixels: str
    pyramid: PyramidSummary | None
    ignored: tuple[str, ...] = ()
    sm3: str | None = None
    md5: str | None = None
    puid: str | None = None


class Examiner(Protocol):
    """Examines one master, as `ChildExaminer` does. It may be called from `concurrency` threads at the same time."""

    concurrency: int

    def __call__(self, path: Path, pyramid: Path | None, algorithms: frozenset[str] = frozenset()) -> Examined:
        """Examine the master at `path`, and write its pyramid to `pyramid` if it is not None.

        `algorithms` are digests that are needed besides those of every master: ``md5``.

        Raises `MasterUnreadable`, `StagingFault`.
        """

    def is_blank(self, path: Path) -> bool:
        """Return whether the master at `path` is bitonal and white all over. Raises as a call does."""


_MODULE: Final = "workers.masters.examination"
_ERRORS: Final = (MasterUnreadable, StagingFault)
EXAMINE: Final = SandboxFunction(_MODULE, "examine", Examined, _ERRORS)
EXAMINE_WITH_PYRAMID: Final = SandboxFunction(_MODULE, "examine_with_pyramid", Examined, _ERRORS)
IS_BLANK: Final = SandboxFunction(_MODULE, "is_blank", bool, _ERRORS)
FUNCTIONS: Final = (EXAMINE, EXAMINE_WITH_PYRAMID, IS_BLANK)
"""What a child of an examiner runs."""


class ChildExaminer:
    """Examines masters in a pool of sandboxes, which runs `FUNCTIONS`. Several threads may use it at the same time."""

    def __init__(self, pool: SandboxPool, settings: Settings, scratch: Path, concurrency: int) -> None:
        self._pool = pool
        self._settings = settings
        self._scratch = scratch
        self.concurrency = concurrency

    def with_settings(self, settings: Settings) -> ChildExaminer:
        """Return an examiner by other settings, in the same pool."""
        return ChildExaminer(self._pool, settings, self._scratch, self.concurrency)

    def __call__(self, path: Path, pyramid: Path | None, algorithms: frozenset[str] = frozenset()) -> Examined:
        """Return the properties of a master; write its pyramid to `pyramid` if it is not None.

        `algorithms` as in `Examiner`. Raises `MasterUnreadable`, `StagingFault`, `SandboxNotStarted`, and
        `DecoderCrashed` when the child exceeded its time or crashed twice. A single crash may have another cause than
        the file: a shortage of memory, or a person who killed the process.
        """
        function = EXAMINE if pyramid is None else EXAMINE_WITH_PYRAMID
        started = time.monotonic()
        try:
            return self._call(function, path, pyramid, algorithms)
        except DecoderCrashed:
            if time.monotonic() - started >= self._settings.decode_seconds:
                raise
            return self._call(function, path, pyramid, algorithms)

    def is_blank(self, path: Path) -> bool:
        """Return whether a master is bitonal and white all over. Raises `MasterUnreadable`, `StagingFault`."""
        return self._call(IS_BLANK, path)

    def _call(
        self,
        function: SandboxFunction[Result],
        path: Path,
        pyramid: Path | None = None,
        algorithms: frozenset[str] = frozenset(),
    ) -> Result:
        settings = MasterSettings.of(self._settings, algorithms)
        with ExitStack() as files:
            try:
                master = files.enter_context(path.open("rb"))
            except OSError as fault:
                raise MasterUnreadable(reason=fault.strerror) from fault
            try:
                opened = [master, files.enter_context(tempfile.TemporaryFile(dir=self._scratch))]
                if pyramid is not None:
                    opened.append(files.enter_context(pyramid.open("w+b")))
            except OSError as fault:
                raise StagingFault(reason=fault.strerror) from fault
            try:
                return self._pool.call(function, path.name, settings, files=[file.fileno() for file in opened])
            except SandboxFailed as failure:
                raise DecoderCrashed(reason=failure.details["reason"]) from failure


@contextmanager
def open_child_examiner(
    settings: Settings, scratch: Path, concurrency: int | None = None, cores: int | None = None
) -> Iterator[ChildExaminer]:
    """Open an examiner with `concurrency` sandboxes (default: one per core), which share `cores` (default: all).

    Temporary files are written to `scratch`, an empty directory on a disk, which the caller deletes.
    """
    with decoding_pool(FUNCTIONS, settings, scratch, concurrency, cores) as pool:
        yield ChildExaminer(pool, settings, scratch, pool.count)


def decoding_pool(
    functions: Sequence[SandboxFunction[Any]],
    settings: Settings,
    scratch: Path,
    concurrency: int | None,
    cores: int | None,
) -> SandboxPool:
    """Return the pool of an examiner that runs `functions`; the other parameters are as above."""
    cores = cores or len(os.sched_getaffinity(0))
    count = concurrency or cores
    limits = Quota(seconds=settings.decode_seconds, threads=max(1, cores // count))
    return SandboxPool(functions, count, scratch, limits)
