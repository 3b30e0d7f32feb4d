"""Folders in memory, for tests that write and fsync many small files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
# What three test processes hold at a time is below 1 GB.
ROOM_BYTES = 8 << 30


def parent_in_memory() -> Path | None:
    """Return the file system in memory, or None where it or the memory has no room for the files of tests."""
    if not os.access(IN_MEMORY, os.W_OK) or not IN_MEMORY.is_mount():
        return None
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(memory["MemAvailable"].removesuffix("kB")) * 1024
    return IN_MEMORY if min(shutil.disk_usage(IN_MEMORY).free, available) >= ROOM_BYTES else None
