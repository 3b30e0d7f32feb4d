"""A partner takes a work away as a bag; nobody without the right token does."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import bagit
import pytest
from asgi_client import AsgiClient, AsgiResponse

from iiif_server.asgi_messages import Receive, Scope, Send
from iiif_server.auth.credentials import PARTNER_PREFIX
from iiif_server.urls import bag_path, parse_bag_path
from repository.errors import DigestMismatch
from repository.model.partners import Scope as TokenScope
from repository.model.work import Access, WorkAccess
from web.services.bags import BagApplication
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks import access as changes
from workers.tasks.jobs import ingest_job


@pytest.fixture
def work(context: TaskContext, deposit: Path) -> str:
    with local_runner(context) as runner:
        runner.run(ingest_job(deposit))
    (summary,) = context.repository.catalogue.works(limit=10)
    return summary.identifier


def ask(context: TaskContext, work: str, token: str = "", method: str = "GET", **options: bool) -> AsgiResponse:
    bags = BagApplication(context.repository)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await bags(scope, receive, send, parse_bag_path(scope["path"]) or "")

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with AsgiClient(application) as client:
        return client.request(method, bag_path(work), headers, **options)


def test_bag_is_valid_and_its_token_needed(context: TaskContext, work: str, tmp_path: Path) -> None:
    tokens = context.repository.partner_tokens
    _, token = tokens.create("partner", [TokenScope.EXPORT], PARTNER_PREFIX)
    _, other = tokens.create("other", [TokenScope.HARVEST], PARTNER_PREFIX)
    assert [ask(context, work, each).status for each in ("", "shanben_x", other)] == [401, 401, 403]
    head = ask(context, work, token, "HEAD")
    assert (head.status, head.body, head.headers["cache-control"]) == (200, b"", "private, no-store")
    got = ask(context, work, token)
    with zipfile.ZipFile(io.BytesIO(got.body)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "bag")
    bagit.Bag(str(tmp_path / "bag" / work)).validate()


def test_restricted_work_needs_the_scope_for_its_images_too(context: TaskContext, work: str) -> None:
    tokens = context.repository.partner_tokens
    restricted = WorkAccess(access=Access.RESTRICTED)
    changes.set_level(context.repository, work, restricted, "某家所請")
    _, lesser = tokens.create("lesser", [TokenScope.EXPORT], PARTNER_PREFIX)
    _, whole = tokens.create("whole", [TokenScope.EXPORT, TokenScope.RESTRICTED_IMAGES], PARTNER_PREFIX)
    assert [ask(context, work, each, "HEAD").status for each in (lesser, whole)] == [403, 200]
    held = context.repository.catalogue.access(work)
    assert held
    assert held.access.reason == "某家所請"
    with zipfile.ZipFile(io.BytesIO(ask(context, work, whole).body)) as archive:
        documents = [archive.read(name).decode() for name in archive.namelist() if "/metadata/" in name]
    assert '"access":"restricted"' in "".join(documents)
    assert "某家所請" not in "".join(documents)


def test_work_with_a_redaction_is_given_to_nobody(context: TaskContext, deposit: Path) -> None:
    record = deposit / "work.toml"
    record.write_text(f'{record.read_text()}\n[[page]]\nfile = "0001.tif"\nredact = ["1,1,9,9"]\n')
    with local_runner(context) as runner:
        runner.run(ingest_job(deposit))
    (summary,) = context.repository.catalogue.works(limit=10)
    scopes = [TokenScope.EXPORT, TokenScope.FULL_SIZE, TokenScope.RESTRICTED_IMAGES]
    _, token = context.repository.partner_tokens.create("partner", scopes, PARTNER_PREFIX)
    refused = ask(context, summary.identifier, token)
    assert (refused.status, refused.json()["code"]) == (403, "access.redacted")


def test_damaged_master_breaks_the_response_off(context: TaskContext, work: str) -> None:
    store = context.repository.store
    key = max((entry.key for entry in store.list("ocfl") if entry.key.endswith(".tif")), default="")
    content = store.read(key)
    store.put(key, content[:-1] + bytes([content[-1] ^ 1]))
    _, token = context.repository.partner_tokens.create("partner", [TokenScope.EXPORT], PARTNER_PREFIX)
    broken = ask(context, work, token, keep_error=True)
    assert isinstance(broken.error, DigestMismatch)
    assert not broken.is_complete
