from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repository.storage.process_marks import hold_mark, is_abandoned

HOLDER = """
import sys, time
from repository.storage.process_marks import hold_mark
with hold_mark(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_mark_is_abandoned_when_its_holder_lets_go(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with hold_mark(mark) as descriptor:
        os.write(descriptor, b"content")
        assert not is_abandoned(mark)
        mark.rename(tmp_path / "renamed")
        assert not is_abandoned(tmp_path / "renamed")
    assert is_abandoned(tmp_path / "renamed")
    assert (tmp_path / "renamed").read_bytes() == b"content"


def test_a_mark_is_abandoned_when_its_process_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(mark)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert not is_abandoned(mark)
        holder.send_signal(signal.SIGKILL)
    assert is_abandoned(mark)


def test_an_absent_mark_is_not_abandoned(tmp_path: Path) -> None:
    assert not is_abandoned(tmp_path / "absent")


def test_testing_a_mark_does_not_hold_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    assert is_abandoned(mark)
    assert is_abandoned(mark)


def test_an_existing_mark_is_not_taken_over(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    with pytest.raises(FileExistsError), hold_mark(mark):
        pass
