"""The arguments of a request (OAI-PMH 2.0, sections 3.1 and 4): parsed, or refused as the protocol says. (pure)

A verb is one of six, and each argument of it may be given once. ``from`` and ``until`` are days or seconds, both in the
same granularity; a day is the whole of it in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from iiif_server.records.xml_text import xml_text
from repository.errors import CallError
from repository.localized import LocalizedText

_REQUIRED: Final = MappingProxyType(
    {
        "Identify": (),
        "ListMetadataFormats": (),
        "ListSets": (),
        "GetRecord": ("identifier", "metadataPrefix"),
        "ListIdentifiers": ("metadataPrefix",),
        "ListRecords": ("metadataPrefix",),
    }
)
_RANGE: Final = ("from", "until", "set")
_OPTIONAL: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ListMetadataFormats": ("identifier",),
        "ListSets": ("resumptionToken",),
        "ListIdentifiers": (*_RANGE, "resumptionToken"),
        "ListRecords": (*_RANGE, "resumptionToken"),
    }
)
_LONGEST: Final = 2000
_NAME: Final = r"[A-Za-z0-9_.!~*'()-]+"
_PREFIX: Final = re.compile(_NAME)
_SET: Final = re.compile(f"{_NAME}(:{_NAME})*")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class OaiRefused(CallError):
    """A request with an error of the protocol (section 3.6); `condition` is its code there, such as ``badVerb``."""

    code = "oai.refused"
    text = LocalizedText("{reason}", "{reason}")

    def __init__(self, condition: str, zh: str, en: str) -> None:
        super().__init__(condition=condition, reason=LocalizedText(zh, en))
        self.condition = condition


@dataclass(frozen=True, slots=True)
class OaiRequest:
    """A request that the protocol allows: its verb, and its other arguments as given, by name."""

    verb: str
    arguments: Mapping[str, str]

    @property
    def first(self) -> str | None:
        """The first second asked for, None if any."""
        return _second(self.arguments.get("from"), "T00:00:00Z")

    @property
    def last(self) -> str | None:
        """The last second asked for, None if any."""
        return _second(self.arguments.get("until"), "T23:59:59Z")


def parse_arguments(given: Sequence[tuple[str, str]]) -> OaiRequest:
    """Return the request of the arguments of a query or a form, in any order. Raises `OaiRefused`."""
    verbs = [value for name, value in given if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in _REQUIRED:
        raise OaiRefused("badVerb", "须有一个 verb 参数，且为协议的六个动词之一", "give one of the six verbs, once")
    verb, arguments = verbs[0], dict(given)
    del arguments["verb"]
    if len(arguments) != len(given) - 1:
        raise OaiRefused("badArgument", "参数不得重复", "an argument is repeated")
    _check_names(verb, arguments)
    for name, value in arguments.items():
        _check_value(name, value)
    request = OaiRequest(verb, arguments)
    _check_range(request)
    return request


def _check_names(verb: str, arguments: Mapping[str, str]) -> None:
    allowed = {*_REQUIRED[verb], *_OPTIONAL.get(verb, ())}
    if unknown := sorted(arguments.keys() - allowed):
        name = xml_text(unknown[0][:80])
        raise OaiRefused("badArgument", f"{verb} 没有参数 {name}", f"{verb} has no argument {name}")
    if "resumptionToken" in arguments:
        if len(arguments) > 1:
            raise OaiRefused(
                "badArgument", "resumptionToken 须单独给出", "resumptionToken excludes all other arguments"
            )
        return
    if missing := [name for name in _REQUIRED[verb] if name not in arguments]:
        raise OaiRefused("badArgument", f"缺少参数 {missing[0]}", f"the argument {missing[0]} is missing")


def _check_value(name: str, value: str) -> None:
    grammar = {"metadataPrefix": _PREFIX, "set": _SET}.get(name)
    is_date = name in {"from", "until"}
    if (
        not value
        or len(value) > _LONGEST
        or value != xml_text(value)
        or (grammar and not grammar.fullmatch(value))
        or (is_date and not _is_date(value))
    ):
        raise OaiRefused("badArgument", f"参数 {name} 的值不合规范", f"the value of {name} is not valid")


def _check_range(request: OaiRequest) -> None:
    first, last = request.arguments.get("from"), request.arguments.get("until")
    if first is None or last is None:
        return
    if len(first) != len(last):
        raise OaiRefused("badArgument", "from 与 until 的精度须相同", "from and until must have the same granularity")
    if first > last:
        raise OaiRefused("badArgument", "from 晚于 until", "from is later than until")


def _is_date(value: str) -> bool:
    if not (_DAY.fullmatch(value) or _SECOND.fullmatch(value)):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _second(value: str | None, of_day: str) -> str | None:
    return f"{value}{of_day}" if value and _DAY.fullmatch(value) else value
