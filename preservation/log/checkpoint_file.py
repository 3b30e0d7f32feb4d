"""A file that keeps the newest checkpoint, outside the store: of a library that signs, or of a witness."""

from __future__ import annotations

from pathlib import Path

from repository.errors import StoreFault
from repository.storage.fsync import sync_folder, write_all


class CheckpointFile:
    """Keeps the newest checkpoint that this machine signed or cosigned, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[bytes]:
        """Return the checkpoint; an empty list before the first. Raises `StoreFault`."""
        try:
            return [self._path.read_bytes()]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise StoreFault(key=self._path.name, reason=fault.strerror) from fault

    def write(self, checkpoint: bytes) -> None:
        """Replace the checkpoint, durably. Raises `StoreFault`."""
        temporary = self._path.with_suffix(".signing")
        try:
            with temporary.open("wb") as file:
                write_all(file.fileno(), checkpoint)
            temporary.replace(self._path)
            sync_folder(str(self._path.parent))
        except OSError as fault:
            raise StoreFault(key=self._path.name, reason=fault.strerror) from fault
