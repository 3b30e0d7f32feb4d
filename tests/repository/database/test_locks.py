"""A lock has one holder at a time with every kind of database, and is released when the holder dies."""

import subprocess
import sys
import threading

import pytest

from repository.database.engine import open_database
from repository.database.locks import open_locks
from repository.errors import Busy, DatabaseFault
from repository.storage.lock_files import hold_lock_file

pytestmark = pytest.mark.slow

HOLDER = """
import sys, time
from pathlib import Path
from repository.database.engine import open_database
from repository.errors import Busy
from repository.database.locks import open_locks
from repository.storage.lock_files import hold_lock_file
lock = hold_lock_file if sys.argv[1] == "file" else open_locks(open_database(sys.argv[1]), Path(sys.argv[2])).hold
with lock(Path(sys.argv[2]) if sys.argv[1] == "file" else "a", 0, Busy(what="x")):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration), "memory"])
def locks(request, tmp_path):
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create_database()
    else:
        url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/locks.sqlite"
    engine = open_database(url)
    yield open_locks(engine, tmp_path / "locks")
    engine.dispose()


def test_a_lock_file_held_by_another_process_is_busy(tmp_path):
    path = tmp_path / "locks" / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, "file", path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy), hold_lock_file(path, 0.2, Busy(what="a")):
            pass
        holder.kill()
    with hold_lock_file(path, 5, Busy(what="a")):
        assert path.exists()


def test_locks_of_different_names_are_independent(locks):
    with locks.hold("a", 0, Busy(what="a")) as hold, locks.hold("b", 0, Busy(what="b")):
        hold.check()
        for seconds in (0, 0.2):
            with pytest.raises(Busy), locks.hold("a", seconds, Busy(what="a")):
                pass
        hold.check()
    with locks.hold("a", 0, Busy(what="a")):
        pass


def test_an_exception_releases_the_lock(locks):
    with pytest.raises(ZeroDivisionError), locks.hold("a", 0, Busy(what="a")):
        raise ZeroDivisionError
    with locks.hold("a", 0, Busy(what="a")):
        pass


def test_a_waiting_holder_gets_a_released_lock(locks):
    order = []

    def wait():
        with locks.hold("a", 10, Busy(what="a")):
            order.append("second")

    with locks.hold("a", 0, Busy(what="a")):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.3)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def test_killing_the_holder_releases_the_lock(database_url, tmp_path):
    engine = open_database(database_url)
    locks = open_locks(engine, tmp_path / "locks")
    command = [sys.executable, "-c", HOLDER, database_url, tmp_path / "locks"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy), locks.hold("a", 0, Busy(what="a")):
            pass
        holder.kill()
    with locks.hold("a", 5, Busy(what="a")) as hold:
        hold.check()
    engine.dispose()


def test_deleting_the_lock_file_loses_the_lock(tmp_path):
    locks = open_locks(open_database(f"sqlite:///{tmp_path}/x.sqlite"), tmp_path / "locks")
    with locks.hold("a", 0, Busy(what="a")) as hold:
        for path in (tmp_path / "locks").iterdir():
            path.unlink()
        with pytest.raises(DatabaseFault, match="锁已丢失"):
            hold.check()
