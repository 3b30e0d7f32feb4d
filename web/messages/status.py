"""The words of `shanben status` and of the staff's page. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

STATUS_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "status.title": LocalizedText("运行状况", "Operations"),
        "status.lead": LocalizedText("{time}（UTC）的情形。", "As of {time} UTC."),
        "status.renewed": LocalizedText("每 {seconds} 秒自动更新。", "Renewed every {seconds} seconds."),
        "status.stop": LocalizedText("停止自动更新", "Stop renewing"),
        "status.start": LocalizedText("自动更新", "Renew by itself"),
        "status.now": LocalizedText("立即更新", "Renew now"),
        "status.holdings": LocalizedText("馆藏", "Holdings"),
        "status.works": LocalizedText("著作", "works"),
        "status.images": LocalizedText("图像", "images"),
        "status.bytes": LocalizedText("原图", "masters"),
        "status.jobs": LocalizedText("任务", "jobs"),
        "status.log": LocalizedText("日志", "log"),
        "status.log-size": LocalizedText("{size} 条", "{size} entries"),
        "status.log-staged": LocalizedText("待写入 {staged} 条", "{staged} events waiting"),
        "status.root": LocalizedText("树根", "root"),
        "status.fixity": LocalizedText("校验", "fixity"),
        "status.fixity-checked": LocalizedText("已校验 {checked} / {expected} 幅", "{checked} of {expected} checked"),
        "status.preserved": LocalizedText("已保全", "preserved"),
        "status.preserved-of": LocalizedText(
            "{preserved} / {works} 种，各处存储均已核验", "{preserved} of {works} works, verified in every store"
        ),
        "status.unknown": LocalizedText("未知：{reason}", "unknown: {reason}"),
        "status.ingests": LocalizedText("正在收入", "Being taken in"),
        "status.ingests-none": LocalizedText("没有正在进行的收入。", "Nothing is being taken in."),
        "status.delayed": LocalizedText("推迟", "Delayed"),
        "status.delayed-none": LocalizedText("没有推迟的任务。", "Nothing is delayed."),
        "status.delayed-what": LocalizedText("会自动重试，不必处理。", "They are tried again by themselves."),
        "status.failed": LocalizedText("失败", "Failed"),
        "status.failed-none": LocalizedText("没有失败的任务。", "Nothing has failed."),
        "status.replicas": LocalizedText("副本", "Replicas"),
        "status.replicas-none": LocalizedText("没有设置副本存储。", "No replica stores are set."),
        "status.replica-works": LocalizedText("已核验 {works} 种", "{works} works verified"),
        "status.replica-behind": LocalizedText("落后 {behind} 种", "{behind} behind"),
        "status.replica-whole": LocalizedText("齐全", "complete"),
        "status.limited": LocalizedText("只列出前 {count} 项。", "The first {count} are listed."),
        "status.deposit": LocalizedText("送存", "Deposit"),
        "status.progress": LocalizedText("进度", "Progress"),
        "status.pages-done": LocalizedText("{done} / {total} 幅", "{done} of {total} images"),
        "status.pages-unknown": LocalizedText("正在检查送存目录", "the deposit is being looked through"),
        "status.no-worker": LocalizedText("等待空闲的工作进程", "waiting for a free worker"),
        "status.since": LocalizedText("开始于 {distance}", "asked for {distance}"),
        "status.next": LocalizedText("{distance}重试", "again {distance}"),
        "status.tries": LocalizedText("已试 {tries} 次", "tried {tries} time(s)"),
        "status.when": LocalizedText("始于 {distance}", "since {distance}"),
        "status.what": LocalizedText("事项", "What"),
        "status.reason": LocalizedText("原因", "Reason"),
        "status.todo": LocalizedText("如何处理", "What to do"),
        "status.store": LocalizedText("存储", "Store"),
        "status.held": LocalizedText("副本情况", "Copies"),
        "status.mend-ingest": LocalizedText(
            "排除原因后，对此目录再次运行 shanben ingest",
            "When the reason is mended, run shanben ingest on this folder again",
        ),
        "status.mend-page": LocalizedText("整个送存结束时一并说明", "The end of its ingest will tell"),
        "status.mend-job": LocalizedText(
            "排除原因后，运行 shanben retry", "When the reason is mended, run shanben retry"
        ),
        "status.database-away": LocalizedText(
            "{reason}。将继续尝试；按 Ctrl+C 停止", "{reason}. It is tried on; Ctrl+C stops"
        ),
        "state.queued": LocalizedText("排队", "queued"),
        "state.running": LocalizedText("处理中", "running"),
        "state.waiting": LocalizedText("各页处理中", "pages in work"),
        "state.done": LocalizedText("完成", "done"),
        "state.failed": LocalizedText("失败", "failed"),
        "kind.ingest": LocalizedText("收入", "ingest"),
        "kind.page": LocalizedText("单页", "page"),
        "kind.journal": LocalizedText("写入日志", "extending the log"),
        "kind.pyramid": LocalizedText("重制浏览图", "making a pyramid again"),
        "kind.collection": LocalizedText("总目清单", "the collection of all works"),
        "kind.replicate": LocalizedText("复制著作", "copying a work"),
        "kind.replicate-log": LocalizedText("复制日志", "copying the log"),
    }
)
