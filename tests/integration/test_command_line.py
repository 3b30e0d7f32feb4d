"""The `shanben` command as a librarian runs it: in processes of its own, on a folder store, killed at any moment."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import imagecodecs
import numpy
import pytest
from command_line import SHANBEN, Shanben, ShanbenHere, environment
from ocfl import StorageRoot
from ports import reserve_port
from server_process import running

from preservation.log.sequencer import open_log
from repository.config import Settings
from repository.repository import open_repository

pytestmark = pytest.mark.integration


@pytest.fixture
def shanben(tmp_path: Path) -> Shanben:
    """The command in an empty folder."""
    return Shanben(tmp_path)


@pytest.fixture
def here(tmp_path: Path) -> ShanbenHere:
    """The command in the process of the test, for what does not depend on a process of its own."""
    return ShanbenHere(tmp_path)


def assert_ocfl_accepts(store: Path) -> None:
    root = StorageRoot(root=str(store / "ocfl"))
    assert root.validate(validate_objects=True, check_digests=True)


def test_every_command_reports_an_ingested_book(
    shanben: Shanben, here: ShanbenHere, deposit: Path, tmp_path: Path
) -> None:
    check = shanben.run_json("check", deposit)
    assert (check.code, check.document["faults"], check.document["notices"]) == (0, [], [])
    assert [page["key"] for page in check.document["volumes"][0]["pages"]] == ["0001", "0002", "0003"]
    done = shanben.run_json("ingest", deposit)
    assert done.code == 0
    (work,) = done.document["works"]
    assert (work["images"], work["state"]) == (3, "published")
    assert work["manifest"].endswith(f"/iiif/presentation/3/{work['identifier']}/manifest")
    status = shanben.run_json("status").document
    assert (status["works"], status["images"], status["log"]["size"]) == (1, 3, 4)
    verified = shanben.run_json("log", "verify")
    verdict = verified.document
    assert (verified.code, verdict["ok"], verdict["size"], verdict["root"]) == (0, True, 4, status["log"]["root"])
    assert_ocfl_accepts(tmp_path / "var" / "store")
    assert here.run_json("ingest", deposit).document["works"][0]["identifier"] == work["identifier"]
    assert here.run_json("status").document["log"] == status["log"]


def test_check_lists_what_an_image_does_not_show_as_a_notice(here: ShanbenHere, tmp_path: Path) -> None:
    deposit = tmp_path / "scan"
    deposit.mkdir()
    (deposit / "work.toml").write_text('title = "試書"', "utf-8")
    samples = numpy.random.default_rng(1).integers(0, 256, (40, 50, 4), dtype=numpy.uint8)
    (deposit / "0001.j2k").write_bytes(imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, codecformat="j2k"))
    check = here.run_json("check", deposit, LC_ALL="en_GB.UTF-8")
    assert (check.code, check.document["faults"]) == (0, [])
    (notice,) = check.document["notices"]
    assert (notice["file"], notice["code"]) == ("0001.j2k", "master.extra-samples")
    assert "shown without them" in notice["message"]


def test_evidence_of_an_image_is_checked_offline_with_the_public_key_alone(
    here: ShanbenHere, deposit: Path, tmp_path: Path
) -> None:
    here.run_json("ingest", deposit)
    image = next((tmp_path / "var" / "store" / "pyramids").glob("*/*")).name
    assert here.run_json("log", "prove", image, "-o", "evidence.txt").code == 0
    for unwritable in (("-o", "absent/evidence.txt"), ("--archive", "-o", "absent/evidence.zip")):
        assert here.run("log", "prove", image, *unwritable).code == 3
    key = here.run_json("log", "key").document["key"]
    checked = here.run_json("log", "check", "evidence.txt", "--key", key, data=tmp_path / "other")
    assert (checked.code, checked.document["event"]["image"]) == (0, image)
    assert not (tmp_path / "other").exists()
    (tmp_path / "policy.txt").write_text(f"log {key}\nquorum none\n")
    by_policy = here.run_json("log", "check", "evidence.txt", "--policy", "policy.txt", data=tmp_path / "other")
    assert by_policy.document == checked.document
    assert here.run_json("log", "check", "evidence.txt", "--policy", "policy.txt", "--key", key).code == 2
    evidence = (tmp_path / "evidence.txt").read_bytes()
    (tmp_path / "evidence.txt").write_bytes(evidence.replace(b"\nindex ", b"\nindex 1", 1))
    assert here.run_json("log", "check", "evidence.txt", "--key", key).code in (1, 2)


def test_faults_are_reported_in_the_readers_language_and_nothing_is_written(
    here: ShanbenHere, deposit: Path, tmp_path: Path
) -> None:
    (deposit / "0002.tif").write_bytes(b"II*\0nonsense")
    (deposit / "work.toml").write_text("titel = '試'\n", "utf-8")
    chinese = here.run_json("check", deposit, LC_ALL="zh_CN.UTF-8")
    faults = chinese.document["faults"]
    assert chinese.code == 1
    assert {fault["file"] for fault in faults} == {"work.toml", "0002.tif"}
    assert all(any("一" <= character <= "鿿" for character in fault["message"]) for fault in faults)
    english = here.run_json("check", deposit, LC_ALL="en_GB.UTF-8").document["faults"]
    assert all(fault["message"].isascii() or "titel" in fault["message"] for fault in english)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deposit"]
    refused = here.run_json("ingest", deposit)
    assert (refused.code, refused.document["works"]) == (1, [])
    assert here.run_json("status").document["works"] == 0


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        (("check",), {}, 2),
        (("nonsense",), {}, 2),
        (("check", "no-such-folder"), {}, 1),
        (("log", "prove", "i0000"), {}, 2),
        (("status",), {"tile_size": "x"}, 2),
        (("status",), {"database": "postgresql+psycopg://127.0.0.1:1/x"}, 3),
        (("worker",), {}, 3),
    ],
)
def test_each_failure_has_its_exit_code_and_no_traceback(
    here: ShanbenHere, arguments: tuple[str, ...], settings: dict[str, str], code: int
) -> None:
    done = here.run_json(*arguments, **settings)
    assert (done.code, "Traceback" in done.errors) == (code, False), done.errors


def test_a_process_ends_with_the_exit_code_of_its_failure(shanben: Shanben) -> None:
    done = shanben.run_json("log", "verify")
    assert (done.code, "Traceback" in done.errors) == (3, False), done.errors


def files_of(store: Path) -> list[str]:
    """Return the names of all files but the segments of the search index, whose digests depend on times."""
    names = (str(path.relative_to(store)) for path in store.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.startswith("search/segments/"))


def test_an_ingest_killed_at_any_moment_and_repeated_ends_like_an_undisturbed_one(
    shanben: Shanben, here: ShanbenHere, deposit: Path, tmp_path: Path
) -> None:
    """The real command at three moments; `tests/workers/tasks/test_ingest.py` kills it at every change of the store."""
    began = time.monotonic()
    shanben.run_json("ingest", deposit, data=tmp_path / "undisturbed")
    whole = time.monotonic() - began
    for tenth in (5, 7, 9):
        data = tmp_path / f"killed-{tenth}"
        command = [SHANBEN, "ingest", deposit]
        with running(command, cwd=tmp_path, env=environment(data=data), stderr=-3, stdout=-3) as victim:
            time.sleep(whole * tenth / 10)
            victim.kill()
        done = here.run_json("ingest", deposit, data=data)
        assert done.code == 0, done.errors
        assert files_of(data / "store") == files_of(tmp_path / "undisturbed" / "store")
        log = open_log(open_repository(Settings(data=data)))
        assert (log.verify().ok, log.size) == (True, 4)
        assert_ocfl_accepts(data / "store")
        assert list((data / "staging").glob("desk-*")) == []


def test_a_store_in_a_bucket_that_does_not_exist_creates_it(here: ShanbenHere, deposit: Path, endpoint: str) -> None:
    settings = {
        "store": "s3://heritage/shanben",
        "s3_endpoint": endpoint,
        "s3_access_key": "key",
        "s3_secret_key": "secret",
    }
    done = here.run_json("ingest", deposit, **settings)
    assert done.code == 0, done.errors
    assert done.document["works"][0]["images"] == 3
    assert here.run_json("log", "verify", **settings).document["size"] == 4
    before = here.run_json("status", **settings).document
    rebuilt = here.run_json("rebuild", **settings).document
    sound = {"skipped": [], "lost": [], "log_problems": []}
    assert rebuilt == {"works": 1, "images": 3, "pyramids_made": 0, **sound}
    assert here.run_json("status", **settings).document["log"] == before["log"]


def test_an_absent_bucket_server_is_reported_and_not_waited_for(shanben: Shanben) -> None:
    absent = f"http://127.0.0.1:{reserve_port()}"
    settings = {"store": "s3://heritage/shanben", "s3_endpoint": absent, "s3_access_key": "k", "s3_secret_key": "s"}
    done = shanben.run_json("log", "verify", **settings)
    assert (done.code, "Traceback" in done.errors) == (3, False), done.errors


def test_commands_that_start_together_on_an_empty_folder_create_one_key(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([SHANBEN, "init"], env=environment(data=tmp_path / "var"), stdout=-3, stderr=-1, text=True)
        for _ in range(3)
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors
    assert {path.name for path in (tmp_path / "var" / "keys").iterdir()} == {"log.key", "seal.salt"}
