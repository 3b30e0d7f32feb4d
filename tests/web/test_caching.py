"""No cache keeps what names a work beyond its withdrawal: every route, by how its responses are cached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from asgi_client import AsgiClient, AsgiResponse
from deposits import write_deposit

from iiif_server.auth.credentials import PARTNER_PREFIX
from iiif_server.image.service import ImageService
from iiif_server.search import local_segments, service
from repository.config import Settings
from repository.model.partners import Scope
from repository.repository import memory_repository
from web.app import create_app
from web.asgi import compose
from web.telemetry.process_metrics import ProcessMetrics
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import LocalRunner, local_runner
from workers.tasks.access import withdraw
from workers.tasks.jobs import access_job, ingest_job

TITLE, TEXT = "試書", "天地玄黃"
KEPT_BY_NOBODY = ("no-store", "private, no-store")
ASKED_FOR_AGAIN = ("no-cache", "public, no-cache", "private, no-cache")

# Routes of one work: refused after its withdrawal.
OF_THE_WORK = {
    "/certificate/<identifier>.html": "/certificate/{work}.html",
    "/certificate/<identifier>.pdf": "/certificate/{work}.pdf",
    "/iiif/autocomplete/1/<work>": "/iiif/autocomplete/1/{work}?q=天",
    "/iiif/autocomplete/2/<work>": "/iiif/autocomplete/2/{work}?q=天",
    "/iiif/presentation/2/<work>/canvas/<int:number>/text": "/iiif/presentation/2/{work}/canvas/1/text",
    "/iiif/presentation/2/<work>/manifest": "/iiif/presentation/2/{work}/manifest",
    "/iiif/presentation/3/<work>/canvas/<int:number>/text": "/iiif/presentation/3/{work}/canvas/1/text",
    "/iiif/presentation/3/<work>/manifest": "/iiif/presentation/3/{work}/manifest",
    "/iiif/search/1/<work>": "/iiif/search/1/{work}?q=天地",
    "/iiif/search/2/<work>": "/iiif/search/2/{work}?q=天地",
    "/oembed": "/oembed?url=https://books.example/works/{work}",
    "/works/<identifier>": "/works/{work}",
    "/works/<identifier>/read": "/works/{work}/read",
    "/works/<identifier>/record.<form>": "/works/{work}/record.mods.xml",
    "/works/<identifier>/record.json": "/works/{work}/record.json",
    "/works/<identifier>/text": "/works/{work}/text",
    "/works/<work>/text.tei.xml": "/works/{work}/text.tei.xml",
    "/works/<work>/text/<int:number>.json": "/works/{work}/text/1.json",
    "/works/<work>/text/<int:number>.txt": "/works/{work}/text/1.txt",
    "/works/<work>/text/<int:number>.xml": "/works/{work}/text/1.xml",
    "(ASGI) book.pdf": "/works/{work}/book.pdf",
    "(ASGI) images.zip": "/works/{work}/images.zip",
    "(ASGI) bag.zip": "/works/{work}/bag.zip",
}
# Routes that list works: they do not name it afterwards.
LISTS = {
    "/": "/",
    "/api/1/search": "/api/1/search?q=天地",
    "/api/1/suggest": "/api/1/suggest?q=試",
    "/iiif/presentation/2/collection/<name>": "/iiif/presentation/2/collection/top",
    "/iiif/presentation/3/collection/<name>": "/iiif/presentation/3/collection/top",
    "/oai": "/oai?verb=ListRecords&metadataPrefix=oai_dc",
    "/search": "/search?q=天地",
    "/sitemap/<int:number>.xml": "/sitemap/1.xml",
    "/works": "/works",
}
# Routes that tell of the withdrawal, or of what the log says of the work for ever.
TELL = {
    "/iiif/discovery/1/changes": "/iiif/discovery/1/changes",
    "/iiif/discovery/1/changes/page/<int:number>": "/iiif/discovery/1/changes/page/0",
    "/log/evidence/<identifier>.zip": "/log/evidence/{work}.zip",
    "/log/proof/<identifier>": "/log/proof/{work}",
    "/verify": "/verify?q={work}",
}
# Routes that name no work to the public. Full pages of the feed are tested in services/test_discovery.py.
OTHERS = {
    "/api/1/openapi.json",
    "/favicon.ico",
    "/health/live",
    "/health/ready",
    "/iiif/auth/2/probe/<image>",
    "/iiif/auth/<any('1', '2'):version>/access/<work>",
    "/iiif/auth/<any('1', '2'):version>/logout",
    "/iiif/auth/<any('1', '2'):version>/token/<work>",
    "/log/<any(key, keys, policy):which>",
    "/log/checkpoint",
    "/log/cosigned",
    "/log/tile/<path:place>",
    "/login",
    "/logout",
    "/metrics",
    "/partners",
    "/partners/<name>",
    "/partners/<name>/<key>",
    "/partners/<name>/<key>/read",
    "/preservation",
    "/preservation/chart/<name>.svg",
    "/preservation/condition",
    "/preservation/findings",
    "/preservation/report.<name>",
    "/read",  # leads to the reader of the work that the request names
    "/robots.txt",
    "/sitemap.xml",
    "/staff",
    "/staff/harvest",
    "/staff/harvest/<name>",
    "/staff/harvest/<name>/<key>",
    "/staff/works/<identifier>",
    "/staff/works/<identifier>/text/<int:number>",
    "/static/<path:filename>",
    "/status",
    "/verify/similar",
}


class Cache(NamedTuple):
    """A cache that has seen every address of the only work of a library, which was withdrawn afterwards."""

    client: AsgiClient
    headers: dict[str, str]
    work: str
    seen: dict[str, AsgiResponse]

    def ask_again(self, address: str) -> AsgiResponse:
        """Ask for an address as a cache does that revalidates what it has."""
        etag = self.seen[address].headers.get("etag", '"none"')
        return self.client.get(address, {**self.headers, "If-None-Match": etag})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> Iterator[Cache]:
    folder = tmp_path_factory.mktemp("library")
    settings = Settings(data=folder / "var", base_url="https://books.example", client_requests=0)
    context = TaskContext(prepare_repository(memory_repository(settings)), examiner)
    deposit = write_deposit(folder / "deposit", 1, TITLE)
    (deposit / "text").mkdir()
    (deposit / "text/0001.txt").write_text(TEXT, "utf-8")
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
        assert job.result
        work = str(job.result["identifier"])
        yield from _withdrawn(context, runner, work)


def _withdrawn(context: TaskContext, runner: LocalRunner, work: str) -> Iterator[Cache]:
    repository = context.repository
    _, token = repository.partner_tokens.create("partner", [Scope.EXPORT], PARTNER_PREFIX)
    headers, images = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}, ImageService(repository)
    every = addresses({**OF_THE_WORK, **LISTS, **TELL}, work)
    with pytest.MonkeyPatch.context() as patched, AsgiClient(compose(repository, images, ProcessMetrics())) as client:
        patched.setattr(local_segments, "FRESH_SECONDS", 0.0)  # a part of the three seconds that are allowed
        patched.setattr(service, "SHOWN_SECONDS", 0.0)
        seen = {address: client.get(address, headers) for address in every}
        withdraw(repository, work, "試")
        runner.attempt([access_job(work)])
        yield Cache(client, headers, work, seen)
    images.close()


def addresses(routes: dict[str, str], work: str) -> list[str]:
    return [address.format(work=work) for address in routes.values()]


def test_every_route_is_classified(cache: Cache, tmp_path: Path) -> None:
    application = create_app(memory_repository(Settings(data=tmp_path)))
    rules = {rule.rule for rule in application.url_map.iter_rules() if "GET" in (rule.methods or ())}
    named = {rule for rule in {**OF_THE_WORK, **LISTS, **TELL} if not rule.startswith("(ASGI)")}
    assert named | OTHERS == rules
    assert not named & OTHERS


def test_nobody_keeps_a_response_that_names_a_work_without_asking_again(cache: Cache) -> None:
    for address, response in cache.seen.items():
        assert response.status == 200, (address, response.status, response.text)
        assert response.headers["cache-control"] in {*KEPT_BY_NOBODY, *ASKED_FOR_AGAIN}, address
        is_public = response.headers["cache-control"] == "public, no-cache"
        assert "etag" in response.headers or not is_public, f"{address} cannot be revalidated"


def test_what_a_cache_has_of_a_withdrawn_work_is_not_confirmed(cache: Cache) -> None:
    for address in addresses(OF_THE_WORK, cache.work):
        again = cache.ask_again(address)
        assert again.status in {404, 410}, (address, again.status)
        assert TITLE not in again.text, address
        assert again.headers["cache-control"] in KEPT_BY_NOBODY, address
    for address in addresses(LISTS, cache.work):
        assert cache.work in cache.seen[address].text or TITLE in cache.seen[address].text, address
        again = cache.ask_again(address)
        assert again.status == 200, (address, again.status)
        assert f"/works/{cache.work}" not in again.text, address
        assert TITLE not in again.text.replace("?q=試", ""), address
    for address in addresses(TELL, cache.work):
        assert cache.ask_again(address).status == 200, address
