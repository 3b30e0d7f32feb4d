from __future__ import annotations

import json

import pytest

from iiif_server.problems import media_weight, preferred_language, problem, status_of
from repository import errors
from repository.errors import DatabaseFault, NotFound, RequestInvalid, ShanbenError
from repository.localized import Language, LocalizedText


def every_error() -> list[type[ShanbenError]]:
    found, waiting = [], [ShanbenError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.RequestInvalid, 400),
        (errors.AccessRefused, 403),
        (errors.NotFound, 404),
        (errors.IdentifierInvalid, 404),
        (errors.Withdrawn, 410),
        (errors.DepositRefused, 422),
        (errors.PyramidCorrupt, 500),
        (errors.KeyNotFound, 503),
        (errors.DatabaseFault, 503),
    ],
)
def test_error_has_its_status(kind: type[ShanbenError], status: int) -> None:
    assert status_of(kind.__new__(kind)) == status


def test_every_error_class_has_an_error_status() -> None:
    for kind in every_error():
        assert 400 <= status_of(kind.__new__(kind)) <= 599


@pytest.mark.parametrize(
    ("language", "title", "words"),
    [(Language.CHINESE, "请求有误", "尺寸太大"), (Language.ENGLISH, "Bad Request", "too large")],
)
def test_problem_document_has_the_readers_language_and_the_part_at_fault(
    language: Language, title: str, words: str
) -> None:
    document = problem(RequestInvalid(part="size", reason=LocalizedText("尺寸太大", "too large")), language)
    body = json.loads(document.body)
    assert document.status == body["status"] == 400
    assert (body["title"], body["code"], body["part"]) == (title, "request.invalid", "size")
    assert words in body["detail"]
    assert dict(document.headers)["Content-Type"] == "application/problem+json"
    assert dict(document.headers)["Content-Language"] == language.value


def test_problem_document_of_an_internal_error_hides_its_details() -> None:
    document = problem(DatabaseFault(reason="postgresql://user:secret@host"), Language.ENGLISH)
    assert b"secret" not in document.body
    assert document.status == 503
    assert "Retry-After" in dict(document.headers)
    assert b"database" in document.body


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.StoreFault(key="k", reason="away"), "5"),
        (DatabaseFault(reason="away"), "5"),
        (errors.Busy(what="x"), "5"),
        (errors.RenderingBusy(), "5"),
        (errors.KeyNotFound(key="k"), "60"),
        (errors.StoreDenied(key="k", reason="no"), "60"),
    ],
)
def test_system_fault_sets_retry_after_sooner_when_transient(error: ShanbenError, seconds: str) -> None:
    document = problem(error, Language.ENGLISH)
    assert (document.status, dict(document.headers)["Retry-After"]) == (503, seconds)


def test_problem_document_holds_any_text() -> None:
    body = problem(NotFound(what='"\n\\善</script>'), Language.CHINESE).body
    assert '"\n\\善</script>' in json.loads(body)["detail"]


@pytest.mark.parametrize(
    ("accept", "weight"),
    [
        ("application/json", 1.0),
        ("*/*", 1.0),
        ("application/*;q=0.5, */*;q=0.1", 0.5),
        ("application/json;q=0, */*", 0.0),
        ("text/html", 0.0),
        ("application/json ; q=0.25", 0.25),
        ("application/json;q=nonsense", 0.0),
    ],
)
def test_accept_gives_a_media_type_its_weight(accept: str, weight: float) -> None:
    assert media_weight(accept, "application/json") == weight


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, Language.CHINESE),
        ("", Language.CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language.CHINESE),
        ("en-GB,en;q=0.9", Language.ENGLISH),
        ("en;q=0.3, zh-Hant;q=0.7", Language.CHINESE),
        ("fr, de;q=0.8", Language.ENGLISH),
        ("fr, zh;q=0.1", Language.CHINESE),
        ("*", Language.CHINESE),
        ("zh-Hans", Language.CHINESE),
        ("zh-TW, en;q=0.9", Language.CHINESE),
        ("zh-CN;q=0.5, en-GB;q=0.8", Language.ENGLISH),
        ("en-GB, zh-CN", Language.CHINESE),
        ("en;q=0, *", Language.CHINESE),
        ("en;q=x", Language.ENGLISH),
        ("zh;q=0, en;q=0.1", Language.ENGLISH),
        (",;,q=,", Language.ENGLISH),
    ],
)
def test_accept_language_chooses_the_interface_language(header: str | None, language: Language) -> None:
    assert preferred_language(header) is language
