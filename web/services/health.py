"""Liveness and readiness of a web process, for operators and load balancers."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from iiif_server.urls import HEALTH_ROOT
from repository.errors import DatabaseFault, ShanbenError
from repository.repository import Repository
from web.services.store_state import store_fault
from web.trusted_networks import StaffOnly, is_from_private_network


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
        faults = {"database": _database_fault(repository), "store": store_fault(repository)}
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
