"""For operators: is the process alive, and can it serve."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from repository import paths
from repository.errors import DatabaseFault, ShanbenError, StoreFault
from repository.repository import Repository
from web.trusted_networks import StaffOnly, is_from_private_network


def blueprint(repository: Repository) -> Blueprint:
    """``live`` answers while the process runs; ``ready`` when the database and the store answer too, else 503."""
    routes = Blueprint("health", __name__, url_prefix="/health")

    @routes.before_request
    def for_our_own_network() -> None:
        if not is_from_private_network(request):
            raise StaffOnly

    @routes.after_request
    def never_kept(answer: Response) -> Response:
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @routes.get("/live")
    def live() -> Response:
        return jsonify(status="ok")

    @routes.get("/ready")
    def ready() -> tuple[Response, int]:
        faults = {name: fault for name, fault in _parts(repository).items() if fault is not None}
        if not faults:
            return jsonify(status="ok", database="ok", store="ok"), 200
        told = {name: faults[name].code if name in faults else "ok" for name in ("database", "store")}
        return jsonify(status="unavailable", **told), 503

    return routes


def _parts(repository: Repository) -> dict[str, ShanbenError | None]:
    return {"database": _database(repository), "store": _store(repository)}


def _database(repository: Repository) -> DatabaseFault | None:
    try:
        repository.catalogue.published_count()
    except DatabaseFault as fault:
        return fault
    return None


def _store(repository: Repository) -> StoreFault | None:
    try:
        repository.store.exists(paths.LOG_CHECKPOINT)
    except StoreFault as fault:
        return fault
    return None
