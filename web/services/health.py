"""Liveness and readiness of a web process, for operators and load balancers."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, jsonify, request

from iiif_server.urls import HEALTH_ROOT
from preservation.ocfl.layout import STORAGE_ROOT_DECLARATION
from repository import paths
from repository.errors import DatabaseFault, KeyNotFound, ShanbenError, StoreFault
from repository.repository import Repository
from web.trusted_networks import StaffOnly, is_from_private_network

_STORAGE_ROOT: Final = f"{paths.OCFL_ROOT}/{STORAGE_ROOT_DECLARATION}"


def blueprint(repository: Repository) -> Blueprint:
    """Return the routes, open to this machine and to private networks.

    ``live`` responds with 200 while the process runs. ``ready`` responds with 200 when database and store respond, else
    with 503 and the error code of each.
    """
    routes = Blueprint("health", __name__, url_prefix=HEALTH_ROOT)

    @routes.before_request
    def refuse_public_networks() -> None:
        if not is_from_private_network(request):
            raise StaffOnly

    @routes.after_request
    def forbid_caching(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.get("/live")
    def live() -> Response:
        return jsonify(status="ok")

    @routes.get("/ready")
    def ready() -> tuple[Response, int]:
        faults = {"database": _database_fault(repository), "store": _store_fault(repository)}
        states = {name: fault.code if fault else "ok" for name, fault in faults.items()}
        if any(faults.values()):
            return jsonify(status="unavailable", **states), 503
        return jsonify(status="ok", **states), 200

    return routes


def _database_fault(repository: Repository) -> ShanbenError | None:
    try:
        repository.catalogue.published_count()
    except DatabaseFault as fault:
        return fault
    return None


def _store_fault(repository: Repository) -> ShanbenError | None:
    """Return the store's fault. A store that lost its root, such as an unmounted folder, has no works to serve."""
    try:
        if not repository.store.exists(_STORAGE_ROOT) and repository.catalogue.published_count():
            return KeyNotFound(key=_STORAGE_ROOT)
    except StoreFault as fault:
        return fault
    except DatabaseFault:
        return None  # reported as the database's
    return None
