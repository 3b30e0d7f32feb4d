"""The rules that clean partners' records: each has a name, a description for people, and tells what it changes. (pure)

The rules run in the order of `RULES` on a draft, which begins with the partner's values. A rule never invents: what it
does not understand stays as the partner wrote it. `RULES_VERSION` is raised when a rule changes what it makes; records
are then cleaned again from their originals.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from repository.localized import LocalizedText
from repository.model.reign_years import fold, iso_year
from repository.model.rights import licence_uri
from repository.model.work import Dating
from repository.model.years_in_text import years_in
from workers.harvest.clean_record import Cleaning, CleanName, CleanRecord, RuleChange
from workers.harvest.languages import language_tag
from workers.harvest.names import read_names
from workers.harvest.source_record import FIELDS, URL_FIELDS, SourceRecord

RULES_VERSION: Final = 3

_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,500}>")
_ISBD: Final = re.compile(r"\s*[/:;,=．]\s*$")
_WORDS: Final = re.compile(r"[^\w]+")
_JUAN: Final = re.compile(
    r"[〇零一二三四五六七八九十百千廿卅0-9]+[卷回冊册篇集編编種种](?:\w{0,12}[卷首末附]\w{0,3})?$"
)
_STATEMENT: Final = re.compile(r"\s+[/／]\s*")


@dataclass(slots=True)
class Draft:
    """A record while rules work on it: its values, what rules made of them, and the changes so far."""

    values: dict[str, list[str]]
    names: list[CleanName] = field(default_factory=list)
    date: Dating | None = None
    rights: str = ""
    key: str = ""
    changes: list[RuleChange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CleaningRule:
    """A rule: its name in records, its title and description for people, and what it does to a draft.

    `run` yields the field, and the text before and after, of each change.
    """

    name: str
    title: LocalizedText
    description: LocalizedText
    run: Callable[[Draft], Iterator[tuple[str, str, str]]]


def clean(source: SourceRecord) -> Cleaning:
    """Return the cleaned record with the changes of every rule."""
    draft = Draft({name: list(getattr(source, name)) for name in FIELDS})
    for rule in RULES:
        changes = [RuleChange(rule.name, *change) for change in rule.run(draft)]
        draft.changes += [change for change in changes if change.before != change.after]
    return Cleaning(_record(draft), tuple(draft.changes))


def _record(draft: Draft) -> CleanRecord:
    values = draft.values
    title, *alternatives = values["title"] or [""]
    return CleanRecord(
        title,
        tuple(alternatives),
        tuple(draft.names),
        draft.date,
        _joined(values["edition"]),
        tuple(values["language"]),
        tuple(values["classification"]),
        _joined(values["holder"]),
        tuple(values["call_number"]),
        _joined(values["dimensions"]),
        "\n".join(values["summary"]),
        draft.rights,
        tuple(values["rights"]),
        _first(values["page"]),
        _first(values["manifest"]),
        _first(values["thumbnail"]),
        draft.key,
        tuple(values["place"]),
    )


def _joined(values: list[str]) -> str:
    return "；".join(values)


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def _tidy_text(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for name, values in draft.values.items():
        if name in URL_FIELDS:
            continue
        for place, value in enumerate(values):
            tidied = _tidied(value)
            yield name, value, tidied
            values[place] = tidied
        draft.values[name] = list(dict.fromkeys(filter(None, values)))


def _tidied(value: str) -> str:
    text = html.unescape(_TAG.sub(" ", value)) if "<" in value or "&" in value else value
    text = unicodedata.normalize("NFC", "".join(" " if unicodedata.category(each) == "Cc" else each for each in text))
    return _ISBD.sub("", " ".join(text.split()))


def _split_title(draft: Draft) -> Iterator[tuple[str, str, str]]:
    """Move the statement of responsibility after `` / ``, as ISBD writes it, from the title to the creators."""
    for place, title in enumerate(draft.values["title"]):
        head, *rest = _STATEMENT.split(title, maxsplit=1)
        statement = rest[0].strip(" .。．") if rest else ""
        if head and statement:
            draft.values["title"][place] = head
            yield "title", title, head
            if not draft.values["creator"]:
                draft.values["creator"] = [statement]
                yield "creator", "", statement


def _read_creators(draft: Draft) -> Iterator[tuple[str, str, str]]:
    found: dict[CleanName, None] = {}
    for statement in draft.values["creator"]:
        names = read_names(statement)
        yield "creator", statement, "；".join(_in_words(name) for name in names)
        found |= dict.fromkeys(names)
    draft.names = list(found)


def _in_words(name: CleanName) -> str:
    parts = (name.name, name.dynasty, name.role)
    return " | ".join(parts) if name.dynasty or name.role else name.name


def _read_dates(draft: Draft) -> Iterator[tuple[str, str, str]]:
    """Date the work by its dates, else by its edition statement; the first that is understood counts."""
    candidates = [*draft.values["date"], *draft.values["edition"]]
    for text in candidates:
        if years := years_in(text):
            earliest, latest = iso_year(years.first), iso_year(years.last)
            draft.date = Dating(text, earliest, latest)
            yield "date", text, earliest if earliest == latest else f"{earliest}/{latest}"
            return
    if draft.values["date"]:
        draft.date = Dating(draft.values["date"][0])


def _read_languages(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for place, value in enumerate(draft.values["language"]):
        tag = language_tag(value)
        yield "language", value, tag
        draft.values["language"][place] = tag
    draft.values["language"] = list(dict.fromkeys(draft.values["language"]))


_CC_WORDS: Final = re.compile(r"\bcc[ -](by(?:-nc)?(?:-sa|-nd)?)[ -](?:v\.?)?([1-4]\.[05])\b", re.IGNORECASE)
_RIGHTS: Final = (
    (re.compile(r"\bcc[ -]?0\b", re.IGNORECASE), "http://creativecommons.org/publicdomain/zero/1.0/"),
    (
        re.compile(r"public domain|公有[领領]域|公共[领領]域|パブリックドメイン", re.IGNORECASE),
        "http://creativecommons.org/publicdomain/mark/1.0/",
    ),
    (
        re.compile(r"no known copyright|[无無](?:已知|知)(?:版权|版權|著作權|著作权)", re.IGNORECASE),
        "http://rightsstatements.org/vocab/NKC/1.0/",
    ),
    (
        re.compile(r"^in copyright$|all rights reserved|版权所有|版權所有|保留[一切所有]*[权權]利", re.IGNORECASE),
        "http://rightsstatements.org/vocab/InC/1.0/",
    ),
)
_NEGATED: Final = re.compile(r"\bnot\b|不(?:属于|屬於|在|是)|非公", re.IGNORECASE)


def _read_rights(draft: Draft) -> Iterator[tuple[str, str, str]]:
    left: list[str] = []
    for text in draft.values["rights"]:
        uri = rights_uri(text)
        if uri and not draft.rights:
            draft.rights = uri
            yield "rights", text, uri
        if not uri or uri != text.strip():
            left.append(text)
    draft.values["rights"] = [text for text in left if licence_uri(text) is None]


def rights_uri(text: str) -> str:
    """Return the URI that a statement of rights names or means in so many words; '' if it is not certain."""
    for word in (text.strip(), *re.findall(r"https?://[^\s<>\"'，。；）)]+", text)):
        if uri := licence_uri(word):
            return uri
    if _NEGATED.search(text):
        return ""
    if match := _CC_WORDS.search(text):
        return f"http://creativecommons.org/licenses/{match[1].lower()}/{match[2]}/"
    found = {uri for pattern, uri in _RIGHTS if pattern.search(text)}
    return found.pop() if len(found) == 1 else ""


def _find_key(draft: Draft) -> Iterator[tuple[str, str, str]]:
    title = _first(draft.values["title"])
    draft.key = work_key(title, draft.names[0].name if draft.names else "")
    yield "key", "", draft.key


def work_key(title: str, person: str) -> str:
    """Return what records of the same work have in common: the title without its number of juan, and the first person.

    Traditional and simplified forms are the same where the table of reign names tells them apart (`reign_years.fold`),
    and by NFKC. '' for a record without title.
    """
    plain = fold(unicodedata.normalize("NFKC", title).casefold())
    words = _WORDS.sub("", _JUAN.sub("", _WORDS.sub("", plain)) or plain)
    who = _WORDS.sub("", fold(unicodedata.normalize("NFKC", person).casefold()))
    return f"{words}|{who}"[:200] if words else ""


RULES: Final[tuple[CleaningRule, ...]] = (
    CleaningRule(
        "text",
        LocalizedText("文字整理", "Tidy text"),
        LocalizedText(
            "去掉网页标记、控制字符、多余空格与行末的 ISBD 标识符，统一为 Unicode NFC；去掉重复的值。",
            "Removes markup, control characters, surplus spaces and final ISBD punctuation, writes Unicode in NFC, and"
            " removes repeated values.",
        ),
        _tidy_text,
    ),
    CleaningRule(
        "title",
        LocalizedText("题名与责任说明分开", "Separate title and responsibility"),
        LocalizedText(
            "题名中“／”之后的责任说明移入责任者；记录已有责任者时只从题名中去掉。",
            "Moves the statement of responsibility after “/” from the title to the creators; where the record has"
            " creators, it is only removed from the title.",
        ),
        _split_title,
    ),
    CleaningRule(
        "names",
        LocalizedText("责任者、朝代与责任方式", "Names, dynasties and roles"),
        LocalizedText(
            "把〔清〕、（明）等朝代和撰、輯、編、注等责任方式从责任者姓名中分出，去掉生卒年；认不出的照录。",
            "Takes dynasties such as 〔清〕 and roles such as 撰, 輯 and 編 out of names, and removes years of life;"
            " what is not understood stays as it is.",
        ),
        _read_creators,
    ),
    CleaningRule(
        "dates",
        LocalizedText("年代换算", "Dates as years"),
        LocalizedText(
            "把年号纪年、干支纪年、朝代、世纪和公元年换算为起讫公元年；原文照录。出版年认不出时取版本项。",
            "Converts reign years, years of the cycle of sixty, dynasties, centuries and years into the first and last"
            " year of the common era; the words stay. Without a date, the edition is read.",
        ),
        _read_dates,
    ),
    CleaningRule(
        "languages",
        LocalizedText("语种代码", "Languages as tags"),
        LocalizedText(
            "把语种名称和 ISO 639 代码写成 BCP 47 标记，如 chi、中文写作 zh，文言写作 lzh。",
            "Writes names of languages and codes of ISO 639 as tags of BCP 47: chi and 中文 as zh, 文言 as lzh.",
        ),
        _read_languages,
    ),
    CleaningRule(
        "rights",
        LocalizedText("权利声明", "Rights as URIs"),
        LocalizedText(
            "把指向知识共享或 RightsStatements.org 的网址，以及含义明确的声明文字，写成标准的权利 URI；含义不明的照录，"
            "不作推断。",
            "Turns addresses of Creative Commons and RightsStatements.org, and statements whose meaning is certain,"
            " into the standard URI of rights; others stay as they are, and nothing is inferred.",
        ),
        _read_rights,
    ),
    CleaningRule(
        "duplicates",
        LocalizedText("同书线索", "Possible duplicates"),
        LocalizedText(
            "由题名（不计卷数）和首位责任者得出线索，线索相同的记录互相列出，供馆员判断；从不自动合并。",
            "Makes a key of the title, without its number of juan, and the first person. Records with the same key are"
            " shown to each other; none is merged.",
        ),
        _find_key,
    ),
)
