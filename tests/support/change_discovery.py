"""A client of IIIF Change Discovery 1.0, written from its specification alone (section 3.5).

It shares no code with this project.

It keeps the set of resources that a stream tells of. Pages may arrive in any order and more than once: they are put in
the order of their links before they are processed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
CONTEXT = "http://iiif.io/api/discovery/1/context.json"


class ChangeDiscoveryClient:
    """Follows the stream at `address`; `fetch` returns the JSON document at an address, or raises `OSError`."""

    def __init__(self, address: str, fetch: Callable[[str], Json]) -> None:
        self._address = address
        self._fetch = fetch
        self._last_crawl: str | None = None
        self.resources: set[str] = set()
        self.activities = 0
        self.news: list[tuple[str, str]] = []
        """The types and resources of the activities that the last crawl processed, the newest first."""

    def crawl(self) -> None:
        """Process what happened since the last crawl (3.5.1, 3.5.2)."""
        processed: set[str] = set()
        self.news = []
        only_delete, newest = False, self._last_crawl
        for activity in self._backwards():
            self.activities += 1
            time = activity.get("endTime") or activity["startTime"]
            newest = max(newest or time, time)
            if self._last_crawl and time < self._last_crawl:
                break
            if activity["type"] == "Refresh":
                if self._last_crawl is None:
                    break
                only_delete = True
            elif activity["object"]["type"] == "Manifest":
                self._process(activity, processed, only_delete=only_delete)
        self._last_crawl = newest

    def _process(self, activity: Json, processed: set[str], *, only_delete: bool) -> None:
        resource, target = activity["object"]["id"], activity.get("target", {}).get("id")
        if resource not in processed:
            processed.add(resource)
            self.news.append((activity["type"], resource))
            if activity["type"] in {"Delete", "Move"}:
                self.resources.discard(resource)
            elif not only_delete:
                self.resources.add(resource)
        if target and target not in processed:
            processed.add(target)
            self.resources.add(target)

    def _backwards(self) -> Iterator[Json]:
        collection = self._get(self._address, "OrderedCollection")
        page = self._get(collection["last"]["id"], "OrderedCollectionPage")
        while True:
            assert page["orderedItems"]
            assert page["partOf"] == {"id": self._address, "type": "OrderedCollection"}
            yield from reversed(page["orderedItems"])
            if "prev" not in page:
                assert page["id"] == collection["first"]["id"]
                assert page["startIndex"] == 0
                return
            earlier = self._get(page["prev"]["id"], "OrderedCollectionPage")
            assert earlier["startIndex"] + len(earlier["orderedItems"]) == page["startIndex"]
            assert earlier["next"]["id"] == page["id"]
            page = earlier

    def _get(self, address: str, kind: str) -> Json:
        """Return a document of a kind; a response that is lost is asked for again."""
        while True:
            try:
                document = self._fetch(address)
            except OSError:
                continue
            assert next(iter(document)) == "@context"
            assert (document["@context"], document["id"], document["type"]) == (CONTEXT, address, kind)
            return document
