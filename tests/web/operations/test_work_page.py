"""The staff page of a work lists versions, events and findings, for accounts alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from deposits import write_deposit
from planted_faults import flip
from staff_browser import PASSWORD, Browser

from repository.model.accounts import Role
from repository.paths import ocfl_object
from web.accounts.passwords import Passwords
from web.app import create_app
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks import access as changes
from workers.tasks.delete_decision import request_deletion
from workers.tasks.jobs import access_job, ingest_job, sweep_job


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ("bo 于", "<td>store</td>", "<td>内容改变</td>", "<td>未解决</td>")),
        ("en", ("bo requested the deletion", "<td>store</td>", "<td>changed</td>", "<td>open</td>")),
    ],
)
def test_the_page_shows_the_history_and_a_requested_deletion(
    context: TaskContext, tmp_path: Path, language: str, words: tuple[str, ...]
) -> None:
    repository, passwords = context.repository, Passwords(memory_kib=64, passes=1)
    account = repository.accounts.add("bo", Role.CONSERVATOR, passwords.hash(PASSWORD))
    with local_runner(context) as runner:
        job = runner.run(ingest_job(write_deposit(tmp_path / "book", pages=1)))
        work = str((job.result or {})["identifier"])
        changes.withdraw(repository, work, "x")
        runner.attempt([access_job(work)])
    master = next(iter(repository.store.list(f"{ocfl_object(work)}/v1/content/masters"))).key
    flip(repository.store, master)
    with local_runner(context) as runner:
        runner.run(sweep_job("", work))
    request_deletion(repository, work, account, "x")
    client = create_app(repository, passwords=passwords).test_client()
    path = f"/staff/works/{work}"
    assert client.get(path).status_code == 303
    assert Browser(client).log_in("bo").status_code == 303
    page = client.get(path, headers={"Accept-Language": language}).get_data(as_text=True)
    assert [each for each in words if each not in page] == []
    assert "v1" in page
    assert "v2" in page
    assert datetime(2026, 1, 1, 12, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") in page
    assert client.get("/staff/works/w0000000000000000").status_code == 404
