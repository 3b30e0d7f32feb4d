"""`shanben repair` as an operator uses it: damage in store and replica is mended, and lost files are named."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from subprocess import PIPE
from typing import cast

import pytest
from command_line import SHANBEN, ShanbenHere
from deposits import write_deposit
from server_process import running
from servers import RedisServer

from repository.config import Settings
from repository.database.outbox import NewJob
from repository.repository import open_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.execution.liveness import registered_worker
from workers.execution.runner import Runner
from workers.tasks.jobs import REPAIR_WORK
from workers.tasks.registry import TASKS
from workers.tasks.repair import repair_work

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with one work of two pages and a replica, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    shanben = ShanbenHere(folder, replicas="replica")
    done = shanben.run("ingest", write_deposit(folder / "deposit", 2))
    assert done.code == 0, done.errors
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    for name in ("var", "replica"):
        shutil.copytree(template / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def shanben(folder: Path) -> ShanbenHere:
    return ShanbenHere(folder, replicas="replica")


def masters(root: Path) -> list[Path]:
    return sorted(root.glob("ocfl/*/*/*/*/v1/content/masters/*.tif"))


def digests(root: Path) -> dict[str, str]:
    files = [path for part in ("ocfl", "log", "pyramids", "published") for path in (root / part).rglob("*")]
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()
    }


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_damage_in_both_stores_is_repaired_from_the_other_and_logged(shanben: ShanbenHere, folder: Path) -> None:
    store, replica = folder / "var" / "store", folder / "replica"
    before = {root: digests(root) for root in (store, replica)}
    flip(masters(store)[0])
    masters(replica)[1].unlink()
    (store / "log" / "checkpoint").unlink()
    next((store / "pyramids").rglob("*.zip")).unlink()
    done = shanben.run_json("repair", "--all")
    assert done.code == 0, done.errors
    assert (done.document["lost"], done.document["left"]) == ([], [])
    repaired = {(each["store"], each["key"].rpartition("/")[2], each["from"]) for each in done.document["repaired"]}
    assert {("store", "0001.tif", "replica"), ("replica", "0002.tif", "store")} <= repaired
    assert {key: digests(store)[key] for key in before[store] if not key.startswith("log/")} == {
        key: digest for key, digest in before[store].items() if not key.startswith("log/")
    }
    assert {key: digests(replica).get(key) for key in before[replica] if key.startswith("ocfl/")} == {
        key: digest for key, digest in before[replica].items() if key.startswith("ocfl/")
    }
    assert shanben.run_json("log", "verify").document["ok"]
    again = shanben.run_json("repair", "--all")
    assert (again.code, again.document) == (0, {"repaired": [], "lost": [], "left": []})


def test_log_that_was_put_back_to_an_older_state_is_found_and_repaired(shanben: ShanbenHere, folder: Path) -> None:
    log = folder / "var" / "store" / "log"
    old = shutil.copytree(log, folder / "old")
    assert shanben.run("ingest", write_deposit(folder / "deposit", 1, seed=50)).code == 0
    for find in (("fixity", "run", "--all"), ("log", "verify")):
        shutil.rmtree(log)
        shutil.copytree(old, log)
        assert shanben.run(*find).code == 1
        done = shanben.run_json("repair")
        assert (done.code, done.document["lost"]) == (0, []), done.errors
        assert "log/checkpoint" in {each["key"] for each in done.document["repaired"]}
        assert shanben.run_json("log", "verify").document["ok"]


def test_log_that_an_ingest_found_damaged_is_repaired_before_a_check_finds_it(
    shanben: ShanbenHere, folder: Path
) -> None:
    newest = max(
        (folder / "var" / "store" / "log" / "tile" / "entries" / "000.p").iterdir(), key=lambda path: int(path.name)
    )
    newest.write_bytes(newest.read_bytes()[:-40])
    waiting = shanben.run("ingest", write_deposit(folder / "deposit", 1, seed=60))
    assert waiting.code == 3
    assert newest.name in waiting.errors
    done = shanben.run_json("repair")
    assert (done.code, done.document["lost"]) == (0, []), done.errors
    assert shanben.run_json("log", "verify").document["ok"]
    assert shanben.run_json("status").document["log"]["staged"] == 0


def test_file_damaged_everywhere_is_lost_and_what_remains_is_listed(shanben: ShanbenHere, folder: Path) -> None:
    for root in (folder / "var" / "store", folder / "replica"):
        flip(masters(root)[0])
    before = digests(folder / "replica")
    work = masters(folder / "replica")[0].parents[3].name.removeprefix("shanben%3a")
    done = shanben.run_json("repair", work)
    assert done.code == 1
    [lost] = done.document["lost"]
    assert (lost["key"].rpartition("/")[2], lost["work"]) == ("0001.tif", work)
    assert {each["kind"] for each in lost["remains"]} == {"damaged-copy", "pyramid"}
    assert digests(folder / "replica") == before


def test_lost_master_is_put_back_by_the_ingest_that_the_repair_names(shanben: ShanbenHere, folder: Path) -> None:
    for root in (folder / "var" / "store", folder / "replica"):
        flip(masters(root)[0])
    lost = shanben.run("repair", "--all")
    assert (lost.code, "run shanben ingest on it again" in lost.output) == (1, True)
    restored = shanben.run("ingest", write_deposit(folder / "deposit", 2))
    assert restored.code == 0, restored.errors
    done = shanben.run("repair", "--all")
    assert (done.code, "shanben ingest" in done.output) == (0, False)


def test_unexpected_file_is_left_until_it_is_moved_into_quarantine(shanben: ShanbenHere, folder: Path) -> None:
    stray = masters(folder / "var" / "store")[0].with_name("Thumbs.db")
    stray.write_bytes(b"x")
    outside = folder / "var" / "store" / "ocfl" / "backup.tar"
    outside.write_bytes(b"y")
    left = shanben.run_json("repair", "--all")
    assert (left.code, [each["kind"] for each in left.document["left"]]) == (0, ["unexpected", "unexpected"])
    assert stray.exists()
    done = shanben.run_json("repair", "--all", "--quarantine")
    assert (done.code, done.document["left"]) == (0, [])
    assert not stray.exists()
    assert not outside.exists()
    [kept] = (folder / "var" / "store" / "quarantine").rglob("Thumbs.db")
    assert kept.read_bytes() == b"x"


def test_master_that_cannot_be_put_back_is_left_and_no_success(shanben: ShanbenHere, folder: Path) -> None:
    lost = masters(folder / "replica")[0]
    lost.unlink()
    lost.mkdir()  # nothing can be written in its place
    for arguments in ("--all",), ():
        done = shanben.run_json("repair", *arguments)
        assert (done.code, [each["kind"] for each in done.document["left"]]) == (3, ["missing"])
    lost.rmdir()
    assert shanben.run_json("repair").code == 0


def test_replica_out_of_reach_is_named_and_nothing_is_called_lost(shanben: ShanbenHere, folder: Path) -> None:
    flip(masters(folder / "var" / "store")[0])
    (folder / "replica").rename(folder / "elsewhere")
    done = shanben.run_json("repair", "--all")
    assert done.code == 3
    assert done.document["lost"] == []
    assert {each["store"] for each in done.document["left"]} >= {"replica"}
    (folder / "elsewhere").rename(folder / "replica")
    assert shanben.run_json("repair", "--all").code == 0


def test_what_a_worker_repairs_meanwhile_is_reported_though_its_job_runs_again(
    shanben: ShanbenHere, folder: Path, examiner: ChildDepositExaminer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    flip(masters(folder / "var" / "store")[0])
    assert shanben.run("fixity", "run", "--all").code == 1
    repository = open_repository(Settings(data=folder / "var", replicas=("replica",)))
    context = TaskContext(repository, examiner)
    [(queued, _)] = repository.jobs.active(REPAIR_WORK)
    with registered_worker(repository) as holder:
        Runner(context, TASKS, holder, patience=60.0).run(queued.key)  # it claims the work
        job = repository.jobs.start(queued.key, holder, 60.0)
        assert job
        with shanben.start("repair", "--json", stdout=PIPE, stderr=PIPE) as command:
            assert "A worker is repairing" in command.stderr.readline()
            result = repair_work(context, job)
            repository.jobs.enqueue(NewJob(job.key, job.kind, job.arguments))  # as a sweep does when it ends
            repository.jobs.finish(job.key, holder, cast(Mapping[str, object], result))
            output, errors = command.communicate(timeout=60)
    assert command.returncode == 0, errors
    repaired = json.loads(output)["repaired"]
    assert ("store", "0001.tif", "replica") in {
        (each["store"], each["key"].rpartition("/")[2], each["from"]) for each in repaired
    }


def test_worker_repairs_what_a_check_has_found(redis: RedisServer, tmp_path: Path) -> None:
    # A check that begins by itself might find the damage, and have it repaired, before the command begins.
    hour = datetime.now().astimezone().hour
    hours = f"{(hour + 12) % 24}-{(hour + 13) % 24}"
    shanben = ShanbenHere(tmp_path, broker=redis.url, replicas="replica", fixity_hours=hours, similar_pages=0)
    with (tmp_path / "worker.log").open("ab") as log:
        environment = shanben.environment
        with running([SHANBEN, "worker"], cwd=tmp_path, env=environment, stdout=log, stderr=log) as worker:
            assert shanben.run("ingest", write_deposit(tmp_path / "deposit", 1)).code == 0
            deadline = time.monotonic() + 60
            while not shanben.run_json("status").document["replicas"][0]["works"]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            [master] = masters(tmp_path / "var" / "store")
            whole = master.read_bytes()
            flip(master)
            done = shanben.run_json("repair", "--all")
            assert done.code == 0, done.errors + (tmp_path / "worker.log").read_text()
            assert ("0001.tif", "replica") in {
                (each["key"].rpartition("/")[2], each["from"]) for each in done.document["repaired"]
            }, done.document
            assert master.read_bytes() == whole
            worker.terminate()
            worker.wait(60)
