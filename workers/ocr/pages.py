"""Has stored images read by the engine in a sandbox, and tells whether the engine is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from iiif_server.render.child_tiles import open_tiles
from repository.errors import DependencyMissing
from repository.localized import LocalizedText
from repository.model.work import Pyramid
from repository.sandbox.functions import Quota
from repository.sandbox.pool import SandboxPool
from repository.storage.store import ObjectStore
from workers.ocr.records import RECOGNISE_PAGE, RecognisedPage

_QUOTA: Final = Quota(seconds=1800, memory=2 << 30, niceness=10, file_bytes=1 << 20)
"""The time is that of the longest scroll, of 100 parts, on a machine that is busy."""

_REMEDY: Final = LocalizedText("请运行 make ocr 安装", "run make ocr to install it")


def installed_engine() -> str | None:
    """Return name and version of the engine, as texts state their source; None if it is not installed."""
    try:
        version("onnxruntime")
        return f"RapidOCR {version('rapidocr')} (PP-OCRv6 small)"
    except PackageNotFoundError:
        return None


def required_engine() -> str:
    """Return name and version of the engine. Raises `DependencyMissing`."""
    engine = installed_engine()
    if engine is None:
        raise DependencyMissing(what="RapidOCR", remedy=_REMEDY)
    return engine


@contextmanager
def recognition_pool(scratch: Path) -> Iterator[SandboxPool]:
    """Open a sandbox with the engine, which takes about two seconds to load."""
    with SandboxPool([RECOGNISE_PAGE], 1, scratch, _QUOTA) as pool:
        yield pool


def recognise(pool: SandboxPool, store: ObjectStore, pyramid: Pyramid) -> RecognisedPage:
    """Return the lines of an image. Raises `SandboxFailed`, `PyramidCorrupt`, `StoreFault`."""
    grid, read = open_tiles(store, pyramid)
    return pool.call(RECOGNISE_PAGE, grid.sides, respond=read)
