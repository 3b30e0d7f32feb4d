"""Our log and a witness that others wrote (the package aics-witness) understand each other.

The package needs Python 3.12 or newer. `make test` installs it where there is one (scripts/independent-witness.sh).
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from command_line import environment
from log_scenarios import publish
from ports import reserve_port
from server_process import ServerProcess, answers
from witness_requests import GrowingLog

from preservation.log.notes import cosigners, parse_verifier_key
from preservation.log.sequencer import open_log, record_events, verifier_key
from preservation.log.witness import Submission
from preservation.log.witnesses import WitnessRound, ask_witnesses, verify_cosigned, witness_policy
from repository.config import Settings
from repository.repository import open_repository
from workers.bootstrap import bootstrap

PROGRAM = Path(__file__).resolve().parents[2] / ".make" / "independent-witness" / "bin" / "aics-witness"
NAME = "partner.example/witness"
ORIGIN = "library.example/log"


@dataclass(frozen=True)
class IndependentWitness:
    """A running witness, which accepts the logs that it was given."""

    port: int
    key: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def submit(self, body: bytes) -> tuple[int, bytes]:
        """Send a request to cosign, and return the status and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/add-checkpoint", body)
        response = connection.getresponse()
        return response.status, response.read()


class Witnesses:
    """Starts independent witnesses in folders of a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers: list[ServerProcess] = []

    def start(self, log_key: str) -> IndependentWitness:
        """Start a witness that accepts one log."""
        port, config = reserve_port(), ["--config", str(self._folder / "witness.json")]
        key = self._run("init", *config, "--name", NAME, "--listen", f"127.0.0.1:{port}").split()[-1]
        self._run("add-log", *config, "--origin", parse_verifier_key(log_key).name, "--vkey", log_key)
        command = [PROGRAM, "serve", *config]
        server = ServerProcess("aics-witness", command, self._folder / "witness.log", environment=environment())
        self.servers.append(server)
        witness = IndependentWitness(port, key)
        server.start(lambda: answers(f"{witness.address}/healthz"))
        return witness

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout


@pytest.fixture
def witnesses(tmp_path: Path) -> Iterator[Witnesses]:
    if not PROGRAM.exists():
        pytest.skip("an independent witness, which needs Python 3.12, is absent: this was not tested")
    started = Witnesses(tmp_path)
    yield started
    for server in started.servers:
        server.stop()


def test_independent_witness_cosigns_growth_and_refuses_forks_rollbacks_and_replays(witnesses: Witnesses) -> None:
    log = GrowingLog(ORIGIN)
    witness = witnesses.start(log.signer.verifier_key)
    status, cosignature = witness.submit(log.submission(0, 5))
    assert status == 200
    assert list(cosigners(log.note(5) + cosignature, [parse_verifier_key(witness.key)])) == [NAME]
    answers_by_request = {
        "a replay": witness.submit(log.submission(0, 5))[0],
        "a rollback": witness.submit(log.submission(3, 4))[0],
        "an old size beyond the checkpoint": witness.submit(Submission(5, (), log.note(4)).content())[0],
        "a fork": witness.submit(log.fork().submission(5, 8))[0],
        "another log": witness.submit(GrowingLog("other.example/log").submission(0, 5))[0],
        "another key": witness.submit(GrowingLog(ORIGIN).submission(5, 8))[0],
        "growth": witness.submit(log.submission(5, 8))[0],
    }
    assert answers_by_request == {
        "a replay": 409,
        "a rollback": 409,
        "an old size beyond the checkpoint": 400,
        "a fork": 422,
        "another log": 404,
        "another key": 403,
        "growth": 200,
    }


def test_library_asks_an_independent_witness_and_is_refused_after_a_rollback(
    tmp_path: Path, witnesses: Witnesses
) -> None:
    settings = Settings(data=tmp_path / "var", log_origin=ORIGIN)
    log_key = verifier_key(bootstrap(settings))
    assert log_key is not None
    witness = witnesses.start(log_key)
    settings = replace(settings, witnesses=(f"{witness.address} {witness.key}",))

    assert publish_and_ask(settings, "one").faults == {}
    shutil.copytree(settings.data, tmp_path / "backup")
    assert publish_and_ask(settings, "two").faults == {}
    repository = open_repository(settings)
    checked = verify_cosigned(repository.store, open_log(repository).key, witness_policy(settings))
    assert (checked.problems, checked.size, list(checked.cosigners)) == ((), 6, [NAME])

    shutil.rmtree(settings.data)
    (tmp_path / "backup").rename(settings.data)
    refused = publish_and_ask(settings, "three")  # as many entries as the witness has cosigned, and others
    assert "status 422" in refused.faults[NAME].en


def publish_and_ask(settings: Settings, name: str) -> WitnessRound:
    """Publish a work of three images, log its events, and ask the witness."""
    repository = open_repository(settings)
    publish(repository, name)
    record_events(repository)
    return ask_witnesses(open_log(repository), repository.store, witness_policy(settings), repository.clock())
