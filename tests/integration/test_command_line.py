"""The `shanben` command as a librarian runs it: in processes of its own, on a folder store, killed at bad moments."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from ocfl import StorageRoot
from ports import reserve_port

SHANBEN = Path(sys.executable).with_name("shanben")


@pytest.fixture
def shanben(tmp_path):
    """Runs `shanben` in an empty folder with settings of its own; gives (exit code, document, standard error)."""

    def run(*arguments, **settings):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SHANBEN_")}
        ended = subprocess.run(
            [SHANBEN, *map(str, arguments), "--json"],
            cwd=tmp_path,
            env={**environment, **settings},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return ended.returncode, json.loads(ended.stdout) if ended.stdout.strip() else None, ended.stderr

    return run


def assert_ocfl_accepts(store):
    root = StorageRoot(root=str(store / "ocfl"))
    assert root.validate(validate_objects=True, check_digests=True)


def test_a_book_goes_in_and_every_command_tells_of_it(shanben, deposit, tmp_path):
    assert shanben("check", deposit)[:2] == (0, {"faults": []})
    code, done, _ = shanben("ingest", deposit)
    assert code == 0
    (work,) = done["works"]
    assert (work["images"], work["state"]) == (3, "published")
    assert work["manifest"].endswith(f"/iiif/presentation/3/{work['identifier']}/manifest")
    code, status, _ = shanben("status")
    assert (status["works"], status["images"], status["log"]["size"]) == (1, 3, 4)
    code, verdict, _ = shanben("log", "verify")
    assert (code, verdict["ok"], verdict["size"], verdict["root"]) == (0, True, 4, status["log"]["root"])
    assert_ocfl_accepts(tmp_path / "var" / "store")
    assert shanben("ingest", deposit)[1]["works"][0]["identifier"] == work["identifier"]
    assert shanben("status")[1]["log"] == status["log"]


def test_evidence_of_an_image_is_checked_offline_with_the_public_key_alone(shanben, deposit, tmp_path):
    shanben("ingest", deposit)
    image = next((tmp_path / "var" / "store" / "pyramids").glob("*/*")).name
    assert shanben("log", "prove", image, "-o", "evidence.txt")[0] == 0
    key = shanben("log", "key")[1]["key"]
    elsewhere = {"SHANBEN_DATA": str(tmp_path / "elsewhere")}
    code, found, _ = shanben("log", "check", "evidence.txt", "--key", key, **elsewhere)
    assert (code, found["event"]["image"]) == (0, image)
    assert not (tmp_path / "elsewhere").exists()
    evidence = (tmp_path / "evidence.txt").read_bytes()
    (tmp_path / "evidence.txt").write_bytes(evidence.replace(b"\nindex ", b"\nindex 1", 1))
    assert shanben("log", "check", "evidence.txt", "--key", key)[0] in (1, 2)


def test_faults_are_told_in_the_readers_language_and_nothing_is_written(shanben, deposit, tmp_path):
    (deposit / "0002.tif").write_bytes(b"II*\0nonsense")
    (deposit / "work.toml").write_text("titel = '試'\n", "utf-8")
    code, found, _ = shanben("check", deposit, LC_ALL="zh_CN.UTF-8")
    assert code == 1
    assert {fault["file"] for fault in found["faults"]} == {"work.toml", "0002.tif"}
    assert all(any("一" <= character <= "鿿" for character in fault["message"]) for fault in found["faults"])
    english = shanben("check", deposit, LC_ALL="en_GB.UTF-8")[1]["faults"]
    assert all(fault["message"].isascii() or "titel" in fault["message"] for fault in english)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deposit"]
    code, refused, _ = shanben("ingest", deposit)
    assert (code, refused["works"]) == (1, [])
    assert shanben("status")[1]["works"] == 0


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        (("check",), {}, 2),
        (("nonsense",), {}, 2),
        (("check", "no-such-folder"), {}, 1),
        (("log", "prove", "i0000"), {}, 2),
        (("status",), {"SHANBEN_TILE_SIZE": "x"}, 2),
        (("status",), {"SHANBEN_DATABASE": "postgresql+psycopg://127.0.0.1:1/x"}, 3),
        (("worker",), {}, 3),
        (("log", "verify"), {}, 3),
    ],
)
def test_each_failure_has_its_exit_code_and_no_traceback(shanben, arguments, settings, code):
    ended, _, words = shanben(*arguments, **settings)
    assert (ended, "Traceback" in words) == (code, False), words


def files_of(store):
    return sorted(str(path.relative_to(store)) for path in store.rglob("*") if path.is_file())


def test_killed_at_any_moment_and_run_again_the_end_is_that_of_one_clean_run(shanben, deposit, tmp_path):
    clean = {"SHANBEN_DATA": str(tmp_path / "clean")}
    began = time.monotonic()
    shanben("ingest", deposit, **clean)
    whole = time.monotonic() - began
    moments = [whole * part / 10 for part in range(3, 11)]
    for number, moment in enumerate(moments):
        data = tmp_path / f"killed-{number}"
        environment = {**os.environ, "SHANBEN_DATA": str(data)}
        with subprocess.Popen(
            [SHANBEN, "ingest", deposit], cwd=tmp_path, env=environment, stderr=-3, stdout=-3
        ) as victim:
            time.sleep(moment)
            victim.send_signal(signal.SIGKILL)
        settings = {"SHANBEN_DATA": str(data)}
        code, done, words = shanben("ingest", deposit, **settings)
        assert code == 0, words
        assert files_of(data / "store") == files_of(tmp_path / "clean" / "store")
        assert shanben("log", "verify", **settings)[1]["ok"]
        assert_ocfl_accepts(data / "store")
        assert list((data / "staging").glob("desk-*")) == []
        assert shanben("status", **settings)[1]["log"]["size"] == 4


def test_the_store_may_be_a_bucket_which_is_made_when_it_is_absent(shanben, deposit, endpoint):
    settings = {
        "SHANBEN_STORE": "s3://heritage/shanben",
        "SHANBEN_S3_ENDPOINT": endpoint,
        "SHANBEN_S3_ACCESS_KEY": "key",
        "SHANBEN_S3_SECRET_KEY": "secret",
    }
    code, done, words = shanben("ingest", deposit, **settings)
    assert code == 0, words
    assert done["works"][0]["images"] == 3
    assert shanben("log", "verify", **settings)[1]["size"] == 4
    before = shanben("status", **settings)[1]
    assert shanben("rebuild", **settings)[1] == {"works": 1, "images": 3, "pyramids_made": 0}
    assert shanben("status", **settings)[1]["log"] == before["log"]


def test_a_bucket_that_is_away_is_told_and_not_waited_for(shanben):
    settings = {"SHANBEN_STORE": "s3://heritage/shanben", "SHANBEN_S3_ENDPOINT": f"http://127.0.0.1:{reserve_port()}"}
    code, _, words = shanben("log", "verify", SHANBEN_S3_ACCESS_KEY="k", SHANBEN_S3_SECRET_KEY="s", **settings)
    assert (code, "Traceback" in words) == (3, False), words


def test_commands_that_start_together_on_an_empty_folder_agree(deposit, tmp_path):
    environment = {**os.environ, "SHANBEN_DATA": str(tmp_path / "var")}
    started = [subprocess.Popen([SHANBEN, "init"], env=environment, stdout=-1, stderr=-1) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0], [process.stderr.read() for process in started]
    for process in started:
        process.communicate()
    assert len(list((tmp_path / "var" / "keys").iterdir())) == 1


def answers(address):
    try:
        with urllib.request.urlopen(f"{address}/health/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
