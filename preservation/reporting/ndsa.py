"""The NDSA Levels of Digital Preservation, version 2 (2019), with evidence from a report. (pure)

https://ndsa.org/publications/levels-of-digital-preservation/ . The numbers name the area, the level and the activity:
``S2.1`` is the first activity of level 2 of storage. The wording of the activities is shortened.
"""

from __future__ import annotations

from typing import Final

from preservation.reporting.report import PreservationReport
from preservation.reporting.requirements import Requirement, judged, met, partly, unknown
from repository.localized import LocalizedText as Text
from repository.localized import counted
from repository.store_label import store_label

_UNEXPECTED: Final = "unexpected"
"""The kind of findings about files too many: what must be there may be complete."""


def ndsa_levels(report: PreservationReport) -> tuple[Requirement, ...]:
    """Return every activity of the levels, by area and level."""
    return (
        *_storage(report),
        *_integrity(),
        *_checking(report),
        *_control(report),
        *_metadata(report),
        *_content(report),
    )


def complete_copies(report: PreservationReport) -> int:
    """Return how many stores hold every work in its newest version, and have none damaged as far as is known."""
    failed = {check.store for check in report.preserved_checks if check.failed}
    damaged = {found.store for found in report.open_counts if found.kind != _UNEXPECTED} & failed
    places = (place for place in report.places if place.store not in damaged)
    return sum(place.works == report.works and not place.behind for place in places)


def _storage(report: PreservationReport) -> tuple[Requirement, ...]:
    copies = complete_copies(report)
    held = None if not report.works else copies
    names = [store_label(place.store) for place in report.places]
    stores = "、".join(names), ", ".join(names)
    held_copies = Text("完整副本 {copies} 份", "{copies} complete {copies:copy|copies}").format(copies=copies)
    where = Text("存放地点本软件无从得知", "Where the stores are is not known to this software")
    return (
        judged(
            "S1.1",
            Text("至少两份完整副本，分处两地", "Two complete copies in separate locations"),
            None if held is None else copies >= 2,
            Text(f"{held_copies.zh}；{where.zh}", f"{held_copies.en}; {where.en[0].lower()}{where.en[1:]}"),
            Text(f"{held_copies.zh}；请设置 SHANBEN_REPLICAS", f"{held_copies.en}; set SHANBEN_REPLICAS"),
        ),
        met(
            "S1.2",
            Text("记录内容所在的全部存储", "Document all storage media where content is stored"),
            Text(f"存储：{stores[0]}", f"Stores: {stores[1]}"),
        ),
        unknown("S1.3", Text("把内容放入稳定的存储", "Put content into stable storage")),
        judged(
            "S2.1",
            Text("三份完整副本，至少一份在异地", "Three complete copies, one in a separate geographic location"),
            None if held is None else copies >= 3,
            Text(f"{held_copies.zh}；{where.zh}", f"{held_copies.en}; {where.en[0].lower()}{where.en[1:]}"),
            held_copies,
        ),
        unknown("S2.2", Text("记录存储所依赖的资源", "Document the resources and dependencies of storage")),
        unknown("S3.1", Text("一份副本处于灾害风险不同之地", "One copy where another kind of disaster threatens")),
        unknown("S3.2", Text("一份副本用不同种类的介质", "One copy on a different type of media")),
        unknown("S3.3", Text("跟踪存储与介质的淘汰", "Track the obsolescence of storage and media")),
        unknown("S4.1", Text("三份副本各处灾害风险不同之地", "Three copies, each with a different disaster threat")),
        unknown("S4.2", Text("存储多样化，避免单点故障", "Diversify storage to avoid single points of failure")),
        unknown("S4.3", Text("有应对存储淘汰的计划并实施", "Plan and act against obsolescence of storage")),
    )


def _integrity() -> tuple[Requirement, ...]:
    return (
        met(
            "I1.1",
            Text("校验随内容提供的校验值，没有的则生成", "Verify given integrity information, or generate it"),
            Text(
                "入库时计算每个文件的 SHA-256，写入 OCFL 清单与溯源日志",
                "The SHA-256 of every file is computed at ingest, and kept in the OCFL inventory and in the log",
            ),
        ),
        partly(
            "I1.2",
            Text("查毒，必要时隔离", "Virus check all content; isolate it as needed"),
            Text(
                "不查病毒；外来文件只在无权限的隔离进程中解码",
                "No virus check; files are decoded only in isolated processes without rights",
            ),
        ),
        met(
            "I2.1",
            Text("移动或复制时校验", "Verify integrity when moving or copying content"),
            Text("每次写入与复制后都读回校验", "Every file is read back and verified when written or copied"),
        ),
        unknown("I2.2", Text("读取原始介质时用写保护", "Use write-blockers with original media")),
    )


def _checking(report: PreservationReport) -> tuple[Requirement, ...]:
    copies, since = complete_copies(report), report.checked_since
    days = report.cadence.days
    repaired = sum(finding.state == "repaired" for finding in report.ended_findings)
    return (
        judged(
            "I2.3",
            Text("校验信息另存一处", "Store integrity information also in a separate location"),
            copies >= 2 if report.works else None,
            Text("每个副本都有清单与日志", "Every replica holds the inventories and the log"),
            Text("没有完整的副本", "There is no complete replica"),
        ),
        judged(
            "I3.1",
            Text("定期校验", "Verify integrity at fixed intervals"),
            bool(since) if report.works else None,
            Text(
                f"每 {days} 天一遍；全部文件于 {since} 或之后校验{_but_added(report).zh}",
                f"Every {counted(days, 'day', 'days')}; all checked since {since}{_but_added(report).en}",
            ),
            Text("有文件从未校验", "Some files were never checked"),
        ),
        judged(
            "I3.2",
            Text("记录校验的过程与结果", "Document verification processes and outcomes"),
            bool(report.sweeps) if report.works else None,
            Text("每次校验的结果写入溯源日志", "The result of every sweep is in the provenance log"),
            Text("尚无校验记录", "No sweep is recorded"),
        ),
        met(
            "I3.3",
            Text("可随时审核", "Perform an audit of integrity on demand"),
            Text("shanben fixity run --all；shanben log verify", "shanben fixity run --all; shanben log verify"),
        ),
        met(
            "I4.1",
            Text("特定事件发生时校验", "Verify integrity in response to specific events"),
            Text("入库、复制、修复、恢复时校验", "Verified at ingest, copying, repair and restoration"),
        ),
        judged(
            "I4.2",
            Text("替换或修复损坏的内容", "Replace or repair corrupted content"),
            not report.open if report.works else None,
            Text(f"没有未解决的损坏；近期已修复 {repaired} 项", f"No damage is open; {repaired} repaired lately"),
            Text(f"{report.open} 项问题尚未解决", f"{counted(report.open, 'finding is', 'findings are')} unresolved"),
        ),
    )


def _but_added(report: PreservationReport) -> Text:
    """Return what is not checked yet because it was added since; empty if nothing was."""
    if not report.unrecorded:
        return Text("", "")
    added = counted(report.unrecorded, "copy", "copies")
    return Text(f"（新增的 {report.unrecorded} 份著作除外）", f", but for {added} of works added since")


def _control(report: PreservationReport) -> tuple[Requirement, ...]:
    return (
        partly(
            "C1.1",
            Text("确定谁可读、写、移动、删除内容", "Determine who may read, write, move and delete content"),
            Text("账号分角色；任何人都不能覆盖原图", "Accounts have roles; nobody can overwrite a master"),
        ),
        partly(
            "C2.1",
            Text("记录并落实上述权限", "Document and apply these authorisations"),
            Text("由软件落实；馆内规定须由馆方说明", "Applied by the software; the library states its own rules"),
        ),
        met(
            "C3.1",
            Text("记录对内容做过什么、由谁", "Maintain logs of actions on content and their agents"),
            Text(
                f"溯源日志 {report.log.size} 条，只增不改，任何人可核验",
                f"{counted(report.log.size, 'entry', 'entries')} in an append-only log that anybody can verify",
            ),
        ),
        unknown("C4.1", Text("定期审阅操作日志", "Review action and access logs periodically")),
    )


def _metadata(report: PreservationReport) -> tuple[Requirement, ...]:
    copies = complete_copies(report)
    return (
        met(
            "M1.1",
            Text("有内容清单与存放位置", "Create an inventory of content and storage locations"),
            Text(
                f"目录 {report.works} 种；每种一份 OCFL 清单",
                f"{counted(report.works, 'work', 'works')} catalogued, an inventory each",
            ),
        ),
        judged(
            "M1.2",
            Text("清单另存一份", "Store a copy of the inventory separately from content"),
            copies >= 2 if report.works else None,
            Text("每个副本都有清单", "Every replica holds the inventories"),
            Text("没有完整的副本", "There is no complete replica"),
        ),
        met(
            "M2.1",
            Text("元数据足以知道内容是什么", "Store enough metadata to know what the content is"),
            Text("书目、结构、技术与保存元数据与原图同存", "Descriptive, structural, technical, preservation metadata"),
        ),
        met(
            "M3.1",
            Text("确定所用元数据标准", "Determine which metadata standards to apply"),
            Text("OCFL 1.1、PREMIS 3、IIIF Presentation 3", "OCFL 1.1, PREMIS 3, IIIF Presentation 3"),
        ),
        partly(
            "M3.2",
            Text("查找并补足元数据", "Find and fill gaps in the metadata"),
            Text("入库时逐项检查书目记录", "Every record is checked at ingest; gaps are for cataloguers to fill"),
        ),
        met(
            "M4.1",
            Text("记录保存操作及其时间", "Record preservation actions and when they occur"),
            Text("PREMIS 事件，与原图同存并写入日志", "PREMIS events, kept with the masters and in the log"),
        ),
    )


def _content(report: PreservationReport) -> tuple[Requirement, ...]:
    return (
        met(
            "T1.1",
            Text("记录文件格式及如何认定", "Document file formats and how they were identified"),
            Text("入库时完整解码每幅图像", "Every image is decoded completely at ingest"),
        ),
        met(
            "T2.1",
            Text("验证文件格式", "Verify file formats"),
            Text("不能完整解码的不予入库", "A file that cannot be decoded completely is refused"),
        ),
        unknown("T2.2", Text("与内容提供者商定格式", "Build relationships with creators about file choices")),
        partly(
            "T3.1",
            Text("监测格式与技术的淘汰", "Monitor obsolescence of formats and technologies"),
            Text(
                f"馆藏 {len(report.formats)} 种格式，风险见“格式”一节",
                f"{counted(len(report.formats), 'format is', 'formats are')} held; see the section on formats for"
                " risks",
            ),
        ),
        partly(
            "T4.1",
            Text("迁移、规范化、仿真以保证可用", "Migrate, normalise or emulate so that content stays accessible"),
            Text("浏览图由原图生成，可随时重做；尚无格式迁移", "Access files are made from masters; none was migrated"),
        ),
    )
