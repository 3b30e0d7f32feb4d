"""The composed WSGI application: the request log and the gate, the image service behind them, Flask behind that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from wsgiref.types import WSGIApplication

from iiif_server.image.service import ImageService
from iiif_server.image.wsgi import ImageApplication
from iiif_server.metrics import Observations
from repository.config import Settings, process_settings
from repository.repository import Repository, open_repository
from web.app import create_app
from web.at_once import AtOnce
from web.gate import Gate
from web.telemetry.damage_reports import DamageReporter
from web.telemetry.scoreboard import Scoreboard
from web.telemetry.wsgi_request_log import WsgiRequestLog


@dataclass(frozen=True, slots=True)
class Watch:
    """What watches the requests of a process: their numbers, shared with other processes, and the damage they meet."""

    observations: Observations
    scoreboard: Scoreboard
    damage: DamageReporter

    @classmethod
    def over(cls, repository: Repository) -> Self:
        """That of a repository. It does nothing of itself before `start`."""
        damage = DamageReporter(repository)
        observations = Observations(damage.report)
        return cls(observations, Scoreboard(repository.settings.metrics, observations), damage)

    def start(self) -> None:
        """Begin the threads that share the numbers and see to the damage."""
        self.scoreboard.start()
        self.damage.start()


@dataclass(frozen=True, slots=True)
class Composed:
    """The whole web application: as WSGI has it, and what of it can be answered without waiting."""

    application: WSGIApplication
    at_once: AtOnce


def compose(repository: Repository, watch: Watch | None = None) -> Composed:
    """The whole web application of a repository; `watch` is one that was begun, if what it sees is to be known."""
    watch = watch or Watch.over(repository)
    pages = create_app(repository, watch.scoreboard).wsgi_app
    service = ImageService(repository, observer=watch.observations)
    gate = Gate(ImageApplication(repository, pages, service))
    log = WsgiRequestLog(gate, watch.observations, repository.settings.request_log)
    return Composed(log, AtOnce(service, log, repository.settings.base_url))


def compose_site(settings: Settings) -> Composed:
    """The same for a process that serves: it counts its requests and has damage mended.

    Its threads begin when all else is there: a process that cannot serve ends at once, with nothing under way.
    """
    repository = open_repository(settings)
    watch = Watch.over(repository)
    site = compose(repository, watch)
    watch.start()
    return site


def create() -> WSGIApplication:
    """What another WSGI server calls once in each of its processes (``web.wsgi:create`` as a factory)."""
    return compose_site(process_settings()).application
