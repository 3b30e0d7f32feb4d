"""Alarms are recorded, and mailed once through a real mail server, which may demand TLS and a login."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from log_scenarios import publish
from ports import reserve_port
from publications import NOW, publication

from preservation.log.sequencer import record_events
from preservation.log.signing_key import Cosigner
from preservation.reporting.report import report_of_json
from repository.config import Settings
from repository.database.fixity_values import (
    CheckedFile,
    FileClass,
    FileResult,
    FoundFault,
    ListedFile,
    SweepState,
    UnitCheck,
    UnitKind,
    day_of,
)
from repository.database.outbox import Job, JobState
from repository.errors import SettingInvalid
from repository.network.http_client import ServiceUnavailable
from repository.network.mail import parse_mail_server
from repository.repository import Repository, memory_repository
from repository.storage.s3 import memory_store
from workers.bootstrap import prepare_repository
from workers.execution.context import TaskContext
from workers.tasks.alarms import REMIND_DAYS, watch_preservation
from workers.tasks.jobs import watch_job

PASSWORD = "7/yue@liu"
KEY = "ocfl/a/v1/content/masters/1.tif"


@dataclass
class Clock:
    now: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class MailBox:
    """A mail server's handler that keeps what it accepts."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuses: bool = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuses:
            return "451 try later"
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[MailBox, str]]:
    """A mail server on this machine, without TLS; its box and its address."""
    box, port = MailBox(), reserve_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    settings = Settings(
        data=tmp_path / "var", base_url="https://library.example", alarm_mail=("a@x.example", "b@x.example")
    )
    repository = prepare_repository(memory_repository(settings, Clock()))
    repository.catalogue.publish(publication("甲", images=1), [], NOW)
    sweep(repository, None)
    return repository


def sweep(repository: Repository, kind: str | None) -> None:
    """Record a sweep of the primary store that finds this in the master of the work, or nothing."""
    now, work = repository.clock(), repository.catalogue.works()[0].identifier
    begun = repository.sweeps.begin("", "all", now)
    files = (ListedFile("a", FileClass.MASTERS, 1000),)
    unit = repository.fixity.record_listed("", UnitKind.WORK, work, files, version=1, due=day_of(now))
    faults = (FoundFault(KEY, kind, work, "aa" * 32, "bb" * 32),) if kind else ()
    result = FileResult.FAILED if kind else FileResult.PASSED
    checked = (CheckedFile("a", FileClass.MASTERS, 1000, result),)
    repository.fixity.record_checks([UnitCheck(unit.id, begun.id, 1, now, day_of(now) + 90, 1, checked, faults, 1000)])
    repository.sweeps.end(begun.id, SweepState.FINDINGS if kind else SweepState.CLEAN, None, now)


def watch(repository: Repository, **settings: Any) -> dict[str, Any]:
    """Run the job, as a worker does."""
    changed = replace(repository, settings=replace(repository.settings, **settings))
    job = Job(watch_job().key, "alarms", {}, JobState.RUNNING, 1, None, None, "", "")
    return dict(watch_preservation(TaskContext(changed, None), job))  # type: ignore[arg-type]


def test_damage_is_mailed_once_in_both_languages(repository: Repository, mail: tuple[MailBox, str]) -> None:
    box, server = mail
    assert watch(repository, smtp=server) == {"alarms": [], "mailed": []}
    sweep(repository, "changed")
    for _ in range(3):
        assert watch(repository, smtp=server)["alarms"] == ["damage:store"]
    (message,) = box.messages
    assert box.recipients == ["a@x.example", "b@x.example"]
    assert message["Subject"] == "善本保存警报 1 项 / Shanben: 1 preservation alarm"
    assert message["From"] == "shanben@127.0.0.1"
    text = message.get_content()
    assert text.index("主存储有 1 项问题") < text.index("1 unresolved finding in the primary store")
    assert "https://library.example/preservation" in text
    assert KEY not in text


def test_a_cause_that_ended_and_comes_again_is_mailed_again_and_one_that_lasts_each_week(
    repository: Repository, mail: tuple[MailBox, str]
) -> None:
    box, server = mail
    for kind in ("changed", None, "missing"):
        sweep(repository, kind)
        watch(repository, smtp=server)
    assert len(box.messages) == 2
    clock = repository.clock
    assert isinstance(clock, Clock)
    clock.now += timedelta(days=REMIND_DAYS - 1)
    watch(repository, smtp=server)
    assert len(box.messages) == 2
    clock.now += timedelta(days=1)
    watch(repository, smtp=server)
    assert len(box.messages) == 3


def test_mail_that_is_refused_is_sent_later_and_the_alarm_is_known_meanwhile(
    repository: Repository, mail: tuple[MailBox, str]
) -> None:
    box, server = mail
    box.refuses = True
    sweep(repository, "changed")
    with pytest.raises(ServiceUnavailable):
        watch(repository, smtp=server)
    with pytest.raises(ServiceUnavailable):
        watch(repository, smtp=f"smtp://127.0.0.1:{reserve_port()}")
    assert [alarm.key for alarm in repository.reports.alarms().alarms] == ["damage:store"]
    box.refuses = False
    assert watch(repository, smtp=server)["mailed"] == ["damage:store"]


def test_alarms_are_recorded_without_mail_and_addresses_without_a_server_are_refused(repository: Repository) -> None:
    sweep(repository, "changed")
    assert watch(repository, alarm_mail=()) == {"alarms": ["damage:store"], "mailed": []}
    repository.reports.raise_alarms({}, repository.clock().isoformat())
    with pytest.raises(SettingInvalid, match="smtp"):
        watch(repository)
    assert [alarm.key for alarm in repository.reports.alarms().alarms] == ["damage:store"]


def test_server_with_starttls_and_login_is_used_only_with_a_certificate_that_is_trusted(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=mail.example",
         "-addext", "subjectAltName=IP:127.0.0.2", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def authenticate(_server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        is_known = (data.login, data.password) == (b"shanben", PASSWORD.encode())
        return AuthResult(success=is_known, handled=False)  # the server answers, also to a refusal

    box, port = MailBox(), reserve_port()
    controller = Controller(
        box, hostname="127.0.0.2", port=port, tls_context=context, require_starttls=True,
        authenticator=authenticate, auth_required=True,
    )  # fmt: skip
    controller.start()
    try:
        sweep(repository, "changed")
        server = f"smtp://shanben:7%2Fyue%40liu@127.0.0.2:{port}?from=alarms@x.example"
        with pytest.raises(ServiceUnavailable, match="certificate"):
            watch(repository, smtp=server)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pytest.raises(ServiceUnavailable, match="535") as refused:
            watch(repository, smtp=server.replace("liu@", "@"))
        assert "7/yue" not in str(refused.value)
        assert box.messages == []
        assert watch(repository, smtp=server)["mailed"] == ["damage:store"]
        assert box.messages[0]["From"] == "alarms@x.example"
    finally:
        controller.stop()


def test_one_report_is_stored_each_day(repository: Repository) -> None:
    clock = repository.clock
    assert isinstance(clock, Clock)
    for hours in (0, 1, 12, 1, 24):
        clock.now += timedelta(hours=hours)
        watch(repository, alarm_mail=())
    times = repository.reports.times(10)
    assert [time[:10] for time in times] == ["2026-01-03", "2026-01-02", "2026-01-01"]
    found = repository.reports.newest("2026-01-02T23:00:00Z")
    assert found
    assert report_of_json(found[1]).works == 1


def test_witnesses_are_judged_only_while_the_primary_store_is_the_librarys_own(tmp_path: Path) -> None:
    repository = prepare_repository(memory_repository(Settings(data=tmp_path / "var"), Clock()))
    publish(repository, "first")
    record_events(repository)
    sweep(repository, None)
    witness = f"https://witness.example/ {Cosigner('witness.example', bytes(32)).key.line()}"
    unmounted = replace(repository, store=memory_store())

    def alarms(repository: Repository) -> list[str]:
        return list(watch(repository, witnesses=(witness,))["alarms"])

    assert alarms(unmounted) == []
    assert alarms(repository) == ["witness:"]
    assert alarms(unmounted) == ["witness:"]
    assert watch(unmounted)["alarms"] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://host:x",
        "smtp+insecure://a:b@host",
        "smtp://h/p",
        "smtps://a:%E4%B8%83@h",
    ],
)
def test_address_of_a_mail_server_that_cannot_be_used_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        parse_mail_server(text)
    assert "a:b" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtps://u%40x.example:p@mail.example", ("mail.example", 465, "always", "u@x.example", "u@x.example")),
        ("smtp://mail.example", ("mail.example", 587, "starttls", "shanben@mail.example", "")),
        ("smtp://localhost", ("localhost", 25, "never", "shanben@localhost", "")),
        ("smtp+insecure://mail.example", ("mail.example", 25, "never", "shanben@mail.example", "")),
    ],
)
def test_address_of_a_mail_server_says_how_it_is_used(text: str, expected: tuple[Any, ...]) -> None:
    server = parse_mail_server(text)
    assert (server.host, server.port, server.tls, server.sender, server.user) == expected
    assert "password" not in repr(server)
