"""Partners' records as results of a search show them: as the partner's, with its name and the addresses there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from iiif_server import urls
from iiif_server.search.results import FoundWork
from repository.model.harvest import HarvestedRecord, HarvestSource, parts_of_identifier, record_identifier
from repository.repository import Repository
from web.site.partners import shown_picture
from workers.harvest.clean_record import CleanRecord
from workers.harvest.keeping import cleaning_of


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record with its source, and the tier as in the result. `picture` is '' if it may not be shown from there."""

    source: HarvestSource
    record: HarvestedRecord
    cleaned: CleanRecord
    picture: str
    tier: str | None

    @property
    def path(self) -> str:
        """The path of the page about the record."""
        return urls.partner_record_path(self.source.name, self.record.key)


def found_records(repository: Repository, found: Iterable[FoundWork]) -> list[FoundRecord]:
    """Return records of a result as they are shown; what a partner has deleted meanwhile is left out."""
    tiers = {each.work.identifier: each.tier for each in found}
    if not tiers:
        return []
    sources = {source.name: source for source in repository.harvests.sources()}
    records = repository.harvests.chosen([parts_of_identifier(identifier) for identifier in tiers])
    by_identifier = {record_identifier(record.source, record.key): record for record in records}
    shown = ((record, tier) for each, tier in tiers.items() if (record := by_identifier.get(each)) is not None)
    return [
        FoundRecord(
            sources[record.source],
            record,
            cleaning_of(record).record,
            shown_picture(sources[record.source], record.thumbnail),
            tier.value if tier else None,
        )
        for record, tier in shown
        if record.source in sources
    ]
