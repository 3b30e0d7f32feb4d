"""A byte of a master changes, a file of the replica is lost: the page shows both, and then what was done."""

from __future__ import annotations

import re
from pathlib import Path

from deposits import write_deposit
from flask.testing import FlaskClient
from planted_faults import MASTER, flip

from iiif_server.urls import staff_work_path
from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.model.accounts import Role
from repository.paths import ocfl_object
from repository.repository import open_repository
from web.app import create_app
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ALL, ingest_job, repair_work_job, sweep_job, watch_job


class Night:
    """A repository with a replica, and the jobs that run while nobody looks."""

    def __init__(self, folder: Path, examiner: ChildDepositExaminer) -> None:
        settings = Settings(data=folder / "var", replicas=(str(folder / "copy"),))
        self.repository = prepare_repository(open_repository(settings))
        self.context = TaskContext(self.repository, examiner)
        (self.replica,) = self.repository.replicas
        self.work = str(self.run(ingest_job(write_deposit(folder / "book", 2, "論語集解")))["identifier"])

    def run(self, job: NewJob) -> dict[str, object]:
        with local_runner(self.context) as runner:
            ended = runner.run(job)
        assert ended.state is JobState.DONE, ended.result
        return dict(ended.result or {})

    def sweep(self) -> None:
        for store in ("", self.replica):
            self.run(sweep_job(store, ALL))
        self.run(watch_job())

    def staff(self) -> FlaskClient:
        self.repository.accounts.add("conservator", Role.CONSERVATOR, "$argon2id$none")
        client = create_app(self.repository).test_client()
        with client.session_transaction() as session:
            session["login"] = self.repository.account_sessions.start("conservator")
        return client


def test_damage_of_the_night_is_on_the_page_of_the_morning_with_what_was_done(
    tmp_path: Path, examiner: ChildDepositExaminer
) -> None:
    night = Night(tmp_path, examiner)
    staff, root = night.staff(), ocfl_object(night.work)
    master, lost = f"{root}/{MASTER}", f"{root}/v1/content/masters/0001.tif"
    assert "一切正常。" not in staff.get("/preservation").text, "nothing was checked yet"
    flip(night.repository.store, master)
    night.repository.replicas[night.replica].delete(lost)
    night.sweep()
    page = staff.get("/preservation").text
    assert "有 2 项问题尚未解决。" in page
    assert f"store: {master}" in page
    assert f"copy: {lost}" in page
    assert f'href="{staff_work_path(night.work)}"' in page
    assert "存储 copy 有 1 项问题尚未解决" in staff.get("/staff").text
    night.run(repair_work_job(night.work))
    night.sweep()
    page = staff.get("/preservation").text
    assert "一切正常。" in page
    assert sorted(re.findall(r"完好内容取自 (\w+)", page)) == ["copy", "store"]
    assert 'class="alarms"' not in staff.get("/staff").text
