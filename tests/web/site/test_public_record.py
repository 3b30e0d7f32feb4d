"""The record of a work shows what access allows, and never what is hidden."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.access import AccessVerdict, Decision
from repository.model.condition import Condition, Repair
from repository.model.work import Image, Master, Page, Range, Record, Rectangle, Volume, Work
from repository.model.work_json import work_of_json
from web.site.public_record import public_record

OPEN = Decision(AccessVerdict.OPEN)
REDUCED = Decision(AccessVerdict.REDUCED, 800)
CLOSED = [Decision(AccessVerdict.REFUSED), Decision(AccessVerdict.WITHDRAWN)]

# No word of the document, such as "access", contains such a name.
NAMES = st.text("xyz張三", min_size=3, max_size=6)


def image(name: str) -> Image:
    master = Master(f"masters/{name}.tif", "5ec4e7" * 10 + "0000", 987654321, "image/tiff")
    return Image(f"i-{name}", 300, 400, master, (Rectangle(11, 22, 33, 44),))


def work_of(names: list[str]) -> Work:
    pages = tuple(Page(f"{name}/0001", f"第{number}葉", (image(name),)) for number, name in enumerate(names))
    keys = tuple(page.key for page in pages)
    inner = Range("序", keys[:1])
    return Work(
        "w1", Record("論語"), (Volume("上", pages[:1]), Volume("下", pages[1:])), (Range("卷一", keys, (inner,)),)
    )


@pytest.mark.parametrize("decision", [OPEN, REDUCED])
def test_the_record_of_a_shown_work_lacks_only_redactions(decision: Decision) -> None:
    work = work_of(["甲", "乙"])
    document = public_record(work, decision)
    assert b"redactions" not in document
    volumes = tuple(
        replace(
            volume,
            pages=tuple(
                replace(page, images=tuple(replace(each, redactions=()) for each in page.images))
                for page in volume.pages
            ),
        )
        for volume in work.volumes
    )
    assert work_of_json(document) == replace(work, volumes=volumes)


@pytest.mark.parametrize("decision", [OPEN, *CLOSED])
def test_a_public_record_names_nobody_who_assessed_or_repaired_the_original(decision: Decision) -> None:
    repair = Repair("2025-01", "溜口", "匠人甲")
    condition = Condition("二级乙等", "三级破损", ("虫蛀",), "2024", "评定人乙", "备注丙", (repair,))
    work = work_of(["xyz"])
    work = replace(work, condition=condition, volumes=(replace(work.volumes[0], condition=condition),))
    document = public_record(work, decision)
    assert not any(name in document.decode() for name in ("匠人甲", "评定人乙", "备注丙"))
    shown = Condition("二级乙等", "三级破损", ("虫蛀",), "2024", repairs=(Repair("2025-01", "溜口"),))
    assert work_of_json(document).condition == shown
    assert work_of_json(document).volumes[0].condition == shown


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True), st.sampled_from(CLOSED))
def test_the_record_of_a_work_that_is_not_shown_has_no_trace_of_its_files(names: list[str], decision: Decision) -> None:
    document = public_record(work_of(names), decision)
    text = document.decode()
    secrets = [*names, "5ec4e7", "987654321", "masters", "redactions", "image/tiff"]
    assert [secret for secret in secrets if secret in text] == []
    shown = json.loads(document)
    assert [page["label"] for volume in shown["volumes"] for page in volume.get("pages", [])] == [
        f"第{number}葉" for number in range(len(names))
    ]
    assert shown["ranges"][0]["pages"] == [str(number + 1) for number in range(len(names))]
    assert shown["ranges"][0]["ranges"][0]["pages"] == ["1"]
    work_of_json(document)
