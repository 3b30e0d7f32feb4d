"""What a child that was taken over tries, against each layer of the boundary alone and against all together.

Every attempt is first made by a child without any layer, where it succeeds: so a refusal is the work of the layer.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ports import reserve_port
from sandbox_functions import ATTEMPTS, FUNCTIONS, LIST_FOLDER, OPEN_FILE, OWN_ENVIRONMENT, READ_MEMORY

from repository.errors import SandboxFailed
from repository.sandbox import landlock, seccomp
from repository.sandbox.functions import Layer, Quota, SandboxFunction, SandboxNotStarted
from repository.sandbox.pool import LAYERS, SandboxPool

pytestmark = pytest.mark.slow

SECRET = ctypes.create_string_buffer(b"a secret in RAM")

CAUGHT: dict[Layer, set[str]] = {
    Layer.USER: {
        *("signing key", "environment of the parent", "create_file", "list_folder", "open_socket", "connect"),
        *("send_datagram", "run_program", "send_signal", "attach", "read_memory"),
    },
    Layer.LANDLOCK: {
        *("signing key", "environment of the parent", "create_file", "list_folder", "connect", "run_program"),
        *("send_signal", "attach", "read_memory"),
    },
    Layer.SECCOMP: {
        *("signing key", "environment of the parent", "create_file", "list_folder", "open_socket", "connect"),
        *("send_datagram", "run_program", "fork", "send_signal", "attach", "read_memory"),
    },
}
"""What each layer alone refuses, on a kernel with version 6 of Landlock; docs/operators.md has the same table."""

EVERYTHING = set().union(*CAUGHT.values())


@dataclass
class Targets:
    """What the attempts reach for."""

    key: Path
    folder: Path
    socket: Path
    port: int
    victim: int

    def attempt(self, name: str) -> tuple[SandboxFunction[Any], tuple[object, ...]]:
        """Return the function of an attempt and its arguments."""
        arguments: dict[str, tuple[SandboxFunction[Any], object, ...]] = {
            "signing key": (OPEN_FILE, str(self.key)),
            "environment of the parent": (OPEN_FILE, f"/proc/{os.getpid()}/environ"),
            "list_folder": (LIST_FOLDER, str(self.folder)),
            "create_file": (ATTEMPTS["create_file"], str(self.folder / "made")),
            "open_socket": (ATTEMPTS["open_socket"], str(self.socket)),
            "connect": (ATTEMPTS["connect"], self.port),
            "send_datagram": (ATTEMPTS["send_datagram"], self.port),
            "run_program": (ATTEMPTS["run_program"], str(self.folder / "run")),
            "fork": (ATTEMPTS["fork"],),
            "send_signal": (ATTEMPTS["send_signal"], self.victim),
            "attach": (ATTEMPTS["attach"], self.victim),
            "read_memory": (READ_MEMORY, os.getpid(), ctypes.addressof(SECRET)),
        }
        function, *rest = arguments[name]
        return function, tuple(rest)


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[Targets]:
    key = tmp_path / "signing.key"
    key.write_text("PRIVATE KEY")
    os.chmod(key, 0o600)
    with ExitStack() as stack:
        stream, local = stack.enter_context(socket.socket()), stack.enter_context(socket.socket(socket.AF_UNIX))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stream.bind(("127.0.0.1", reserve_port()))
        stream.listen()
        os.chdir(tmp_path)  # the path of a socket has at most 108 bytes
        local.bind("socket")
        local.listen()
        victim = stack.enter_context(subprocess.Popen(["sleep", "60"]))
        stack.callback(victim.kill)
        yield Targets(key, tmp_path, Path("socket"), stream.getsockname()[1], victim.pid)


@pytest.fixture(autouse=True)
def _return_to_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())


def is_offered(layer: Layer) -> bool:
    if layer is Layer.USER:
        return os.geteuid() == 0
    return landlock.version() >= 6 if layer is Layer.LANDLOCK else seccomp.is_offered()


def pool_with(scratch: Path, layers: tuple[Layer, ...]) -> SandboxPool:
    return SandboxPool(FUNCTIONS, 1, scratch, Quota(seconds=20), layers)


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_an_attempt_succeeds_without_any_layer(name: str, targets: Targets, tmp_path: Path) -> None:
    function, arguments = targets.attempt(name)
    with pool_with(tmp_path, ()) as pool:
        assert pool.active_layers() == ()
        pool.call(function, *arguments)


@pytest.mark.parametrize("layer", Layer)
def test_each_layer_alone_refuses_what_it_can(layer: Layer, targets: Targets, tmp_path: Path) -> None:
    if not is_offered(layer):
        pytest.skip(f"{layer} is not offered here")
    with pool_with(tmp_path, (layer,)) as pool:
        assert pool.active_layers() == (layer,)
        refused = {name for name in EVERYTHING if is_refused(pool, targets, name)}
    assert refused == CAUGHT[layer]


def test_all_layers_together_refuse_everything(targets: Targets, tmp_path: Path) -> None:
    if not any(is_offered(layer) for layer in (Layer.LANDLOCK, Layer.SECCOMP)):
        pytest.skip("the kernel offers neither Landlock nor seccomp")
    with pool_with(tmp_path, LAYERS) as pool:
        assert set(pool.active_layers()) == {layer for layer in Layer if is_offered(layer)}
        assert {name for name in EVERYTHING if is_refused(pool, targets, name)} == EVERYTHING
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "run").exists()


def is_refused(pool: SandboxPool, targets: Targets, name: str) -> bool:
    function, arguments = targets.attempt(name)
    try:
        pool.call(function, *arguments)
    except SandboxFailed as failure:
        reason = str(failure.details["reason"])
        assert "Error" in reason, f"{name}: {reason}"
        return True
    return False


def test_a_child_has_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_S3_SECRET_KEY", "secret")
    monkeypatch.setenv("SHANBEN_DATABASE", "postgresql://shanben:secret@db/shanben")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    with pool_with(tmp_path, ()) as pool:
        environment = pool.call(OWN_ENVIRONMENT)
    assert set(environment) <= {"VIPS_CONCURRENCY", "OPENBLAS_NUM_THREADS", "LC_CTYPE"}


def test_a_child_whose_modules_have_started_threads_does_not_run(
    tmp_path: Path,
) -> None:
    """Landlock would not bind those threads."""
    if not is_offered(Layer.LANDLOCK):
        pytest.skip("Landlock is not offered here")
    function = SandboxFunction("thread_at_import", "answer", int)
    with (
        SandboxPool([function], 1, tmp_path, Quota(seconds=20)) as pool,
        pytest.raises(SandboxNotStarted, match="threads"),
    ):
        pool.call(function)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_filter_is_a_whole_program_for_each_architecture(machine: str) -> None:
    code = seccomp.program(machine, 1)
    assert len(code) % 8 == 0
    assert len(code) // 8 < 4096  # BPF_MAXINSNS
    for position in range(0, len(code), 8):
        operation, if_true, if_false = code[position], code[position + 2], code[position + 3]
        if operation == 0x15:
            assert position // 8 + 1 + max(if_true, if_false) < len(code) // 8
    assert code[-8] == 0x06
