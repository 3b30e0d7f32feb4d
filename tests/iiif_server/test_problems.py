from __future__ import annotations

import json

import pytest

from iiif_server.problems import matches, media_weight, problem, status_of
from repository import errors
from repository.errors import DatabaseFault, NotFound, RequestInvalid, ShanbenError
from repository.localized import Language, LocalizedText, preferred_language


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
def test_the_status_of_an_error(kind: type[ShanbenError], status: int) -> None:
    assert status_of(kind.__new__(kind)) == status


def test_every_error_of_the_tree_has_a_status() -> None:
    for kind in every_error():
        assert 400 <= status_of(kind.__new__(kind)) <= 599


@pytest.mark.parametrize(
    ("language", "title", "words"),
    [(Language.CHINESE, "请求有误", "尺寸太大"), (Language.ENGLISH, "Bad Request", "too large")],
)
def test_a_problem_speaks_the_readers_language_and_names_the_part(language: Language, title: str, words: str) -> None:
    document = problem(RequestInvalid(part="size", reason=LocalizedText("尺寸太大", "too large")), language)
    body = json.loads(document.body)
    assert document.status == body["status"] == 400
    assert (body["title"], body["code"], body["part"]) == (title, "request.invalid", "size")
    assert words in body["detail"]
    assert dict(document.headers)["Content-Type"] == "application/problem+json"
    assert dict(document.headers)["Content-Language"] == language.value


def test_what_failed_inside_is_not_told_outside() -> None:
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
def test_a_fault_of_the_system_says_when_to_come_again_sooner_if_it_passes_by_itself(
    error: ShanbenError, seconds: str
) -> None:
    document = problem(error, Language.ENGLISH)
    assert (document.status, dict(document.headers)["Retry-After"]) == (503, seconds)


def test_a_problem_survives_any_text() -> None:
    body = problem(NotFound(what='"\n\\善</script>'), Language.CHINESE).body
    assert '"\n\\善</script>' in json.loads(body)["detail"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('"abc-1"', True),
        ('W/"abc-1"', True),
        ('"x", "abc-1"', True),
        ('"x",W/"abc-1","y"', True),
        ("*", True),
        (" * ", True),
        (None, False),
        ("", False),
        ('"abc"', False),
        ('"abc-12"', False),
        ("abc-1", False),
        ('"x, "abc-1', False),
        ('"*"', False),
    ],
)
def test_if_none_match(header: str | None, expected: bool) -> None:
    assert matches(header, '"abc-1"') is expected


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
def test_how_much_a_media_type_is_wanted(accept: str, weight: float) -> None:
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
        ("en;q=x", Language.ENGLISH),
        ("zh;q=0, en;q=0.1", Language.ENGLISH),
        (",;,q=,", Language.ENGLISH),
    ],
)
def test_the_language_of_a_reader(header: str | None, language: Language) -> None:
    assert preferred_language(header) is language
