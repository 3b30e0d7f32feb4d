"""The texts of the preservation report. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

PRESERVATION_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "report.title": LocalizedText("保存报告", "Preservation report"),
        "report.about": LocalizedText(
            "{library}，截至 {time}（UTC），{software}", "{library}, as of {time} UTC, {software}"
        ),
        "report.library": LocalizedText("本馆", "This library"),
        "report.matters": LocalizedText("需要处理", "Needs a decision"),
        "report.contents": LocalizedText("本页内容", "On this page"),
        "report.files": LocalizedText("下载报告", "Download the report"),
        "report.files-what": LocalizedText(
            "下载的报告记录此刻的状况，存档备查；同一时刻的报告，内容始终逐字节相同。",
            "A downloaded report states what is known now and is kept; the report of one moment is always the same.",
        ),
        "report.earlier": LocalizedText("以往的报告", "Earlier reports"),
        "report.chart": LocalizedText(
            "图：{title}；数据见旁边的表", "Chart: {title}; the table beside it has the data"
        ),
        "report.none": LocalizedText("无", "none"),
        "report.never": LocalizedText("从未", "never"),
        "report.unstated": LocalizedText("未著录", "not stated"),
        "report.findings": LocalizedText("校验发现的问题", "Findings"),
        "report.findings-open": LocalizedText("未解决", "Open"),
        "report.findings-ended": LocalizedText("已解决", "Ended"),
        "report.findings-none": LocalizedText("没有这样的问题。", "There are no such findings."),
        "report.next": LocalizedText("后面的问题", "More findings"),
        "report.more": LocalizedText("后面的著作", "More works"),
        "report.back": LocalizedText("返回保存报告", "Preservation report"),
        "report.alarm-banner": LocalizedText("有 {count} 项警报：", "{count} {count:alarm|alarms}: "),
        "report.alarm-link": LocalizedText("查看保存报告", "See the preservation report"),
        "report.alarms-stale": LocalizedText(
            "工作进程已有 {hours} 小时没有检查警报，请确认其在运行",
            "workers have not looked for alarms for {hours} {hours:hour|hours}; check that they run",
        ),
        # Sections
        "section.findings": LocalizedText("发现的问题", "Findings"),
        "section.checks": LocalizedText("校验进度", "Fixity checks"),
        "section.holdings": LocalizedText("馆藏", "Holdings"),
        "section.formats": LocalizedText("格式", "Formats"),
        "section.places": LocalizedText("副本与存放", "Copies and places"),
        "section.growth": LocalizedText("增长", "Growth"),
        "section.condition": LocalizedText("原书状况", "Physical condition"),
        "section.log": LocalizedText("溯源日志", "Provenance log"),
        "section.ndsa": LocalizedText("NDSA 数字保存等级（2019）", "NDSA Levels of Digital Preservation (2019)"),
        "section.trust": LocalizedText("CoreTrustSeal 要求（2023–2025）", "CoreTrustSeal Requirements 2023-2025"),
        # Findings
        "finding.where": LocalizedText("存储与文件", "Store and file"),
        "finding.kind": LocalizedText("问题", "Finding"),
        "finding.work": LocalizedText("著作", "Work"),
        "finding.seen": LocalizedText("首次 / 最近发现", "First / last seen"),
        "finding.state": LocalizedText("状态", "State"),
        "finding.done": LocalizedText("已做的处理", "What was done"),
        "finding.digests": LocalizedText("应为 / 实为 SHA-256", "SHA-256 expected / found"),
        "finding.count": LocalizedText("件数", "Files"),
        "finding.open": LocalizedText("未解决的问题 {count} 项。", "{count} {count:finding is|findings are} open."),
        "finding.none-open": LocalizedText("没有未解决的问题。", "No finding is open."),
        "finding.listed": LocalizedText("仅列出前 {count} 项。", "Only the first {count} {count:is|are} listed."),
        "finding.by-kind": LocalizedText("未解决的问题，按存储与种类", "Open findings by store and kind"),
        "finding.list-open": LocalizedText("未解决的问题", "Open findings"),
        "finding.list-ended": LocalizedText("最近解决的问题", "Findings that ended lately"),
        "finding.repaired-from": LocalizedText("完好内容取自 {store}", "good bytes from {store}"),
        "finding.nothing-done": LocalizedText("尚未处理", "nothing yet"),
        "finding-state.open": LocalizedText("未解决", "open"),
        "finding-state.lost": LocalizedText("没有完好副本", "no good copy"),
        "finding-state.closed": LocalizedText("再查已无此问题", "found no more"),
        "finding-state.repaired": LocalizedText("已修复", "repaired"),
        "finding-state.resolved": LocalizedText("已由馆方裁定", "resolved by decision"),
        "lost.table": LocalizedText("日志所记而各处均无的著作", "Works that the log names and no store holds"),
        "lost.work": LocalizedText("著作", "Work"),
        "lost.logged": LocalizedText("日志所记版本", "Version in the log"),
        "lost.stored": LocalizedText("现存版本", "Version held"),
        "lost.seen": LocalizedText("首次发现", "First seen"),
        # Checks
        "checks.table": LocalizedText("各存储各类文件的校验", "Checks by store and class"),
        "checks.store": LocalizedText("存储", "Store"),
        "checks.class": LocalizedText("类别", "Class"),
        "checks.files": LocalizedText("文件", "Files"),
        "checks.bytes": LocalizedText("字节", "Bytes"),
        "checks.oldest": LocalizedText("最早一次校验", "Oldest check"),
        "checks.never": LocalizedText("从未校验", "Never checked"),
        "checks.due": LocalizedText("到期", "Due"),
        "checks.late": LocalizedText("逾期", "Late"),
        "checks.failed": LocalizedText("未通过", "Failed"),
        "checks.not-checked": LocalizedText("未能校验", "Not checked"),
        "checks.cadence": LocalizedText(
            "每个文件至少每 {days} 天校验一次。", "Every file is checked at least every {days} {days:day|days}."
        ),
        "checks.rate": LocalizedText("近期校验速度为每秒 {rate}。", "Checks lately read {rate} a second."),
        "checks.forecast": LocalizedText(
            "今天到期的 {bytes} 以此速度约需 {time}。", "What is due today, {bytes}, takes about {time} at this rate."
        ),
        "checks.sweeps": LocalizedText("最近的校验", "The last sweeps"),
        "checks.number": LocalizedText("编号", "Number"),
        "checks.started": LocalizedText("开始", "Started"),
        "checks.ended": LocalizedText("结束", "Ended"),
        "checks.result": LocalizedText("结果", "Result"),
        "checks.expected": LocalizedText("应查", "Expected"),
        "checks.passed": LocalizedText("通过", "Passed"),
        "checks.canaries": LocalizedText("检验对象（漏报）", "Canaries (missed)"),
        "checks.due-table": LocalizedText("今后 30 天到期", "Due within 30 days"),
        "checks.day": LocalizedText("日期", "Day"),
        "class.masters": LocalizedText("原图", "masters"),
        "class.metadata": LocalizedText("元数据与清单", "metadata and inventories"),
        "class.log": LocalizedText("溯源日志", "provenance log"),
        "class.pyramids": LocalizedText("浏览图（可重做）", "pyramids (can be made again)"),
        "class.published": LocalizedText("发布文件（可重做）", "published documents (can be made again)"),
        "sweep.running": LocalizedText("进行中", "running"),
        "sweep.clean": LocalizedText("全部通过", "clean"),
        "sweep.findings": LocalizedText("发现问题", "findings"),
        "sweep.incomplete": LocalizedText("未查完", "incomplete"),
        "sweep.nothing-due": LocalizedText("无到期文件", "nothing was due"),
        "sweep.stopped": LocalizedText("中止", "stopped"),
        # Holdings, formats, places, growth
        "holdings.sentence": LocalizedText(
            "馆藏 {works} 种，图像 {images} 幅，原图共 {bytes}。",
            "{works} {works:work|works}, {images} {images:image|images}, {bytes} of masters.",
        ),
        "holdings.by-class": LocalizedText("按部类", "By class"),
        "holdings.class": LocalizedText("部类", "Class"),
        "holdings.works": LocalizedText("种", "Works"),
        "holdings.images": LocalizedText("幅", "Images"),
        "formats.table": LocalizedText("原图的格式、版本与风险", "Formats of masters, their versions and risk"),
        "formats.format": LocalizedText("格式", "Format"),
        "formats.version": LocalizedText("版本", "Version"),
        "formats.no-version": LocalizedText("不分版本", "has no versions"),
        "formats.unknown-version": LocalizedText("不明", "unknown"),
        "formats.unidentified": LocalizedText(
            "版本不明的原图，或由旧版软件收入，或为 PRONOM 未登记的版本。",
            "Masters of an unknown version were ingested by an earlier release, or PRONOM does not register it.",
        ),
        "formats.puid": LocalizedText("PRONOM 标识", "PRONOM"),
        "formats.risk": LocalizedText("风险", "Risk"),
        "formats.reason": LocalizedText("理由", "Reason"),
        "formats.watch": LocalizedText(
            "{count} 种格式或版本须留意。",
            "{count} {count:format or version is|formats or versions are} to be watched.",
        ),
        "formats.none-watched": LocalizedText("没有须留意的格式。", "No format is to be watched."),
        "risk.low": LocalizedText("低", "low"),
        "risk.watch": LocalizedText("须留意", "watch"),
        "risk.unknown": LocalizedText("不明", "unknown"),
        "places.table": LocalizedText("各存储的副本", "Copies by store"),
        "places.works": LocalizedText("存有", "Holds"),
        "places.behind": LocalizedText("尚缺", "Behind"),
        "places.since": LocalizedText("最早一份写入", "First written"),
        "places.failing": LocalizedText("复制失败始于", "Copying fails since"),
        "places.complete": LocalizedText("完整副本 {copies} 份。", "{copies} complete {copies:copy|copies}."),
        "places.where": LocalizedText(
            "各存储的地点与介质，本软件无从得知。",
            "Where the stores are and on what media is not known to this software.",
        ),
        "growth.table": LocalizedText("按入藏月份（最近 24 个月）", "By month of accession (the last 24 months)"),
        "growth.month": LocalizedText("月份", "Month"),
        "growth.added": LocalizedText("新增字节", "Bytes added"),
        "growth.total": LocalizedText("累计", "Total"),
        "growth.rate": LocalizedText("最近一年的增长折合每年 {rate}。", "Growth over the last year is {rate} a year."),
        "growth.petabyte": LocalizedText(
            "以此速度，约在 {year} 年达到 1 PB。", "At this rate, one petabyte is reached in about {year}."
        ),
        "growth.no-petabyte": LocalizedText(
            "以目前的增长推算不出何时达到 1 PB。", "The present growth gives no date for one petabyte."
        ),
        # Condition, log, standards
        "condition.what": LocalizedText(
            "依书目记录中的 WH/T 20 定级、WH/T 22 破损定级与修复记录统计，不由本软件评定。",
            "As recorded: grades by WH/T 20, damage by WH/T 22, repairs. This software assesses nothing.",
        ),
        "condition.none": LocalizedText("尚未著录原书状况。", "No physical condition is recorded."),
        "condition.damage": LocalizedText("破损定级（种、册）", "Damage (works and volumes)"),
        "condition.grades": LocalizedText("定级（种、册）", "Grades (works and volumes)"),
        "condition.grade": LocalizedText("级别", "Grade"),
        "condition.count": LocalizedText("数量", "Count"),
        "condition.repairs": LocalizedText(
            "已著录修复 {count} 次。", "{count} {count:repair is|repairs are} recorded."
        ),
        "condition.severe": LocalizedText("一级、二级破损", "Damage 1 and 2"),
        "condition.volume": LocalizedText("册", "Volume"),
        "condition.causes": LocalizedText("原因", "Causes"),
        "condition.assessed": LocalizedText("评定日期", "Assessed"),
        "condition.repaired": LocalizedText("最近修复", "Last repair"),
        "log.sentence": LocalizedText(
            "日志 {size} 条，待写入 {staged} 条，时间戳覆盖前 {timestamped} 条。",
            "The log has {size} {size:entry|entries}; {staged} {staged:event waits|events wait} for it; timestamps"
            " cover the"
            " first {timestamped}.",
        ),
        "log.no-witness": LocalizedText("没有设置见证方。", "No witness is set."),
        "log.witnesses-unread": LocalizedText(
            "目前无法读取见证方的联署。", "What the witnesses cosigned cannot be read at present."
        ),
        "log.witness": LocalizedText("见证方", "Witness"),
        "log.witnesses": LocalizedText("见证方（至少须 {quorum} 个联署）", "Witnesses ({quorum} must cosign)"),
        "log.cosigned": LocalizedText("已联署", "Cosigned"),
        "log.time": LocalizedText("时间", "Time"),
        "standard.table": LocalizedText("{standard}：逐项依据", "{standard}: evidence by requirement"),
        "standard.number": LocalizedText("编号", "No."),
        "standard.asks": LocalizedText("要求", "Requirement"),
        "standard.state": LocalizedText("情况", "State"),
        "standard.evidence": LocalizedText("依据", "Evidence"),
        "standard.counted": LocalizedText(
            "共 {all} 项：符合 {met}，部分 {partly}，不符合 {unmet}，本软件无从得知 {unknown}。",
            "Of {all}: {met} met, {partly} partly, {unmet} not met, {unknown} not known to this software.",
        ),
        "fulfilment.met": LocalizedText("符合", "met"),
        "fulfilment.partly": LocalizedText("部分", "partly"),
        "fulfilment.unmet": LocalizedText("不符合", "not met"),
        "fulfilment.unknown": LocalizedText("无从得知", "not known"),
        # Charts
        "chart.growth": LocalizedText("馆藏增长", "Growth of the holdings"),
        "chart.day": LocalizedText("{month}月{day}日", "{day} {month}"),
        "chart.due": LocalizedText("今后 90 天到期的校验", "Checks due within 90 days"),
        "chart.checked": LocalizedText("各存储的校验状况", "Checks by store"),
        "chart.damage": LocalizedText("原书破损定级", "Damage of originals"),
        "chart.checked-files": LocalizedText("已校验", "checked"),
        "chart.never-files": LocalizedText("从未校验", "never checked"),
        "chart.failed-files": LocalizedText("未通过或未能校验", "failed or not checked"),
        "chart.files": LocalizedText("文件", "files"),
        "chart.count": LocalizedText("种、册", "works and volumes"),
    }
)
