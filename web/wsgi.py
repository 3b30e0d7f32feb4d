"""The composed WSGI application: the image service in front, Flask behind."""

from __future__ import annotations

from wsgiref.types import WSGIApplication

from iiif_server.image_application import ImageApplication
from repository.config import process_settings
from repository.handle import Repository, open_repository
from web.app import create_app


def compose(repository: Repository) -> WSGIApplication:
    """The whole web application of a repository."""
    return ImageApplication(repository, create_app(repository).wsgi_app)


def create() -> WSGIApplication:
    """What a WSGI server calls once in each of its processes (``web.wsgi:create`` as a factory)."""
    return compose(open_repository(process_settings()))
