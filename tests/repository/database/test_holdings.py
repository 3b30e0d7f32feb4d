"""Holdings by class, format and month, the recorded conditions, and stored reports and alarms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from publications import NOW, publication
from sqlalchemy import Engine

from repository.database.catalogue import Catalogue
from repository.database.engine import sessions_of
from repository.database.holdings import Grouping, HeldGroup, Holdings, class_of
from repository.database.publication import Publication
from repository.database.report_store import AlarmState, Reports
from repository.localized import LocalizedText
from repository.model.condition import Condition, Repair
from repository.model.work import Volume, Work


@pytest.mark.parametrize(
    ("classification", "expected"),
    [("經部·四書類", "经部"), ("史部-地理類", "史部"), ("類叢部", "类丛部"), (" 子部 ", "子部"), (None, ""), ("", "")],
)
def test_class_is_the_first_part_of_a_classification_in_simplified_characters(
    classification: str | None, expected: str
) -> None:
    assert class_of(classification) == expected


def classified(name: str, classification: str, images: int, condition: Condition | None = None) -> Publication:
    made = publication(name, images=images)
    volumes = (*made.work.volumes, Volume("附", condition=Condition(damage="一级破损", assessed="2020")))
    work = replace(
        made.work,
        record=replace(made.work.record, classification=classification),
        volumes=volumes if condition else made.work.volumes,
        condition=condition,
    )
    return replace(made, work=work)


def test_holdings_follow_publications_and_their_revisions(engine: Engine) -> None:
    catalogue, holdings = Catalogue(sessions_of(engine)), Holdings(sessions_of(engine))
    catalogue.publish(classified("甲", "經部·易類", 2), [], NOW)
    catalogue.publish(classified("乙", "史部·正史類", 3), [], NOW)
    assert holdings.by(Grouping.CLASS) == [HeldGroup("史部", 1, 3, 3000), HeldGroup("经部", 1, 2, 2000)]
    catalogue.publish(classified("甲", "史部·地理類", 1), [], NOW)
    assert holdings.by(Grouping.CLASS) == [HeldGroup("史部", 2, 4, 4000)]
    assert holdings.by(Grouping.FORMAT) == [HeldGroup("image/tiff", 2, 4, 4000)]
    assert holdings.by(Grouping.MONTH) == [HeldGroup("2026-01", 2, 4, 4000)]


def test_holdings_are_counted_by_the_version_of_their_format(engine: Engine) -> None:
    catalogue, holdings = Catalogue(sessions_of(engine)), Holdings(sessions_of(engine))
    made = publication("甲", images=3)
    catalogue.publish(made, [], NOW)
    assert holdings.by(Grouping.VERSION) == [HeldGroup("image/tiff", 1, 3, 3000)]
    catalogue.publish(replace(made, work=identified(made.work, "fmt/353")), [], NOW)
    assert holdings.by(Grouping.VERSION) == [HeldGroup("fmt/353", 1, 2, 2000), HeldGroup("image/tiff", 1, 1, 1000)]
    assert holdings.by(Grouping.FORMAT) == [HeldGroup("image/tiff", 1, 3, 3000)]


def identified(work: Work, puid: str) -> Work:
    """Return a work of which the version of every master but that of the first page is known."""
    first, *pages = work.volumes[0].pages
    known = (
        replace(page, images=tuple(replace(each, master=replace(each.master, puid=puid)) for each in page.images))
        for page in pages
    )
    return replace(work, volumes=(replace(work.volumes[0], pages=(first, *known)),))


def test_conditions_are_listed_by_damage_and_counted(engine: Engine) -> None:
    catalogue, holdings = Catalogue(sessions_of(engine)), Holdings(sessions_of(engine))
    repairs = (Repair("2024-01", "溜口"), Repair("2025-06", "补虫洞"))
    whole = Condition("二级乙等", "三级破损", ("虫蛀",), "2024", repairs=repairs)
    publications = [classified("甲", "經部", 1, whole), classified("乙", "經部", 1)]
    catalogue.rebuild(publications)
    assert holdings.damage_counts() == {"一级破损": 1, "三级破损": 1}
    assert holdings.grade_counts() == {"二级乙等": 1}
    assert [each.title for each in holdings.with_grade("二级乙等", ("", 0), 10)] == ["甲"]
    assert holdings.repairs() == 2
    (found,) = holdings.with_damage("三级破损", ("", 0), 10)
    assert (found.title, found.volume, found.causes, found.repairs, found.repaired) == (
        "甲",
        0,
        ("虫蛀",),
        2,
        "2025-06",
    )
    (volume,) = holdings.with_damage("一级破损", ("", 0), 10)
    assert (volume.volume, volume.label) == (2, "附")
    assert holdings.with_damage("一级破损", (volume.work, volume.volume), 10) == []
    catalogue.publish(classified("甲", "經部", 1), [], NOW)
    assert holdings.damage_counts() == {}


def test_a_report_is_kept_as_it_was_first_stored(engine: Engine) -> None:
    reports = Reports(sessions_of(engine))
    assert reports.newest("2026-02-01T00:00:00Z") is None
    assert reports.add("2026-01-01T00:00:00Z", b"first") == b"first"
    assert reports.add("2026-01-01T00:00:00Z", b"second") == b"first"
    reports.add("2026-01-02T00:00:00Z", b"later")
    assert reports.newest("2026-01-01T23:00:00Z") == ("2026-01-01T00:00:00Z", b"first")
    assert reports.newest("2026-01-02T00:00:00Z") == ("2026-01-02T00:00:00Z", b"later")
    assert reports.times(1) == ["2026-01-02T00:00:00Z"]


def test_an_alarm_lasts_as_long_as_its_cause(engine: Engine) -> None:
    reports, text = Reports(sessions_of(engine)), LocalizedText("损坏", "damage")

    def raised(*keys: str, now: str) -> list[tuple[str, str, str | None]]:
        found = reports.raise_alarms(dict.fromkeys(keys, text), now)
        assert all(alarm.message == text for alarm in found)
        return [(alarm.key, alarm.since, alarm.sent) for alarm in found]

    assert reports.alarms() == AlarmState((), "")
    assert raised("a", "b", now="t1") == [("a", "t1", None), ("b", "t1", None)]
    reports.mark_sent(["a"], "t2")
    assert raised("a", "c", now="t3") == [("a", "t1", "t2"), ("c", "t3", None)]
    assert [alarm.key for alarm in reports.alarms().alarms] == ["a", "c"]
    assert raised(now="t4") == []
    assert reports.alarms() == AlarmState((), "t4")
    assert raised("a", now="t5") == [("a", "t5", None)]
