"""A partner that loses, repeats and reorders responses ends with the right works, by either protocol."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from change_discovery import ChangeDiscoveryClient
from followed_library import ADDRESS, FollowedLibrary
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from iiif_server.discovery import activities
from iiif_server.oai import provider
from iiif_server.urls import CHANGES, manifest_path
from web.services import discovery

pytestmark = pytest.mark.slow

PMH = "{http://www.openarchives.org/OAI/2.0/}"
OF_A_WORK = st.tuples(st.sampled_from(["publish", "withdraw", "restore"]), st.sampled_from("甲乙丙丁戊己"))
HISTORIES = st.lists(OF_A_WORK | st.just(("follow", "")), min_size=4, max_size=40)


class Network:
    """Loses a quarter of the responses, and asks for another quarter twice."""

    def __init__(self, library: FollowedLibrary, chance: random.Random) -> None:
        self._library = library
        self._chance = chance

    def get(self, path: str) -> bytes:
        luck = self._chance.random()
        body = self._library.client.get(path).data
        if luck < 0.25:
            raise ConnectionResetError
        return self._library.client.get(path).data if luck < 0.5 else body

    def until_it_arrives(self, path: str) -> bytes:
        while True:
            try:
                return self.get(path)
            except ConnectionResetError:
                continue


class OaiHarvester:
    """Harvests what changed since the newest record it has, and applies the responses in any order."""

    def __init__(self, network: Network, chance: random.Random) -> None:
        self._network, self._chance = network, chance
        self._records: dict[str, tuple[str, bool]] = {}

    def follow(self, disturb: Callable[[], None]) -> None:
        newest = max((time for time, _ in self._records.values()), default=None)
        responses = list(self._responses({"from": newest} if newest else {}, disturb))
        self._chance.shuffle(responses)
        for answer in (*responses, *responses[:1]):
            for header in answer.iter(f"{PMH}header"):
                self._apply(header)

    def _apply(self, header: Any) -> None:
        identifier, time = header.findtext(f"{PMH}identifier"), header.findtext(f"{PMH}datestamp")
        if identifier not in self._records or time >= self._records[identifier][0]:
            self._records[identifier] = time, header.get("status") != "deleted"

    def _responses(self, wanted: dict[str, str], disturb: Callable[[], None]) -> Iterator[Any]:
        query = {"verb": "ListRecords", "metadataPrefix": "oai_dc", **wanted}
        while True:
            answer = etree.fromstring(self._network.until_it_arrives(f"/oai?{urlencode(query)}"))
            yield answer
            token = next(answer.iter(f"{PMH}resumptionToken"), None)
            if token is None or not token.text:
                return
            disturb()
            query = {"verb": "ListRecords", "resumptionToken": token.text}

    def shown(self) -> set[str]:
        return {identifier.rpartition(":")[2] for identifier, (_, shown) in self._records.items() if shown}


@settings(max_examples=12)
@given(HISTORIES, st.integers(0, 2**32))
def test_a_partner_on_a_bad_network_ends_with_what_is_in_public_view(history: list[tuple[str, str]], seed: int) -> None:
    chance = random.Random(seed)
    with (
        TemporaryDirectory() as folder,
        patch.object(activities, "PER_PAGE", 3),
        patch.object(discovery, "PER_PAGE", 3),
        patch.object(provider, "RECORDS", 2),
    ):
        library = FollowedLibrary(Path(folder))
        network = Network(library, chance)
        harvester = OaiHarvester(network, chance)
        follower = ChangeDiscoveryClient(
            f"{ADDRESS}{CHANGES}", lambda address: json.loads(network.get(address.removeprefix(ADDRESS)))
        )
        for act, name in history:
            if act == "follow":
                follower.crawl()
                harvester.follow(lambda: _act(library, "publish", chance.choice("甲乙丙丁戊己")))
            else:
                _act(library, act, name)
        follower.crawl()
        harvester.follow(lambda: None)
        assert harvester.shown() == library.shown
        assert follower.resources == {f"{ADDRESS}{manifest_path(work)}" for work in library.shown}


def _act(library: FollowedLibrary, act: str, name: str) -> None:
    if act == "publish":
        library.publish(name)
    elif name in library.published:
        (library.withdraw if act == "withdraw" else library.restore)(name)
