"""Three witnesses in processes of their own, and a library that asks them: forks, rollbacks, replays, dead ones."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import SHANBEN, ShanbenHere, environment
from log_scenarios import publication, publish
from ports import reserve_port
from server_process import ServerProcess, answers
from witness_requests import GrowingLog

from preservation.log.notes import cosigners, parse_verifier_key
from preservation.log.sequencer import open_log, record_events, verifier_key
from preservation.log.witness import Submission
from preservation.log.witnesses import (
    WitnessRound,
    ask_witnesses,
    read_witness_states,
    verify_cosigned,
    witness_policy,
)
from repository.config import Settings
from repository.repository import Repository, open_repository
from workers.bootstrap import bootstrap

ORIGIN = "library.example/log"


class WitnessProcess:
    """`shanben witness` in a folder, for the logs of the given keys."""

    def __init__(self, folder: Path, name: str, *keys: str) -> None:
        folder.mkdir()
        (folder / "logs").write_text("".join(f"{key}\n" for key in keys))
        self.port = reserve_port()
        self.address = f"http://127.0.0.1:{self.port}"
        listen = f"127.0.0.1:{self.port}"
        command = [SHANBEN, "witness", "--listen", listen, "--data", folder, "--name", name]
        self.process = ServerProcess(name, command, folder / "witness.log", environment=environment())
        self.folder = folder

    def start(self) -> str:
        """Start it, and return its verifier key."""
        self.process.start(lambda: answers(f"{self.address}/key"))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/key")
        return connection.getresponse().read().decode().strip()

    def submit(self, body: bytes) -> tuple[int, bytes]:
        """Send a request to cosign, and return the status and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/add-checkpoint", body)
        response = connection.getresponse()
        return response.status, response.read()


@pytest.fixture
def witness_processes(tmp_path: Path) -> Iterator[list[WitnessProcess]]:
    """Processes that a test adds, and which end with it."""
    started: list[WitnessProcess] = []
    yield started
    for each in started:
        each.process.kill()


def test_witness_keeps_its_promise_through_restarts_and_kills(
    tmp_path: Path, witness_processes: list[WitnessProcess]
) -> None:
    log = GrowingLog()
    process = WitnessProcess(tmp_path / "w1", "w1.example", log.signer.verifier_key)
    witness_processes.append(process)
    key = parse_verifier_key(process.start())
    status, cosignature = process.submit(log.submission(0, 5))
    assert status == 200
    assert list(cosigners(log.note(5) + cosignature, [key])) == ["w1.example"]

    process.process.kill()
    assert process.start() == key.line()
    assert process.submit(log.submission(0, 5)) == (409, b"5\n")  # a replay
    assert process.submit(log.submission(3, 4)) == (409, b"5\n")  # a rollback
    assert process.submit(Submission(5, (), log.note(4)).content())[0] == 400
    assert process.submit(log.fork().submission(5, 8))[0] == 422
    assert process.submit(log.fork().submission(0, 8)) == (409, b"5\n")
    assert process.submit(log.submission(5, 8))[0] == 200
    second = subprocess.run(process.process.command, capture_output=True, timeout=60, env=environment())
    assert second.returncode == 3, "two processes must not use one folder"


class Library:
    """A library whose log three witnesses watch."""

    def __init__(self, folder: Path, processes: list[WitnessProcess]) -> None:
        self.settings = Settings(data=folder / "var", log_origin=ORIGIN)
        key = verifier_key(bootstrap(self.settings))
        processes += [WitnessProcess(folder / f"w{number}", f"w{number}.example", key) for number in range(1, 4)]
        with ThreadPoolExecutor() as executor:
            self.keys = list(executor.map(WitnessProcess.start, processes))
        items = (f"{process.address} {key}" for process, key in zip(processes, self.keys, strict=True))
        self.settings = replace(self.settings, witnesses=tuple(items))
        self.command = ShanbenHere(folder, log_origin=ORIGIN, witnesses=",".join(self.settings.witnesses))

    @property
    def repository(self) -> Repository:
        """The library as it is on the disk now."""
        return open_repository(self.settings)

    def publish(self, name: str) -> WitnessRound:
        """Publish a work of three images, log its events, and ask the witnesses."""
        repository = self.repository
        publish(repository, name)
        record_events(repository)
        policy = witness_policy(self.settings)
        return ask_witnesses(open_log(repository), repository.store, policy, repository.clock())

    def cosigned(self) -> tuple[int, list[str]]:
        """Return the size of the published cosigned checkpoint, and who cosigned it."""
        repository = self.repository
        checked = verify_cosigned(repository.store, open_log(repository).key, witness_policy(self.settings))
        assert checked.problems == ()
        return checked.size, list(checked.cosigners)

    def sizes(self) -> list[int]:
        """Return the size that each witness cosigned."""
        return [state.size for state in read_witness_states(self.repository)]


NAMES = ["w1.example", "w2.example", "w3.example"]


def test_library_publishes_what_a_quorum_cosigned_while_witnesses_die_and_return(
    tmp_path: Path, witness_processes: list[WitnessProcess]
) -> None:
    library = Library(tmp_path, witness_processes)
    assert library.publish("one").faults == {}
    assert library.cosigned() == (3, NAMES)

    witness_processes[2].process.kill()
    assert list(library.publish("two").faults) == ["w3.example"]
    assert library.cosigned() == (6, NAMES[:2])
    assert library.sizes() == [6, 6, 3]

    witness_processes[1].process.kill()
    done = library.publish("three")  # no quorum: the log goes on, and the cosigned checkpoint stays
    assert (done.size, done.cosigned, sorted(done.faults)) == (9, 6, NAMES[1:])
    assert library.cosigned() == (6, NAMES[:2])

    for process in witness_processes[1:]:
        process.start()
    assert library.publish("four").faults == {}
    assert library.cosigned() == (12, NAMES)
    assert library.sizes() == [12, 12, 12]
    assert_commands_show_the_cosignatures(library, tmp_path)


def assert_commands_show_the_cosignatures(library: Library, folder: Path) -> None:
    image = str(publication("four").events[0].image)
    verified = library.command.run_json("log", "verify")
    assert (verified.code, verified.document["ok"], verified.document["cosigned"]["size"]) == (0, True, 12)
    assert [item["name"] for item in verified.document["cosigned"]["witnesses"]] == NAMES
    file = folder / "evidence.tlog-proof"
    assert library.command.run("log", "prove", image, "-o", file).code == 0
    checked = library.command.run_json("log", "check", file, "--quorum", "3")
    assert checked.code == 0, checked.errors
    assert [item["name"] for item in checked.document["witnesses"]] == NAMES
    too_few = library.command.run("log", "check", file, "--witness", library.keys[0], "--quorum", "2")
    assert too_few.code == 1, too_few.errors


def test_witnesses_refuse_a_library_whose_log_was_rolled_back(
    tmp_path: Path, witness_processes: list[WitnessProcess]
) -> None:
    library = Library(tmp_path, witness_processes)
    library.publish("one")
    shutil.copytree(tmp_path / "var", tmp_path / "backup")
    library.publish("two")
    shutil.rmtree(tmp_path / "var")
    (tmp_path / "backup").rename(tmp_path / "var")
    done = library.publish("three")  # as many entries as the witnesses have cosigned, and others
    assert (done.size, done.cosigned) == (6, 3)
    assert ["status 422" in reason.en for reason in done.faults.values()] == [True, True, True]
    shutil.rmtree(tmp_path / "var" / "store" / "log" / "witnesses")
    repository = library.repository
    again = ask_witnesses(open_log(repository), repository.store, witness_policy(library.settings), repository.clock())
    assert ["status 422" in reason.en for reason in again.faults.values()] == [True, True, True]
