"""Examines a master in one pass: hashes it, decodes it completely and writes its pyramid if requested.

Runs in a sandbox only, which can open no file: everything that decoding needs is imported here and below, at the top of
modules, and all files are descriptors that the parent passes (`masters/examine.py`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any, Final

import pyvips

from iiif_server.pyramid.file import PyramidSummary, write_pyramid_into
from preservation.digests import file_digests, master_algorithms
from repository.errors import MasterUnreadable, PyramidCorrupt, StagingFault
from workers.masters.decode import block_other_loaders, opened_master
from workers.masters.examine import Examined, MasterSettings
from workers.masters.master_file import MasterFile
from workers.masters.puid import puid_of

_BITS: Final = "bits-per-sample"
_WHITE: Final = 255


def examine(master: int, spool: int, name: str, settings: MasterSettings) -> Examined:
    """Hash and decode the master called `name`, of which `master` is a descriptor; `spool` is that of an empty file.

    Raises `MasterUnreadable` or a subclass, and `StagingFault` if there is no space to write.
    """
    return _examine(MasterFile(master, name, spool), settings, lambda image: (None, fingerprint(image)))


def examine_with_pyramid(master: int, spool: int, pyramid: int, name: str, settings: MasterSettings) -> Examined:
    """Do the same, and write the pyramid to the empty file of the descriptor `pyramid`."""

    def write(image: Any) -> tuple[PyramidSummary, str]:
        summary = _write_pyramid(image, pyramid, settings)
        return summary, summary.fingerprint

    return _examine(MasterFile(master, name, spool), settings, write)


def is_blank(master: int, spool: int, name: str, settings: MasterSettings) -> bool:
    """Return whether a master has one bit per sample and white pixels alone, as the scan of a blank leaf.

    Raises `MasterUnreadable` or a subclass.
    """
    block_other_loaders()
    with opened_master(MasterFile(master, name, spool), settings) as opened:
        image = opened.image
        is_bitonal = image.get_typeof(_BITS) != 0 and image.get(_BITS) == 1
        return bool(is_bitonal and image.min() == _WHITE)


def _examine(
    file: MasterFile, settings: MasterSettings, consume: Callable[[Any], tuple[PyramidSummary | None, str]]
) -> Examined:
    block_other_loaders()
    try:
        with file.open() as content:
            digests = file_digests(content, *master_algorithms(settings.algorithms))
            size = content.tell()
    except OSError as fault:
        raise MasterUnreadable(reason=fault.strerror) from fault
    with opened_master(file, settings) as master:
        image = master.image
        summary, pixels = consume(image)
        width, height = image.width, image.height
    try:
        with file.open() as content:
            puid = puid_of(content, master.file_format)
    except OSError as fault:
        raise MasterUnreadable(reason=fault.strerror) from fault
    media_type = master.file_format.media_type
    properties = (size, media_type, width, height, pixels, summary, master.ignored)
    return Examined(digests["sha256"], *properties, digests.get("sm3"), digests.get("md5"), puid)


def _write_pyramid(image: Any, target: int, settings: MasterSettings) -> PyramidSummary:
    try:
        with os.fdopen(target, "r+b", closefd=False) as file:
            return write_pyramid_into(image, file, "pyramid", settings.tile_size, settings.jpeg_quality)
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
