"""The numbers of all web processes of a machine, in one folder: whichever process is asked tells those of all.

Each process has two files there::

    <name>.live    held by `flock` for as long as the process lives, however it ends
    <name>.json    its numbers, written anew every second when they have changed

and all together one, ``ended.json``: the sums of the processes that have ended, so that no total ever goes back. Who
asks adds to it what dead processes left, and takes their files away. A process that is killed loses the counts of its
last second at most. The folder may be deleted at any time: counting begins anew.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from iiif_server.metrics import LAYOUT, Observations, Snapshot, add_up
from repository.database.locks import hold_lock_file
from repository.errors import Busy
from repository.localized import LocalizedText

_WRITE_SECONDS: Final = 1.0
_LOCK_SECONDS: Final = 2.0
_ENDED: Final = "ended.json"
_LOG: Final = logging.getLogger("shanben.metrics")


@dataclass(frozen=True, slots=True)
class LivingProcess:
    """A web process: its id, and when it began, in seconds since 1970."""

    pid: int
    started: float


class Scoreboard:
    """The folder, for one process. Nothing is written there before `start`."""

    def __init__(self, folder: Path, observations: Observations) -> None:
        self._folder = folder
        self._observations = observations
        self._name = secrets.token_hex(8)
        self._me = LivingProcess(os.getpid(), time.time())
        self._mark: IO[bytes] | None = None
        self._told = False

    def start(self) -> None:
        """Write the numbers of this process every second from now on, in a thread of its own."""
        threading.Thread(target=self._write_always, name="scoreboard", daemon=True).start()

    def total(self) -> tuple[Snapshot, Sequence[LivingProcess]]:
        """The sums of all processes of the machine, and those that live. This process's own when there is no folder."""
        mine = self._observations.snapshot()
        try:
            with hold_lock_file(self._folder / "lock", _LOCK_SECONDS, Busy(what=LocalizedText("指标", "the metrics"))):
                others, ended = self._read_others()
        except (OSError, Busy) as fault:
            self._complain(fault)
            return mine, [self._me]
        living = sorted([self._me, *(process for process, _ in others)], key=lambda process: process.pid)
        return add_up([mine, ended, *(snapshot for _, snapshot in others)]), living

    def _write_always(self) -> None:
        written = None
        while True:
            snapshot = self._observations.snapshot()
            if snapshot != written or self._is_gone():
                try:
                    self._write(snapshot)
                    written = snapshot
                except OSError as fault:
                    self._complain(fault)
            time.sleep(_WRITE_SECONDS)

    def _is_gone(self) -> bool:
        return self._mark is None or os.fstat(self._mark.fileno()).st_nlink == 0

    def _write(self, snapshot: Snapshot) -> None:
        if self._is_gone():
            self._folder.mkdir(parents=True, exist_ok=True)
            arriving = self._folder / f"{self._name}.arriving"
            mark = arriving.open("wb")
            fcntl.flock(mark, fcntl.LOCK_EX)
            arriving.rename(self._file("live"))  # never seen before it is held
            self._mark = mark
        process = {"pid": self._me.pid, "started": self._me.started}
        _put(self._file("json"), {**process, **_document(snapshot)})
        self._told = False

    def _read_others(self) -> tuple[list[tuple[LivingProcess, Snapshot]], Snapshot]:
        """Living processes but this one, and the sums of all that have ended. The lock is held."""
        kept = _get(self._folder / _ENDED)
        ended, counted = _snapshot(kept), set(kept.get("counted", ()))
        dead = []
        living = []
        for mark in self._folder.glob("*.live"):
            if mark.stem == self._name:
                continue
            if _is_held(mark):
                document = _get(mark.with_suffix(".json"))
                if document:
                    living.append((LivingProcess(document["pid"], document["started"]), _snapshot(document)))
            else:
                dead.append(mark)
        if dead:
            left = [_snapshot(_get(mark.with_suffix(".json"))) for mark in dead if mark.stem not in counted]
            ended = Snapshot(add_up([ended, *left]).cells)
            # Counted once, even if we are killed before their files are gone.
            _put(self._folder / _ENDED, _document(ended) | {"counted": [mark.stem for mark in dead]})
            for mark in dead:
                mark.with_suffix(".json").unlink(missing_ok=True)
                mark.unlink(missing_ok=True)
        return living, ended

    def _file(self, suffix: str) -> Path:
        return self._folder / f"{self._name}.{suffix}"

    def _complain(self, fault: Exception) -> None:
        if not self._told:
            self._told = True
            _LOG.warning("指标无法汇总，服务照常 / metrics cannot be shared; serving goes on: %s", fault)


def _document(snapshot: Snapshot) -> dict[str, Any]:
    return {"layout": LAYOUT, "cells": snapshot.cells, "gauges": snapshot.gauges}


def _snapshot(document: dict[str, Any]) -> Snapshot:
    """The numbers in a document; none when another release wrote it."""
    if document.get("layout") != LAYOUT:
        return Snapshot()
    return Snapshot(tuple(document["cells"]), document["gauges"])


def _get(path: Path) -> dict[str, Any]:
    """What a file says; nothing when it is not there, or not whole."""
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _put(path: Path, document: dict[str, Any]) -> None:
    """Not synced: after a loss of power counting begins anew."""
    arriving = path.with_suffix(".new")
    arriving.write_text(json.dumps(document))
    arriving.rename(path)


def _is_held(mark: Path) -> bool:
    """Whether the process of a mark lives; one that is gone meanwhile is nobody's concern any more."""
    try:
        with mark.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return True
    return False
