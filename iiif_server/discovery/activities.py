"""The documents of the feed of changes (IIIF Change Discovery 1.0, section 3). (pure)

The feed is an ordered collection of pages; the first page is number 0 and has the oldest activities. Every page but the
last has `PER_PAGE` activities, so an activity never leaves its page, and a page with a successor changes no more.

=========  =============================================================================================
activity   when
=========  =============================================================================================
Create     a work enters public view, for the first time or again after a withdrawal
Update     a new version of a work, another level of access to its images, or a manifest that was built anew
Delete     a work leaves public view: it is withdrawn, or lost; deletion by two people follows a withdrawal
Move       the repository has another public address (`shanben changes refresh --moved-from`)
Refresh    activities of all works follow it
=========  =============================================================================================

A feed without activities has one page with a refresh, because the specification wants a last page, and an item in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from iiif_server.records.formats import see_also
from iiif_server.urls import CHANGES, HOME, changes_page_path, manifest_path, work_path
from repository.model.changes import Change, ChangeKind

CONTEXT: Final = "http://iiif.io/api/discovery/1/context.json"
MEDIA_TYPE: Final = f'application/ld+json;profile="{CONTEXT}"'
PER_PAGE: Final = 200

_MANIFEST: Final = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json"'

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed of `size` activities at the public address `base`; `provider` is the institution's name, or ''."""

    base: str
    provider: str
    size: int

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(0, (self.size - 1) // PER_PAGE)

    def collection(self) -> bytes:
        """Return the ordered collection (section 3.1)."""
        return _document(
            id=f"{self.base}{CHANGES}",
            type="OrderedCollection",
            totalItems=max(1, self.size),
            first=self._page_reference(0),
            last=self._page_reference(self.last),
        )

    def page(self, number: int, changes: Sequence[Change], now: str) -> bytes:
        """Return a page (section 3.2) with its activities; `now` is the time of the refresh of an empty feed."""
        neighbours = {"prev": number - 1, "next": number + 1}
        shown = changes or [Change(0, ChangeKind.REFRESH, now)]
        return _document(
            id=f"{self.base}{changes_page_path(number)}",
            type="OrderedCollectionPage",
            startIndex=number * PER_PAGE,
            partOf={"id": f"{self.base}{CHANGES}", "type": "OrderedCollection"},
            **{name: self._page_reference(page) for name, page in neighbours.items() if 0 <= page <= self.last},
            orderedItems=[self._activity(change) for change in shown],
        )

    def _page_reference(self, number: int) -> Json:
        return {"id": f"{self.base}{changes_page_path(number)}", "type": "OrderedCollectionPage"}

    def _activity(self, change: Change) -> Json:
        """Return an activity (section 3.3). A refresh precedes the activities that it announces: it states a start."""
        if change.work is None:
            return {"type": change.kind.value, "startTime": change.time}
        if change.kind is ChangeKind.MOVE:
            origin = {"id": f"{change.origin}{manifest_path(change.work)}", "type": "Manifest"}
            moved = {"object": origin, "target": self._object(change.work)}
            return {"type": change.kind.value, **moved, "endTime": change.time}
        if change.kind is ChangeKind.DELETE:
            shown = {"id": f"{self.base}{manifest_path(change.work)}", "type": "Manifest"}
            return {"type": change.kind.value, "object": shown, "endTime": change.time}
        return {"type": change.kind.value, "object": self._object(change.work), "endTime": change.time}

    def _object(self, work: str) -> Json:
        label = {"none": [self.provider]}
        provider = [{"id": f"{self.base}{HOME}", "type": "Agent", "label": label}] if self.provider else None
        return {
            "id": f"{self.base}{manifest_path(work)}",
            "type": "Manifest",
            "format": _MANIFEST,
            "canonical": f"{self.base}{work_path(work)}",
            "seeAlso": see_also(work, self.base),
            **({"provider": provider} if provider else {}),
        }


def _document(**properties: Any) -> bytes:
    return json.dumps({"@context": CONTEXT, **properties}, ensure_ascii=False, separators=(",", ":")).encode()
