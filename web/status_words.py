"""The words of `shanben status` and of the staff's page. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.text import Text

STATUS_WORDS: Final[Mapping[str, Text]] = MappingProxyType(
    {
        "status.title": Text("运行状况", "Operations"),
        "status.lead": Text("{time}（UTC）的情形。", "As of {time} UTC."),
        "status.renewed": Text("每 {seconds} 秒自动更新。", "Renewed every {seconds} seconds."),
        "status.stop": Text("停止自动更新", "Stop renewing"),
        "status.start": Text("自动更新", "Renew by itself"),
        "status.now": Text("立即更新", "Renew now"),
        "status.holdings": Text("馆藏", "Holdings"),
        "status.works": Text("著作", "works"),
        "status.images": Text("图像", "images"),
        "status.bytes": Text("原图", "masters"),
        "status.jobs": Text("任务", "jobs"),
        "status.log": Text("日志", "log"),
        "status.log-size": Text("{size} 条", "{size} entries"),
        "status.log-staged": Text("待写入 {staged} 条", "{staged} events waiting"),
        "status.root": Text("树根", "root"),
        "status.fixity": Text("校验", "fixity"),
        "status.fixity-checked": Text("已校验 {checked} / {expected} 幅", "{checked} of {expected} checked"),
        "status.preserved": Text("已保全", "preserved"),
        "status.preserved-of": Text(
            "{preserved} / {works} 种，各处存储均已核验", "{preserved} of {works} works, verified in every store"
        ),
        "status.unknown": Text("未知：{reason}", "unknown: {reason}"),
        "status.ingests": Text("正在收入", "Being taken in"),
        "status.ingests-none": Text("没有正在进行的收入。", "Nothing is being taken in."),
        "status.delayed": Text("推迟", "Delayed"),
        "status.delayed-none": Text("没有推迟的任务。", "Nothing is delayed."),
        "status.delayed-what": Text("会自动重试，不必处理。", "They are tried again by themselves."),
        "status.failed": Text("失败", "Failed"),
        "status.failed-none": Text("没有失败的任务。", "Nothing has failed."),
        "status.replicas": Text("副本", "Replicas"),
        "status.replicas-none": Text("没有设置副本存储。", "No replica stores are set."),
        "status.replica-works": Text("已核验 {works} 种", "{works} works verified"),
        "status.replica-behind": Text("落后 {behind} 种", "{behind} behind"),
        "status.replica-whole": Text("齐全", "complete"),
        "status.limited": Text("只列出前 {count} 项。", "The first {count} are listed."),
        "status.deposit": Text("送存", "Deposit"),
        "status.progress": Text("进度", "Progress"),
        "status.pages-done": Text("{done} / {total} 幅", "{done} of {total} images"),
        "status.pages-unknown": Text("正在检查送存目录", "the deposit is being looked through"),
        "status.no-worker": Text("等待空闲的工作进程", "waiting for a free worker"),
        "status.since": Text("开始于 {distance}", "asked for {distance}"),
        "status.next": Text("{distance}重试", "again {distance}"),
        "status.tries": Text("已试 {tries} 次", "tried {tries} time(s)"),
        "status.when": Text("始于 {distance}", "since {distance}"),
        "status.what": Text("事项", "What"),
        "status.reason": Text("原因", "Reason"),
        "status.todo": Text("如何处理", "What to do"),
        "status.store": Text("存储", "Store"),
        "status.held": Text("副本情况", "Copies"),
        "status.mend-ingest": Text(
            "排除原因后，对此目录再次运行 shanben ingest",
            "When the reason is mended, run shanben ingest on this folder again",
        ),
        "status.mend-page": Text("整个送存结束时一并说明", "The end of its ingest will tell"),
        "status.mend-job": Text("排除原因后，运行 shanben retry", "When the reason is mended, run shanben retry"),
        "status.database-away": Text("{reason}。将继续尝试；按 Ctrl+C 停止", "{reason}. It is tried on; Ctrl+C stops"),
        "state.queued": Text("排队", "queued"),
        "state.running": Text("处理中", "running"),
        "state.waiting": Text("各页处理中", "pages in work"),
        "state.done": Text("完成", "done"),
        "state.failed": Text("失败", "failed"),
        "kind.ingest": Text("收入", "ingest"),
        "kind.page": Text("单页", "page"),
        "kind.journal": Text("写入日志", "extending the log"),
        "kind.pyramid": Text("重制浏览图", "making a pyramid again"),
        "kind.collection": Text("总目清单", "the collection of all works"),
        "kind.replicate": Text("复制著作", "copying a work"),
        "kind.replicate-log": Text("复制日志", "copying the log"),
    }
)
