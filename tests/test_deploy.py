"""The deployment files are consistent: every file, setting and service they name exists. No container is started."""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prerequisites import require

from repository.config import PREFIX, Settings, read_settings
from web.cli.main import main

PROJECT = Path(__file__).resolve().parents[1]
DEPLOY = PROJECT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")
SETTINGS = {PREFIX + field.name.upper() for field in fields(Settings)}
OURS = ("init", "web", "worker")
DIGEST = "(@sha256:[0-9a-f]{64})?"
UNITS = ("shanben-web.service", "shanben-worker@.service", "shanben.target")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    assert isinstance(document, dict)
    return document


def variables(text: str) -> dict[str, str]:
    """Return the variables that a file sets."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def interpolated(text: str) -> str:
    """Return `text` with Compose's variables set as in the example."""
    values = variables((DEPLOY / "compose.env.example").read_text("utf-8"))

    def fill(match: re.Match[str]) -> str:
        assert match[1] in values, f"{match[1]} is not in compose.env.example"
        return values[match[1]]

    return re.sub(r"\$\{([A-Z_]+)(?::[?-][^}]*)?\}", fill, text.replace("$$", "\0")).replace("\0", "$")


def assert_runs(arguments: list[str]) -> None:
    """Assert that the command line accepts these arguments; the command parses them and does not run."""
    group: click.Command = main
    while isinstance(group, click.Group):
        name, *arguments = arguments
        command = group.get_command(click.Context(group), name)
        assert command is not None, name
        group = command
    group.make_context("shanben", arguments)


def test_every_service_depends_on_existing_services_by_a_condition_they_can_meet(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"postgres", "redis", "s3", *OURS, "nginx"}
    for name, service in services.items():
        for needed_service, how in service.get("depends_on", {}).items():
            ends = services[needed_service]["restart"].startswith("on-failure")
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name


def test_every_permanent_service_has_a_health_check_and_restarts(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert re.fullmatch(rf"[\w./-]+:\d+\.[\w.-]+{DIGEST}", service["image"]), f"{name} is not pinned to a version"
        if name == "init":
            continue
        assert service["restart"] == "unless-stopped", name
        check = service["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert {"interval", "timeout", "retries"} <= check.keys(), name


def test_only_the_edge_publishes_ports(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["nginx"]
    assert compose["networks"]["inner"]["internal"] is True
    assert compose["services"]["nginx"]["networks"] == ["outer"]


def test_every_volume_network_and_configuration_is_declared_and_used(compose: dict[str, Any]) -> None:
    used: dict[str, set[str]] = {"volumes": set(), "networks": set(), "configs": set()}
    for service in compose["services"].values():
        mounts = [volume.split(":")[0] for volume in service.get("volumes", ())]
        used["volumes"] |= {source for source in mounts if not source.startswith(("/", "$"))}
        used["networks"] |= set(service["networks"])
        used["configs"] |= {configuration["source"] for configuration in service.get("configs", ())}
    assert {kind: set(compose[kind]) for kind in used} == used


def test_the_settings_of_the_containers_are_valid(compose: dict[str, Any]) -> None:
    for name in OURS:
        environment = compose["services"][name]["environment"]
        assert environment.keys() <= SETTINGS
        settings = read_settings({key: interpolated(value) for key, value in environment.items()})
        assert settings.database_url.startswith("postgresql+psycopg://shanben:")
        assert settings.store_url.startswith("s3://")
        assert settings.base_url == "https://library.example"
        hosts = {re.sub(r"^.*?//(.*@)?|:.*$", "", text) for text in (settings.s3_endpoint, settings.broker)}
        assert hosts <= compose["services"].keys()


def test_the_files_contain_no_secret_and_require_every_one(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    secret = [line for line in text.splitlines() if re.search(r"PASSWORD:|_KEY:|Key\":", line)]
    assert len(secret) >= 6
    assert [line for line in secret if ":?" not in line] == []
    assert variables((DEPLOY / "compose.env.example").read_text()).keys() == set(re.findall(r"\$\{([A-Z_]+)", text))
    assert json.loads(interpolated(compose["configs"]["s3"]["content"]))["identities"][0]["credentials"]


def test_containers_run_existing_commands(compose: dict[str, Any]) -> None:
    for name in OURS:
        assert_runs(compose["services"][name]["command"])
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", CONTAINERFILE, re.MULTILINE)
    (default,) = re.findall(r"^CMD (.*)$", CONTAINERFILE, re.MULTILINE)
    assert json.loads(entry) == ["shanben"]
    assert_runs(json.loads(default))


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Containerfile: its name and the rest, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.MULTILINE))
    pairs = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return [(name, rest) for name, rest in pairs]


def test_files_copied_into_an_image_exist_and_are_not_ignored() -> None:
    stages = {rest.rpartition(" AS ")[2] for name, rest in instructions() if name == "FROM"}
    lines = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    included = [line[1:] for line in lines if line.startswith("!")]
    copied = [shlex.split(rest) for name, rest in instructions() if name == "COPY"]
    assert len(copied) > 12
    for first, *others in copied:
        if first.startswith("--from="):
            assert first.removeprefix("--from=") in stages
            continue
        for source in (first, *others)[:-1]:
            assert list(PROJECT.glob(source.removeprefix("./"))), source
            assert any(source == path or source.startswith(f"{path}/") for path in included), f"{source} is left out"


def test_every_module_of_the_project_is_in_the_image() -> None:
    configuration = configparser.ConfigParser()
    configuration.read(PROJECT / "setup.cfg", "utf-8")
    packages = [pattern.removesuffix("*") for pattern in configuration["options.packages.find"]["include"].split()]
    sources = [shlex.split(rest)[0] for name, rest in instructions() if name == "COPY"]
    modules = [path for name in packages for path in (PROJECT / name).rglob("*.py") if "node_modules" not in path.parts]
    assert len(modules) > 100
    missing = [
        str(path.relative_to(PROJECT))
        for path in modules
        if not any(path.is_relative_to(PROJECT / source) for source in sources)
    ]
    assert missing == []


def test_images_have_pinned_bases_and_run_without_privileges(compose: dict[str, Any]) -> None:
    known = [name for name, _ in instructions()]
    assert set(known) <= {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
    }
    bases = [rest.partition(" AS ")[0] for name, rest in instructions() if name == "FROM"]
    assert all(re.fullmatch(rf"docker\.io/library/\w+:\d+\.\d+\.\d+-[\w-]+{DIGEST}", base) for base in bases)
    stage = CONTAINERFILE.partition("AS shanben\n")[2].partition("\nFROM ")[0]
    assert re.search(r"^USER shanben$", stage, re.MULTILINE)
    for name in OURS:
        service = compose["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["build"]["target"] == "shanben"
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_every_python_package_is_locked_with_hashes_and_installed_by_them() -> None:
    for name in ("requirements.lock", "requirements-ocr.lock", "requirements-test.lock", "requirements-build.lock"):
        lines = (PROJECT / name).read_text().replace("\\\n", " ").splitlines()
        assert lines
        for line in lines:
            pattern = r"[a-z0-9-]+==[\w.]+( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+"
            assert re.fullmatch(pattern, line), line[:100]
    installs = [*(PROJECT / "Makefile").read_text().splitlines(), *CONTAINERFILE.replace("\\\n", " ").splitlines()]
    installs = [line for line in installs if "--requirement" in line or "--editable" in line]
    assert len(installs) == 6
    for line in installs:
        assert "--require-hashes" in line or "$(LOCKED)" in line or "--no-deps --no-build-isolation" in line, line


def test_images_are_pinned_to_what_the_registry_has(tmp_path: Path) -> None:
    """skopeo is replaced by a program that names a digest for each image: tests reach no registry."""
    program = tmp_path / "skopeo"
    program.write_text('#!/bin/sh\necho "sha256:$(printf %s "$4" | sha256sum | cut -c1-64)"\n')
    program.chmod(0o755)
    files = [shutil.copy(DEPLOY / name, tmp_path) for name in ("Containerfile", "compose.yaml")]
    unpinned = [Path(file).read_text() for file in files]
    for _ in range(2):  # the second run changes nothing
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = [PROJECT / "scripts/lock-images.sh", *files]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert len(done.stdout.splitlines()) == 6
        for file, before in zip(files, unpinned, strict=True):
            text = Path(file).read_text()
            images = re.findall(r"docker\.io/\S+", text)
            assert images
            for image in images:
                name, _, digest = image.partition("@sha256:")
                assert digest == hashlib.sha256(f"docker://{name}".encode()).hexdigest()
            assert re.sub("@sha256:[0-9a-f]{64}", "", text) == re.sub("@sha256:[0-9a-f]{64}", "", before)


def test_the_containers_site_differs_from_the_machines_by_names_alone() -> None:
    """The image's own `sed` is run on the file it is run on there."""
    (command,) = [rest for name, rest in instructions() if name == "RUN" and "site.conf" in rest]
    arguments = shlex.split(command.partition("&& sed ")[2].partition(" /etc/nginx")[0])
    site = (DEPLOY / "edge/site.conf").read_text()
    done = subprocess.run(["sed", *arguments], input=site, capture_output=True, text=True, check=True).stdout
    assert "server web:8000 resolve;" in done
    assert done.count("server_name ${PUBLIC_NAME};") == site.count("server_name library.example;") == 2
    assert re.findall(r"\$\{\w+\}", done) == ["${PUBLIC_NAME}"] * done.count("${")
    assert "127.0.0.1:8000" not in re.sub(r"^#.*$", "", done, flags=re.MULTILINE)


def unit(name: str) -> dict[str, list[tuple[str, str]]]:
    """The sections of a systemd unit, whose keys may come more than once."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            sections[match[1]] = []
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            sections[list(sections)[-1]].append((key, value))
    return sections


@pytest.mark.parametrize("name", UNITS[:2])
def test_a_unit_runs_an_existing_command_restarts_and_has_few_privileges(name: str) -> None:
    service = dict(unit(name)["Service"])
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == "/opt/shanben/.venv/bin/shanben"
    assert_runs(arguments)
    assert (service["Restart"], service["KillMode"], service["User"]) == ("always", "mixed", "shanben")
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == ("strict", "yes")
    assert (
        service["StateDirectory"]
        == Path(dict(word.split("=") for word in service["Environment"].split())["SHANBEN_DATA"]).name
    )
    assert dict(unit(name)["Install"])["WantedBy"] == dict(unit(name)["Unit"])["PartOf"] == "shanben.target"


def test_the_stop_timeout_of_a_worker_exceeds_the_longest_decoding() -> None:
    minutes = int(dict(unit("shanben-worker@.service")["Service"])["TimeoutStopSec"].removesuffix("min"))
    assert minutes * 60 > Settings().decode_seconds


def test_the_example_settings_are_valid() -> None:
    text = (DEPLOY / "example.env").read_text("utf-8")
    everything = variables(re.sub(r"^#(SHANBEN_)", r"\1", text, flags=re.MULTILINE))
    assert everything.keys() <= SETTINGS
    assert read_settings(everything).replicas[0].startswith("s3://")


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    analyze = require(shutil.which("systemd-analyze"), "systemd-analyze (Debian's package systemd)")
    program = tmp_path / "shanben"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        documentation = text.replace("file:///opt/shanben", f"file://{PROJECT}")
        (tmp_path / name).write_text(documentation.replace("/opt/shanben/.venv/bin/shanben", str(program)))
    command = [analyze, "verify", "--man=no", *(tmp_path / name.replace("@", "@1") for name in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    assert (done.returncode, [line for line in done.stderr.splitlines() if "shanben" in line]) == (0, []), done.stderr


def test_systemd_creates_the_folders(tmp_path: Path) -> None:
    tmpfiles = require(shutil.which("systemd-tmpfiles"), "systemd-tmpfiles (Debian's package systemd)")
    own = f"{os.getuid()}:{os.getgid()}"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "".join(f"{name}:x:{own}::/:/bin/sh\n" for name in ("root", "shanben", "www-data"))
    )
    (tmp_path / "etc/group").write_text(
        "".join(f"{name}:x:{os.getgid()}:\n" for name in ("root", "shanben", "www-data"))
    )
    configuration = DEPLOY / "systemd/shanben.tmpfiles.conf"
    subprocess.run([tmpfiles, "--create", f"--root={tmp_path}", configuration], check=True)
    assert (tmp_path / "var/cache/shanben-edge").is_dir()
    assert (tmp_path / "etc/shanben").stat().st_mode & 0o777 == 0o750


def test_nginx_includes_each_file_of_the_edge() -> None:
    texts = {path.name: path.read_text() for path in [DEPLOY / "nginx.conf", *(DEPLOY / "edge").glob("*.conf")]}
    included = {name for text in texts.values() for name in re.findall(r"^\s*include edge/(\S+);", text, re.MULTILINE)}
    assert included == texts.keys() - {"nginx.conf"}
    pages = re.search(r"map \$status \$refusal_page \{(.*?)\}", texts["nginx.conf"], re.DOTALL)
    assert pages
    assert set(re.findall(r"(\w+);", pages[1])) == {path.stem for path in (DEPLOY / "edge/pages").iterdir()}
