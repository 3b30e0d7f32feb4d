"""A requirement of a standard, and what this software can say about it. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from repository.localized import LocalizedText


class Fulfilment(StrEnum):
    """What is known of a requirement: `PARTLY` where the software fulfils its part and people must add theirs.

    `UNKNOWN` is what this software cannot know, such as where a building stands or who may decide.
    """

    MET = "met"
    PARTLY = "partly"
    UNMET = "unmet"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement: its number in the standard, what it asks, what is known and the evidence."""

    number: str
    asks: LocalizedText
    fulfilment: Fulfilment
    evidence: LocalizedText


UNKNOWN: Final = LocalizedText("本软件无从得知，须由馆方说明", "Not known to this software; the library must state it")


def judged(
    number: str, asks: LocalizedText, holds: bool | None, evidence: LocalizedText, missing: LocalizedText
) -> Requirement:
    """Return a requirement that holds or not; None if it cannot be judged yet, because nothing is held."""
    if holds is None:
        nothing = LocalizedText("尚无馆藏", "Nothing is held yet")
        return Requirement(number, asks, Fulfilment.UNKNOWN, nothing)
    return Requirement(number, asks, Fulfilment.MET if holds else Fulfilment.UNMET, evidence if holds else missing)


def partly(number: str, asks: LocalizedText, evidence: LocalizedText) -> Requirement:
    """Return a requirement of which the software fulfils a part."""
    return Requirement(number, asks, Fulfilment.PARTLY, evidence)


def met(number: str, asks: LocalizedText, evidence: LocalizedText) -> Requirement:
    """Return a requirement that the software always fulfils."""
    return Requirement(number, asks, Fulfilment.MET, evidence)


def unknown(number: str, asks: LocalizedText, evidence: LocalizedText = UNKNOWN) -> Requirement:
    """Return a requirement that only people can answer."""
    return Requirement(number, asks, Fulfilment.UNKNOWN, evidence)
