"""The folder of the temporary files of tests: in memory where there is room, since tests write and fsync many files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
# What a whole run holds at a time, with room to spare: about 2 GB.
ROOM_BYTES = 8 << 30


def keep_temporary_files_in_memory() -> None:
    """Let this process and those it starts make temporary files in memory, unless TMPDIR names a folder."""
    if "TMPDIR" not in os.environ and has_room():
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None


def has_room() -> bool:
    """Return whether the file system in memory, and the memory, have room for the files of a whole run."""
    if not os.access(IN_MEMORY, os.W_OK) or not IN_MEMORY.is_mount():
        return False
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(memory["MemAvailable"].removesuffix("kB")) * 1024
    return min(shutil.disk_usage(IN_MEMORY).free, available) >= ROOM_BYTES
