"""The HTTP interface of C2SP tlog-witness: https://c2sp.org/tlog-witness .

The submission prefix and the monitoring prefix are the root of the server. Statuses are those of "add-checkpoint".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from flask import Flask, Response, request

from preservation.log.notes import LONGEST_NOTE
from preservation.log.witness import Verdict
from repository.errors import ShanbenError
from web.witness.state import WitnessFolder

_LOG: Final = logging.getLogger("shanben.witness")
_TEXT: Final = "text/plain; charset=utf-8"
_SIZE: Final = "text/x.tlog.size"
_LONGEST_BODY: Final = LONGEST_NOTE + 4096
_STATUSES: Final[Mapping[Verdict, int]] = {
    Verdict.MALFORMED: 400,
    Verdict.NOT_SIGNED: 403,
    Verdict.UNKNOWN_LOG: 404,
    Verdict.OTHER_SIZE: 409,
    Verdict.INCONSISTENT: 422,
}


def create_witness(state: WitnessFolder) -> Flask:
    """Return the WSGI application of a witness."""
    application = Flask(__name__, static_folder=None)
    application.config["MAX_CONTENT_LENGTH"] = _LONGEST_BODY

    @application.post("/add-checkpoint")
    def add_checkpoint() -> Response:
        judgement, cosignature = state.submit(request.get_data())
        if cosignature is not None:
            return Response(cosignature.line(), content_type=_TEXT)
        if judgement.verdict is Verdict.OTHER_SIZE:
            return Response(f"{judgement.size}\n", 409, content_type=_SIZE)
        return Response(f"{judgement.verdict.value}\n", _STATUSES[judgement.verdict], content_type=_TEXT)

    @application.get("/<digest>/checkpoint")
    def checkpoint(digest: str) -> Response:
        content = state.checkpoint(digest)
        if content is None:
            return Response("unknown-log\n", 404, content_type=_TEXT)
        return Response(content, content_type=_TEXT, headers={"Cache-Control": "public, max-age=10"})

    @application.get("/key")
    def key() -> Response:
        return Response(f"{state.verifier_key}\n", content_type=_TEXT)

    @application.errorhandler(ShanbenError)
    def failed(fault: ShanbenError) -> Response:
        _LOG.error("%s", fault)
        return Response("the witness cannot answer now\n", 500, content_type=_TEXT)

    return application
