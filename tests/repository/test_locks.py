"""A lock is held by one process at a time, and let go when it dies."""

import subprocess
import sys

import pytest

from repository.errors import Busy
from repository.locks import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from repository.errors import Busy
from repository.locks import exclusive
with exclusive(Path(sys.argv[1]), 0, Busy(what="x")):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_waits_and_then_hears_that_it_is_busy(tmp_path):
    path = tmp_path / "locks" / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy), exclusive(path, 0.2, Busy(what="a")):
            pass
        holder.kill()
    with exclusive(path, 5, Busy(what="a")):
        assert path.exists()
