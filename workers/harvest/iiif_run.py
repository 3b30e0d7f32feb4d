"""A run over the IIIF collections and manifests of a partner, of Presentation 2 and 3.

Collections are read first, level after level, then each manifest once. Documents that have not changed are not sent
again (RFC 9110, section 13). A run that was interrupted asks for what it has not met yet. Every run is a complete one:
what no collection lists any more has vanished. A manifest that cannot be read now keeps its last record.
"""

from __future__ import annotations

from typing import Final

from repository.database.harvest import KnownCollection, KnownRecord
from repository.localized import LocalizedText
from repository.model.harvest import RecordState, SourceState, record_key
from repository.network.guarded_http import AddressRefused, PartnerFaulty, PartnerUnavailable
from workers.harvest.iiif_documents import PartnerCollection, PartnerManifest, read_document
from workers.harvest.keeping import ReceivedRecord
from workers.harvest.polite import DocumentGone, FetchedDocument, PoliteClient
from workers.harvest.progress import RunRecorder
from workers.harvest.source_record import SourceRecord
from workers.harvest.xml_documents import DocumentRefused

ACCEPT: Final = "application/ld+json, application/json"
DEEPEST: Final = 10
MOST_COLLECTIONS: Final = 10_000
MOST_FAILURES: Final = 5
"""Manifests one after another that cannot be reached, after which a run ends: the partner is away."""

_BATCH: Final = 20
_FAULTS: Final = (AddressRefused, PartnerFaulty, PartnerUnavailable, DocumentRefused)


class IiifHarvester:
    """Runs over one partner. `most` bounds the manifests of a run."""

    def __init__(self, client: PoliteClient, recorder: RunRecorder, most: int) -> None:
        self._client = client
        self._recorder = recorder
        self._most = most
        self._failures = 0

    def harvest(self, *, accept: bool) -> SourceState:
        """Run to the end.

        Raises `PartnerFaulty`, `PartnerUnavailable`, `DocumentRefused`, `AddressRefused`, `SourceFull`.
        """
        manifests = self._listed_manifests()
        self._recorder.advance(size=len(manifests))
        for start in range(0, len(manifests), _BATCH):
            self._harvest_batch(manifests[start : start + _BATCH])
        self._recorder.delete_vanished(accept=accept)
        return self._recorder.end()

    def _listed_manifests(self) -> list[str]:
        """Return the URLs of all manifests that the source lists; the source may be a manifest itself."""
        root = self._recorder.source.url
        first = self._members(root)
        if first is None:
            return [root]
        manifests, seen, level = dict.fromkeys(first["manifests"]), {root}, list(first["collections"])
        for _ in range(DEEPEST):
            following: list[str] = []
            for url in level:
                if url in seen:
                    continue
                seen.add(url)
                members = self._members(url)
                if members is None:
                    manifests[url] = None
                    continue
                manifests |= dict.fromkeys(members["manifests"])
                following += members["collections"]
                self._require_bounds(len(seen), len(manifests))
            level = following
        if any(url not in seen for url in level):
            reason = LocalizedText(f"集合嵌套超过 {DEEPEST} 层", f"its collections are nested deeper than {DEEPEST}")
            raise PartnerFaulty(url=root, reason=reason)
        self._recorder.forget_collections({record_key(url) for url in seen})
        return list(manifests)

    def _require_bounds(self, collections: int, manifests: int) -> None:
        if collections > MOST_COLLECTIONS or manifests > self._most:
            reason = LocalizedText("集合或清单过多", "it lists too many collections or manifests")
            raise PartnerFaulty(url=self._recorder.source.url, reason=reason)

    def _members(self, url: str) -> dict[str, list[str]] | None:
        """Return the members of a collection; None for a manifest, which is read again with the others."""
        harvests, name, key = self._recorder.repository.harvests, self._recorder.source.name, record_key(url)
        known = harvests.collection(name, key)
        found = self._client.get(url, ACCEPT, known.etag if known else "", known.modified if known else "")
        if found.body is None:
            if known is None:
                raise PartnerFaulty(url=url, reason=_UNASKED)
            return {kind: list(urls) for kind, urls in known.members.items()}
        document = read_document(found.body)
        if not isinstance(document, PartnerCollection):
            return None
        members = {"manifests": list(document.manifests), "collections": list(document.collections)}
        if found.etag or found.modified:
            self._recorder.keep_collection(key, KnownCollection(found.etag, found.modified, members), known)
        return members

    def _harvest_batch(self, urls: list[str]) -> None:
        """Read some manifests, and record them together."""
        number = self._recorder.run.number
        keys = {url: record_key(url) for url in urls}
        known = self._recorder.repository.harvests.known(self._recorder.source.name, set(keys.values()))
        received: list[ReceivedRecord] = []
        unchanged: list[str] = []
        for url in urls:
            before = known.get(keys[url])
            if before is not None and before.seen == number:
                continue  # met before the run was interrupted
            try:
                record = self._manifest(url, before)
            except DocumentGone:
                continue
            except _FAULTS as fault:
                self._count_failure(fault)
                unchanged += [keys[url]] if before else []
                continue
            self._failures = 0
            if record is None:
                unchanged.append(keys[url])
            else:
                received.append(record)
        self._recorder.record(received, unchanged, listed=self._recorder.run.listed + len(urls))

    def _count_failure(self, fault: Exception) -> None:
        self._failures += 1
        self._recorder.count(unreadable=1)
        if self._failures >= MOST_FAILURES and isinstance(fault, PartnerUnavailable):
            raise fault

    def _manifest(self, url: str, before: KnownRecord | None) -> ReceivedRecord | None:
        """Return a manifest; None for one that has not changed."""
        is_live = before is not None and before.state is RecordState.LIVE
        etag, modified = (before.etag, before.modified) if before and is_live else ("", "")
        found: FetchedDocument = self._client.get(url, ACCEPT, etag, modified)
        if found.body is None:
            if not is_live:
                raise PartnerFaulty(url=url, reason=_UNASKED)
            return None
        document = read_document(found.body)
        if not isinstance(document, PartnerManifest) or document.record == SourceRecord():
            reason = LocalizedText("不是 IIIF 清单", "it is no IIIF manifest")
            raise DocumentRefused(reason=reason)
        return ReceivedRecord(url, found.modified[:40], found.body, document.record, found.etag, found.modified)


_UNASKED: Final = LocalizedText("未被询问即答“未变”", "it answers “not modified” without being asked")
