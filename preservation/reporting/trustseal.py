"""The CoreTrustSeal requirements 2023-2025, with what this software can say as evidence. (pure)

https://doi.org/10.5281/zenodo.7051011 . Most requirements are about the organisation: the software says so instead of
answering for it.
"""

from __future__ import annotations

from preservation.reporting.ndsa import complete_copies
from preservation.reporting.report import PreservationReport
from preservation.reporting.requirements import Requirement, judged, met, partly, unknown
from repository.localized import LocalizedText as Text
from repository.localized import counted


def core_trust_seal(report: PreservationReport) -> tuple[Requirement, ...]:
    """Return the sixteen requirements."""
    return (*_organisation(), *_objects(report), *_technology(report))


def _organisation() -> tuple[Requirement, ...]:
    return (
        unknown("R01", Text("使命与范围", "Mission and scope")),
        partly(
            "R02",
            Text("权利管理", "Rights management"),
            Text("每种著作记录权利声明与利用限制并加以执行", "The rights to every work are recorded and applied"),
        ),
        partly(
            "R03",
            Text("服务的延续", "Continuity of service"),
            Text(
                "存储格式不依赖本软件（docs/leaving.md）；延续计划须由馆方说明",
                "Stores can be read without this software (docs/leaving.md); the library states its plan",
            ),
        ),
        partly(
            "R04",
            Text("法律与伦理", "Legal and ethical"),
            Text("公开的日志不含个人信息", "The public log holds no personal data"),
        ),
        unknown("R05", Text("治理与资源", "Governance and resources")),
        unknown("R06", Text("专业能力与咨询", "Expertise and guidance")),
    )


def _objects(report: PreservationReport) -> tuple[Requirement, ...]:
    return (
        met(
            "R07",
            Text("来源与真实性", "Provenance and authenticity"),
            Text(
                f"溯源日志 {report.log.size} 条，以签名的默克尔树证明，见证方 {len(report.log.witnesses)} 个",
                f"{counted(report.log.size, 'log entry', 'log entries')} in a signed Merkle tree,"
                f" {counted(len(report.log.witnesses), 'witness', 'witnesses')}",
            ),
        ),
        partly(
            "R08",
            Text("送存与鉴选", "Deposit and appraisal"),
            Text("入库前检查全部文件与记录；鉴选由馆方决定", "Every deposit is checked; what to take, people decide"),
        ),
        partly(
            "R09",
            Text("保存计划", "Preservation plan"),
            Text(
                f"每 {report.cadence.days} 天校验一遍",
                f"Every file is checked every {counted(report.cadence.days, 'day', 'days')}",
            ),
        ),
        partly(
            "R10",
            Text("质量保证", "Quality assurance"),
            Text("书目记录与图像入库时逐项检查", "Records and images are checked item by item at ingest"),
        ),
        met(
            "R11",
            Text("工作流程", "Workflows"),
            Text("每一步记为 PREMIS 事件（docs/conservators.md）", "Steps are PREMIS events (docs/conservators.md)"),
        ),
        met(
            "R12",
            Text("发现与标识", "Discovery and identification"),
            Text("每种著作与图像有不变的编号和 IIIF 地址", "Works and images have lasting identifiers"),
        ),
        partly(
            "R13",
            Text("再利用", "Reuse"),
            Text("IIIF 与机读权利声明", "IIIF, and rights statements that machines read"),
        ),
    )


def _technology(report: PreservationReport) -> tuple[Requirement, ...]:
    copies = complete_copies(report)
    since = "" if report.unrecorded else report.checked_since
    is_sound = copies >= 2 and bool(since) and not report.open
    facts = Text(
        "完整副本 {copies} 份；全部文件于 {since} 或之后校验；未解决的问题 {open} 项",
        "{copies} complete {copies:copy|copies}; all files checked since {since}; {open} unresolved"
        " {open:finding|findings}",
    ).format(
        copies=copies,
        since=Text(since or "（有未校验者）", since or "(some never)"),
        open=report.open,
    )
    return (
        judged("R14", Text("存储与完整性", "Storage and integrity"), is_sound if report.works else None, facts, facts),
        partly(
            "R15",
            Text("技术基础设施", "Technical infrastructure"),
            Text(f"软件 {report.software}；其余须由馆方说明", f"{report.software}; the library states the rest"),
        ),
        partly(
            "R16",
            Text("安全", "Security"),
            Text(
                "外来文件在隔离进程中处理；账号、会话与表单有防护；其余须由馆方说明",
                "Untrusted files are read in isolation, accounts and forms are protected; the library states the rest",
            ),
        ),
    )
