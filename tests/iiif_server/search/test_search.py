"""Search finds every place that a reader of the whole text would find, and shows no more than readers may see."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from partner_records import add_records, named, partner_record, partner_source
from publications import NOW, publication
from search_library import WITHDRAWN, Pages, add_work, dated, index

from iiif_server.search import local_segments, open_segment, segments, service
from iiif_server.search.dates import read_years
from iiif_server.search.fold import TIERS, Tier, fold
from iiif_server.search.local_segments import (
    copy_segments,
    local_path,
    read_list,
    segments_folder,
)
from iiif_server.search.matching import MOST_CONTEXT
from iiif_server.search.open_segment import OpenSegment
from iiif_server.search.query import SearchQuery, Sort
from iiif_server.search.segment_file import contents_of
from iiif_server.search.service import Search
from repository import paths
from repository.config import Settings
from repository.database import search_segment
from repository.database.deletions import Deletion, DeletionState
from repository.model.harvest import RecordState, record_identifier
from repository.model.work import Access, Dating, Record, Rectangle, WorkAccess
from repository.repository import Repository, memory_repository
from repository.storage.local_copies import CopyDamaged
from workers.tasks.search_index import mark_differing, rebuild_index

pytestmark = pytest.mark.slow

CHARACTERS = "論论語语峯峰㍿株A，。 □⿰\U00020089"
LINES = st.lists(st.text(st.sampled_from(CHARACTERS), max_size=6), min_size=1, max_size=4)
WORK = st.lists(LINES, min_size=1, max_size=5)
LIBRARY = st.lists(WORK, min_size=1, max_size=4)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the list of segments and the access to works at each search."""
    monkeypatch.setattr(local_segments, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(service, "SHOWN_SECONDS", 0.0)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return memory_repository(Settings(data=tmp_path))


def naive_tier(pages: Pages, text: str) -> Tier | None:
    """Return the tier of a work by reading all of it."""
    whole = "".join(line for lines in pages for line in lines)
    return next((tier for tier in TIERS if fold(text, tier) and fold(text, tier) in fold(whole, tier)), None)


def tiers_found(search: Search, text: str) -> dict[str, Tier | None]:
    return {found.work.identifier: found.tier for found in search.search(SearchQuery(text), limit=100).works}


@settings(max_examples=25)
@given(LIBRARY, st.lists(st.text(st.sampled_from("論论語峯峰㍿株A\U00020089⿰"), min_size=1, max_size=4), min_size=1))
def test_every_phrase_is_found_in_the_works_that_have_it_and_in_its_tier(
    tmp_path_factory: pytest.TempPathFactory, library: list[list[list[str]]], texts: list[str]
) -> None:
    repository = memory_repository(Settings(data=tmp_path_factory.mktemp("data")))
    works = {add_work(repository, f"z{number}", pages): pages for number, pages in enumerate(library)}
    index(repository)
    search = Search(repository)
    for text in texts:
        expected = {work: tier for work, pages in works.items() if (tier := naive_tier(pages, text))}
        assert tiers_found(search, text) == expected
        result = search.search(SearchQuery(text))
        assert result.total == len(expected)
        for found in result.works:
            hits = search.hits_in_work(found.work.identifier, text).hits
            assert min(TIERS.index(hit.tier) for hit in hits) == TIERS.index(expected[found.work.identifier])
            assert all(fold(text, Tier.VARIANT) in fold(hit.match, Tier.VARIANT) for hit in hits)


def test_a_phrase_with_more_forms_than_are_sought_is_found_by_its_characters(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"甲": "論語集註", "乙": "论语集注", "丙": "論语集註序", "丁": "論孟語"}
    works = {name: add_work(repository, name, [[text]]) for name, text in texts.items()}
    index(repository)
    expected = {works["甲"]: Tier.EXACT, works["乙"]: Tier.FOLDED, works["丙"]: Tier.FOLDED}
    for most in (64, 1, 0):
        monkeypatch.setattr(open_segment, "MOST_WRITTEN", most)
        assert tiers_found(Search(repository), "論語集註") == expected


def test_a_phrase_is_found_across_lines_pages_and_blocks(repository: Repository) -> None:
    rng = random.Random(1)
    pages = [["".join(rng.choices("天地玄黃宇宙洪荒", k=30)) for _ in range(20)] for _ in range(20)]
    work = add_work(repository, "千字文", pages)
    index(repository)
    search = Search(repository)
    whole = "".join(line for lines in pages for line in lines)
    for place in (0, 590, 599, 601, 3590, 3598, 3600, len(whole) - 9):
        text = whole[place : place + 9]
        hits = search.hits_in_work(work, text).hits
        expected = [each for each in range(len(whole)) if whole.startswith(text, each)]
        assert [600 * (hit.page.number - 1) + 30 * hit.parts[0].line + hit.parts[0].start for hit in hits] == expected


def test_a_hit_names_its_page_its_line_and_its_place_on_the_picture(repository: Repository) -> None:
    work = add_work(repository, "論語", [["子曰學而", "時習之"], ["不亦說乎"]])
    index(repository)
    [hit] = Search(repository).hits_in_work(work, "习之，不亦").hits
    assert (hit.tier, hit.page.number, hit.before, hit.match, hit.after) == (
        Tier.FOLDED,
        1,
        "子曰學而時",
        "習之不亦",
        "說乎",
    )
    assert [(part.page.number, part.line, part.start, part.end) for part in hit.parts] == [(1, 1, 1, 3), (2, 0, 0, 2)]
    assert [(r.x, r.y, r.width, r.height) for r in hit.regions] == [(230, 30, 16, 40)]


def test_a_square_in_a_query_is_any_one_character(repository: Repository) -> None:
    works = {
        name: add_work(repository, name, [[text]])
        for name, text in (("甲", "天地玄黃"), ("乙", "天□玄黃"), ("丙", "天玄黃"))
    }
    index(repository)
    search = Search(repository)
    assert set(tiers_found(search, "天□玄黄")) == {works["甲"], works["乙"]}
    assert set(tiers_found(search, "□玄")) == set(works.values())
    assert set(tiers_found(search, "□")) == {works["乙"]}


def test_an_unknown_character_is_one_character_whatever_it_stands_for(repository: Repository) -> None:
    texts = ("語㈠乙", "語㍿乙", "语ﷺ乙", "語株式會社乙", "語ﷺ㍿乙")
    works = {text: add_work(repository, text, [["天", text]]) for text in texts}
    index(repository)
    search = Search(repository)
    one = {works["語㈠乙"]: Tier.EXACT, works["語㍿乙"]: Tier.EXACT, works["语ﷺ乙"]: Tier.FOLDED}
    assert tiers_found(search, "語□乙") == one
    assert tiers_found(search, "語□□乙") == {works["語ﷺ㍿乙"]: Tier.EXACT}
    for work, tier in one.items():
        [hit] = search.hits_in_work(work, "天語□乙").hits
        assert (len(hit.match), hit.tier, len(hit.parts)) == (4, tier, 2)
    assert set(tiers_found(search, "語□□□□乙")) == {works["語株式會社乙"], works["語㍿乙"]}


def test_a_character_that_stands_for_several_is_found_in_either_form_beside_an_unknown_one(
    repository: Repository,
) -> None:
    expected = {"語㍿ﷺ乙": Tier.EXACT, "語株式會社ﷺ乙": Tier.FOLDED, "語株式會社㍿乙": Tier.FOLDED, "語㍿乙": None}
    works = [add_work(repository, f"a{number}", [[text]]) for number, text in enumerate(expected)]
    titles = [add_work(repository, f"b{number}", record=Record(text)) for number, text in enumerate(expected)]
    index(repository)
    found = tiers_found(Search(repository), "語㍿□乙")
    for those in (works, titles):
        assert [found.get(work) for work in those] == list(expected.values())


@settings(max_examples=25)
@given(st.lists(st.tuples(WORK, st.integers(0, 119), st.integers(0, 3)), min_size=1, max_size=4))
@example([([["A", "㍿㍿"]], 0, 1)])
def test_an_unknown_character_is_found_wherever_it_stands(
    tmp_path_factory: pytest.TempPathFactory, library: list[tuple[Pages, int, int]]
) -> None:
    """Each work is sought by four characters of it, from some place on, one of which is unknown."""
    repository = memory_repository(Settings(data=tmp_path_factory.mktemp("data")))
    works = [add_work(repository, f"z{number}", pages) for number, (pages, _, _) in enumerate(library)]
    index(repository)
    search = Search(repository)
    for work, (pages, start, place) in zip(works, library, strict=True):
        whole = fold("".join(line for lines in pages for line in lines), Tier.EXACT)
        text = whole[start % max(1, len(whole)) :][:4]
        unknown = place % max(1, len(text))
        sought = f"{text[:unknown]}□{text[unknown + 1 :]}"
        if len(text) > 1 and sought.strip("□"):
            assert tiers_found(search, sought)[work] is Tier.EXACT
            assert Tier.EXACT in {hit.tier for hit in search.hits_in_work(work, sought).hits}


def test_a_work_that_readers_may_not_see_is_neither_shown_nor_counted(repository: Repository) -> None:
    shown = add_work(repository, "甲書", [["子曰"]])
    hidden = add_work(repository, "乙書", [["子曰"]], access=WorkAccess(access=Access.RESTRICTED))
    gone = add_work(repository, "丙書", [["子曰"]], access=WITHDRAWN)
    index(repository)
    search = Search(repository)
    found = search.search(SearchQuery("子曰"))
    assert ([each.work.identifier for each in found.works], found.total) == ([shown], 1)
    assert [(count.value, count.works) for count in found.facets["text"]] == [("yes", 1)]
    assert search.hits_in_work(hidden, "子曰").total == search.hits_in_work(gone, "子曰").total == 0
    record = search.search(SearchQuery("書"))
    assert {each.work.identifier for each in record.works} == {shown, hidden}
    assert {count.value: count.works for count in record.facets["access"]} == {"open": 1, "restricted": 1}


def test_no_segment_keeps_anything_of_a_deleted_work(repository: Repository, tmp_path: Path) -> None:
    kept = add_work(repository, "甲書", [["天地玄黃"]])
    deleted = add_work(repository, "乙書", [["不可復見"]])
    index(repository)
    alone = add_work(repository, "丙書", [["亦不可見"]])
    index(repository)
    for work in (deleted, alone):
        decided = Deletion(work, DeletionState.REQUESTED, 1, NOW, "anna", "因故")
        repository.deletions.restore(decided, [], NOW)
        repository.deletions.finish(work, [], NOW)
    index(repository)
    entries = read_list(repository.store).segments
    copy_segments(repository.store, tmp_path / "copies", entries)
    texts = {
        work.identifier: [line.text for block in blocks for page in block.pages for line in page.lines]
        for entry in entries
        for work, blocks in contents_of(local_path(tmp_path / "copies", entry))
        if not work.removed
    }
    assert texts == {kept: ["天地玄黃"]}
    assert {paths.search_segment(entry.name) for entry in entries} == {
        item.key for item in repository.store.list(f"{paths.SEARCH}/segments")
    }


def test_a_damaged_segment_of_the_store_is_never_searched_and_is_made_again(repository: Repository) -> None:
    add_work(repository, "論語", [["子曰"]])
    index(repository)
    [entry] = read_list(repository.store).segments
    key = paths.search_segment(entry.name)
    stored = repository.store.read(key)
    for harmed in (stored[:-1], stored.replace("子曰".encode(), "子云".encode())):
        assert harmed != stored
        repository.store.put(key, harmed)
        with pytest.raises(CopyDamaged):
            Search(repository).search(SearchQuery("子"))
        assert list(segments_folder(repository.settings).iterdir()) == []
    rebuild_index(repository)
    assert Search(repository).search(SearchQuery("子曰")).total == 1


def test_the_format_of_segments_is_that_of_their_tables(tmp_path: Path) -> None:
    """A change of the tables raises both formats, so that an index with former tables is made again."""
    with search_segment.new_segment(tmp_path / "segment"):
        pass
    with closing(sqlite3.connect(tmp_path / "segment")) as database:
        tables = {
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'")
        }
    characters, records = ({f"{name}_{tier}" for tier in TIERS} for name in ("characters", "record"))
    assert (search_segment.FORMAT, segments.FORMAT) == ("3", 3)
    assert tables == {*characters, *records, "pairs_exact"}


def test_local_copies_of_a_deleted_work_are_removed_when_no_search_has_them_open(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_segments, "_NEW_SECONDS", -1.0)
    add_work(repository, "甲書", [["天地玄黃"]])
    deleted = add_work(repository, "乙書", [["不可復見"]])
    index(repository)
    search, folder = Search(repository), local_segments.segments_folder(repository.settings)
    assert tiers_found(search, "不可復見")
    [path] = folder.iterdir()
    other_process = OpenSegment(path)
    repository.deletions.restore(Deletion(deleted, DeletionState.REQUESTED, 1, NOW, "anna", "因故"), [], NOW)
    repository.deletions.finish(deleted, [], NOW)
    index(repository)
    for _ in range(2):
        assert not tiers_found(search, "不可復見")
    assert path.exists()
    with other_process.reader(), other_process.reader() as opened_late:
        assert list(opened_late.works())
    del other_process
    assert not tiers_found(search, "不可復見")
    listed = {local_path(folder, segment) for segment in read_list(repository.store).segments}
    assert path not in listed
    assert set(folder.iterdir()) == listed


def test_a_withdrawal_takes_effect_without_the_index(repository: Repository) -> None:
    work = add_work(repository, "論語", [["子曰"]])
    index(repository)
    search = Search(repository)
    assert search.search(SearchQuery("子曰")).total == 1
    repository.catalogue.change_access(work, lambda _: WITHDRAWN, lambda _: (), "2026-01-02T00:00:00Z")
    assert search.search(SearchQuery("子曰")).total == search.search(SearchQuery("論語")).total == 0
    assert search.suggest("lun") == []


def test_text_of_a_work_with_new_redactions_is_hidden_until_the_index_has_them(repository: Repository) -> None:
    identifier = add_work(repository, "論語", [["子曰"]])
    index(repository)
    search = Search(repository)
    made = publication("論語", images=1)
    page = made.work.volumes[0].pages[0]
    image = replace(page.images[0], redactions=(Rectangle(0, 0, 10, 10),))
    volumes = (replace(made.work.volumes[0], pages=(replace(page, images=(image,)),)),)
    work = replace(made.work, record=Record("論語"), volumes=volumes)
    repository.catalogue.publish(replace(made, work=work, version=2), [], NOW)
    assert search.search(SearchQuery("子曰")).total == search.hits_in_work(identifier, "子曰").total == 0
    assert search.search(SearchQuery("論語")).total == 1
    index(repository)
    assert search.search(SearchQuery("子曰")).total == 1


def test_a_new_version_replaces_what_the_index_had(repository: Repository) -> None:
    work = add_work(repository, "論語", [["子曰"]])
    index(repository)
    add_work(repository, "論語", [["有子"]], version=2)
    index(repository)
    search = Search(repository)
    assert (search.search(SearchQuery("子曰")).total, search.search(SearchQuery("有子")).total) == (0, 1)
    assert search.search(SearchQuery()).works[0].work.identifier == work


def test_records_are_searched_by_field_years_and_facets(repository: Repository) -> None:
    record = dated(
        "論語集注",
        "明萬曆三十五年",
        creator=("朱熹",),
        classification="經部·四書類",
        edition="杭州刻本",
        call_number="A12",
    )
    work = add_work(repository, "a", record=record)
    other = add_work(
        repository, "b", record=dated("樂府詩集", "清乾隆", classification="集部", edition="鈔本", place=("金陵",))
    )
    index(repository)
    search = Search(repository)

    def found(query: SearchQuery) -> set[str]:
        return {each.work.identifier for each in search.search(query).works}

    for name, value in (
        ("title", "论语"),
        ("person", "朱熹"),
        ("place", "杭州"),
        ("class", "四书"),
        ("call_number", "a12"),
    ):
        assert found(SearchQuery(fields={name: value})) == {work}
    assert found(SearchQuery(fields={"title": "朱熹"})) == set()
    assert (
        found(SearchQuery(fields={"place": "金陵"}))
        == found(SearchQuery(facets={"published_in": ("金陵",)}))
        == {other}
    )
    assert found(SearchQuery(years=read_years("1600-1610"))) == {work}
    assert found(SearchQuery(facets={"class": ("集部",)})) == {other}
    facets = search.search(SearchQuery(facets={"class": ("集部",)})).facets
    assert {count.value: (count.works, count.is_chosen) for count in facets["class"]} == {
        "集部": (1, True),
        "经部": (1, False),
    }
    assert [count.value for count in facets["dynasty"]] == ["清"]
    assert [count.value for count in facets["edition"]] == ["抄本"]
    for sort, first in ((Sort.TITLE, work), (Sort.OLDEST, work), (Sort.LATEST, other)):
        assert search.search(SearchQuery(sort=sort)).works[0].work.identifier == first


def test_titles_are_suggested_by_characters_and_by_pinyin(repository: Repository) -> None:
    add_work(repository, "a", record=dated("樂府詩集", creator=("郭茂倩",)))
    index(repository)
    search = Search(repository)
    for typed in ("乐府", "yuefu", "yfsj", "詩集"):
        assert [each.text for each in search.suggest(typed)] == ["樂府詩集"]
    assert [(each.text, each.kind) for each in search.suggest("guo")] == [("郭茂倩", "person")]
    assert search.suggest("x") == search.suggest("，") == []


def test_suggestions_count_only_works_that_readers_may_see(repository: Repository) -> None:
    add_work(repository, "a", record=dated("紅樓夢"))
    gone = add_work(repository, "b", record=dated("紅樓夢"))
    index(repository)
    search = Search(repository)
    assert [(each.text, each.works) for each in search.suggest("红楼")] == [("紅樓夢", 2)]
    repository.catalogue.change_access(gone, lambda _: WITHDRAWN, lambda _: (), "2026-01-02T00:00:00Z")
    assert [(each.text, each.works) for each in search.suggest("红楼")] == [("紅樓夢", 1)]


def test_context_of_a_hit_in_a_very_long_line_is_bounded(repository: Repository) -> None:
    work = add_work(repository, "a", [["天" * 5000 + "論語" + "地" * 5000]])
    index(repository)
    (hit,) = Search(repository).hits_in_work(work, "論語").hits
    assert (hit.before, hit.match, hit.after) == ("天" * MOST_CONTEXT, "論語", "地" * MOST_CONTEXT)


def test_hits_of_a_common_character_are_looked_up_to_a_bound(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = add_work(repository, "a", [["之乎者也"] * 9])
    index(repository)
    found = Search(repository).hits_in_work(work, "之", 3, 4)
    assert (found.total, len(found.hits), found.is_exact) == (9, 4, True)
    monkeypatch.setattr(service, "MOST_HITS", 9)
    assert Search(repository).hits_in_work(work, "之").is_exact
    monkeypatch.setattr(service, "MOST_HITS", 5)
    found = Search(repository).hits_in_work(work, "之", 3, 4)
    assert (found.total, len(found.hits), found.is_exact) == (5, 2, False)


def test_words_are_searched_when_no_work_has_the_phrase(repository: Repository) -> None:
    work = add_work(repository, "a", [["天地玄黃"], ["宇宙洪荒"]])
    index(repository)
    search = Search(repository)
    together = search.search(SearchQuery("宇宙 天地"))
    assert (together.total, together.all_words) == (1, True)
    assert {hit.match for hit in together.works[0].hits} == {"宇宙", "天地"}
    assert not search.search(SearchQuery("天地 玄黃")).all_words
    assert search.hits_in_work(work, "宇宙 天地").total == 2


def test_a_search_that_finds_nothing_offers_others_that_do(repository: Repository) -> None:
    add_work(repository, "a", [["天地玄黃宇宙"]])
    index(repository)
    search = Search(repository)
    assert [each.text for each in search.search(SearchQuery("天地玄皇宇")).rescues] == ["天地玄□宇"]
    assert [each.text for each in search.search(SearchQuery("天地人")).rescues] == ["天地□"]
    [rescue] = search.search(SearchQuery("天地", fields={"person": "某"})).rescues
    assert (rescue.text, rescue.drops_filters) == ("天地", True)


def test_segments_are_merged_and_a_rebuild_gives_the_same(repository: Repository) -> None:
    names = [f"書{number}" for number in range(14)]
    for number, name in enumerate(names):
        add_work(repository, name, [[f"子曰{number}"]])
        index(repository)
    assert len(read_list(repository.store).segments) < 7
    search = Search(repository)
    before = tiers_found(search, "子曰")
    assert len(before) == 14
    assert mark_differing(repository) == 0
    assert len(rebuild_index(repository).segments) == 1
    assert tiers_found(Search(repository), "子曰") == before


def test_a_work_that_the_catalogue_lost_leaves_the_index(repository: Repository) -> None:
    kept, lost = publication("甲"), add_work(repository, "乙", [["子曰"]])
    add_work(repository, "甲", [["子曰"]])
    index(repository)
    repository.catalogue.rebuild([kept])
    repository.search.forget_all(repository.search.unindexed(10))
    assert mark_differing(repository) == 1
    assert [each.identifier for each in repository.search.unindexed(10)] == [lost]
    index(repository)
    assert mark_differing(repository) == 0
    assert set(tiers_found(Search(repository), "子曰")) == {kept.work.identifier}


def test_the_same_page_of_results_is_the_same_and_pages_do_not_overlap(repository: Repository) -> None:
    for number in range(7):
        add_work(repository, f"書{number}", [["子曰"] * (number + 1)])
    index(repository)
    search = Search(repository)

    def page(offset: int) -> Sequence[str]:
        return [each.work.identifier for each in search.search(SearchQuery("子曰"), offset, 3).works]

    assert page(0) == page(0)
    assert len({*page(0), *page(3), *page(6)}) == 7


def test_records_of_partners_are_counted_and_listed_apart_from_works(repository: Repository) -> None:
    for source in ("nlc", "pku"):
        repository.harvests.add(partner_source(source))
    work = add_work(repository, "論語", [["子曰"]], dated("論語", "清", holder="本馆"))
    one = partner_record(
        named("論語集注", "朱熹", date=Dating("宋"), classification=("Confucianism", "經部·四書")), "nlc"
    )
    other = partner_record(named("四書", "朱熹", alternatives=("論語 孟子",), holder="北大", place=("建阳",)), "pku")
    add_records(repository, one, other)
    assert [each.identifier for each in repository.search.unindexed(1)] == [work]
    index(repository)
    search = Search(repository)

    def listed(query: SearchQuery) -> tuple[list[str], list[str], int]:
        found = search.search(query)
        assert found.total == len(found.works) == sum(found.tiers.values())
        works, partners = ([each.work.identifier for each in some] for some in (found.works, found.partners))
        return sorted(works), sorted(partners), found.partner_total

    records = [record_identifier(each.source, each.key) for each in (one, other)]
    assert listed(SearchQuery("论语")) == ([work], records, 2)
    assert listed(SearchQuery("论语", facets={"partner": ("*",)})) == (records, [], 0)
    assert listed(SearchQuery("论语", facets={"partner": ("pku",)})) == (records[1:], [], 0)
    assert listed(SearchQuery(fields={"person": "朱熹"})) == ([], records, 2)
    assert listed(SearchQuery(years=read_years("1200"))) == ([], records[:1], 1)
    assert listed(SearchQuery(fields={"place": "建陽"})) == ([], records[1:], 1)
    assert listed(SearchQuery("子曰")) == ([work], [], 0)
    assert search.suggest("四书") == []
    assert search.indexed() == (1, 1)
    for query, chosen in ((SearchQuery("论语"), ""), (SearchQuery("论语", facets={"partner": ("nlc",)}), "nlc")):
        facet = search.search(query).facets["partner"]
        assert {each.value: each.works for each in facet} == {"": 1, "*": 2, "nlc": 1, "pku": 1}
        assert [each.value for each in facet if each.is_chosen] == [chosen]
    facets = search.search(SearchQuery("论语", facets={"partner": ("*",)})).facets
    assert [(each.value, each.works) for each in facets["class"]] == [("经部", 1)]
    assert [(each.value, each.works) for each in facets["holder"]] == [("北大", 1)]
    assert facets["access"] == facets["text"] == ()

    add_records(repository, replace(one, state=RecordState.DELETED))
    assert listed(SearchQuery("论语")) == ([work], records[1:], 1)
    assert mark_differing(repository) == 1
    index(repository)
    assert mark_differing(repository) == 0
    rebuild_index(repository)
    assert listed(SearchQuery("论语")) == ([work], records[1:], 1)
    repository.harvests.remove("pku")
    assert listed(SearchQuery("论语")) == ([work], [], 0)
    assert search.search(SearchQuery("论语")).facets["partner"] == ()
