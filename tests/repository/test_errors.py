from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from repository import errors
from repository.errors import Busy, DepositRefused, ShanbenError
from repository.faults import Fault
from repository.localized import Language, LocalizedText

FAULT = Fault("0002.tif", "page 1", "master.suffix", LocalizedText("后缀不符", "wrong suffix"))


def classes(kind: type[ShanbenError] = ShanbenError) -> Iterator[type[ShanbenError]]:
    yield kind
    for subclass in kind.__subclasses__():
        if subclass.__module__ == errors.__name__:
            yield from classes(subclass)


def test_a_fault_survives_json() -> None:
    assert Fault.of_json(json.loads(json.dumps(FAULT.to_json()))) == FAULT


@pytest.mark.parametrize(
    ("language", "message"),
    [(Language.CHINESE, "后缀不符"), (Language.ENGLISH, "wrong suffix"), (None, "后缀不符 / wrong suffix")],
)
def test_localized_json_of_a_fault_holds_its_message_as_a_string(language: Language | None, message: str) -> None:
    expected = {"file": "0002.tif", "place": "page 1", "code": "master.suffix", "message": message}
    assert FAULT.to_localized_json(language) == expected


def test_json_of_an_error_holds_its_code_branch_message_and_faults() -> None:
    refused = DepositRefused("/deposit", (FAULT,)).to_json()
    assert (refused["code"], refused["branch"], refused["faults"]) == ("deposit.refused", "content", [FAULT.to_json()])
    busy = Busy(what="w1")
    assert busy.to_json() == {
        "code": "system.busy",
        "branch": "system",
        "message": {"zh": busy.message.zh, "en": busy.message.en},
        "faults": [],
    }


def test_machine_codes_are_distinct() -> None:
    codes = [kind.code for kind in classes()]
    assert len(set(codes)) == len(codes)


def test_the_tree_in_the_docstring_names_every_error_under_its_parent() -> None:
    drawn = re.findall(r"^(?:    )([│ ├└─]*)(\w+)", (errors.__doc__ or "").partition("::")[2], re.MULTILINE)
    path: list[str] = []
    parents = {}
    for indent, name in drawn:
        if name in {kind.__name__ for kind in classes()}:
            depth = len(indent) // 4
            path[depth:] = [name]
            parents[name] = path[depth - 1] if depth else None
    assert parents == {
        kind.__name__: kind.__bases__[0].__name__ if kind is not ShanbenError else None for kind in classes()
    }
