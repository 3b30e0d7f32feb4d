"""The error of a bag that is not accepted. (pure)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repository.errors import ContentError
from repository.faults import Fault
from repository.localized import LocalizedText
from repository.printable import printable


class BagRefused(ContentError):
    """A bag with faults, or a file that is no bag; nothing of it was ingested."""

    code = "bag.refused"
    text = LocalizedText(
        "BagIt 包 {bag} 有 {count} 处问题，未予收入；请核对来源后重新索取",
        "The bag {bag} has {count} {count:fault|faults} and was not ingested; check where it comes from and ask for it"
        " again",
    )

    def __init__(self, bag: Path, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(bag=bag, count=len(faults))

    @classmethod
    def because(cls, bag: Path, reason: LocalizedText, path: str = "") -> BagRefused:
        """Return the error for one reason; `path` is that of the file in the bag at fault, '' for the whole bag."""
        return cls(bag, [Fault(printable(path), "", cls.code, reason)])
