"""A lock is held by one at a time, whichever database it goes by, and let go when its holder dies."""

import subprocess
import sys
import threading

import pytest

from repository.database.engine import open_database
from repository.database.locks import hold_lock_file, open_locks
from repository.errors import Busy, DatabaseFault

HOLDER = """
import sys, time
from pathlib import Path
from repository.database.engine import open_database
from repository.errors import Busy
from repository.database.locks import hold_lock_file, open_locks
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


def test_a_second_holder_waits_and_then_hears_that_it_is_busy(tmp_path):
    path = tmp_path / "locks" / "a.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, "file", path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy), hold_lock_file(path, 0.2, Busy(what="a")):
            pass
        holder.kill()
    with hold_lock_file(path, 5, Busy(what="a")):
        assert path.exists()


def test_a_name_is_held_once_and_another_beside_it(locks):
    with locks.hold("a", 0, Busy(what="a")) as hold, locks.hold("b", 0, Busy(what="b")):
        hold.check()
        for seconds in (0, 0.2):
            with pytest.raises(Busy), locks.hold("a", seconds, Busy(what="a")):
                pass
        hold.check()
    with locks.hold("a", 0, Busy(what="a")):
        pass


def test_a_lock_is_let_go_when_what_it_was_held_for_fails(locks):
    with pytest.raises(ZeroDivisionError), locks.hold("a", 0, Busy(what="a")):
        raise ZeroDivisionError
    with locks.hold("a", 0, Busy(what="a")):
        pass


def test_who_waits_gets_the_lock_when_it_is_free(locks):
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


def test_a_lock_is_free_when_the_process_that_held_it_was_killed(database_url, tmp_path):
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


def test_a_lock_file_that_was_taken_away_is_a_lock_lost(tmp_path):
    locks = open_locks(open_database(f"sqlite:///{tmp_path}/x.sqlite"), tmp_path / "locks")
    with locks.hold("a", 0, Busy(what="a")) as hold:
        for path in (tmp_path / "locks").iterdir():
            path.unlink()
        with pytest.raises(DatabaseFault, match="锁已失去"):
            hold.check()
