"""A cleaned record of a partner, and the changes that rules made to it. (pure)"""

from __future__ import annotations

from dataclasses import dataclass

from repository.model.work import Dating


@dataclass(frozen=True, slots=True)
class CleanName:
    """A person or body, with dynasty and role as catalogues of Chinese books give them: 曹雪芹, 清, 撰; '' for none."""

    name: str
    dynasty: str = ""
    role: str = ""

    @property
    def shown(self) -> str:
        """The name as this library's catalogue writes it: （清）曹雪芹撰."""
        return f"{f'（{self.dynasty}）' if self.dynasty else ''}{self.name}{self.role}"


@dataclass(frozen=True, slots=True)
class CleanRecord:
    """A record in the form of this library's own. `alternatives` are further titles, `rights_texts` what has no URI.

    `page`, `manifest` and `thumbnail` are URLs at the partner, '' for none. `key` is equal for records that may be of
    the same work.
    """

    title: str
    alternatives: tuple[str, ...] = ()
    names: tuple[CleanName, ...] = ()
    date: Dating | None = None
    edition: str = ""
    language: tuple[str, ...] = ()
    classification: tuple[str, ...] = ()
    holder: str = ""
    call_number: tuple[str, ...] = ()
    dimensions: str = ""
    summary: str = ""
    rights: str = ""
    rights_texts: tuple[str, ...] = ()
    page: str = ""
    manifest: str = ""
    thumbnail: str = ""
    key: str = ""
    place: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What one rule made of one field: the values before and after, as text."""

    rule: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Cleaning:
    """A cleaned record with the changes, in the order in which rules made them."""

    record: CleanRecord
    changes: tuple[RuleChange, ...] = ()
