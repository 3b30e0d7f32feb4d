"""The texts of `shanben status` and of the staff page. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

STATUS_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "status.title": LocalizedText("运行状况", "System status"),
        "status.lead": LocalizedText("截至 {time}（UTC）。", "As of {time} UTC."),
        "status.refreshed": LocalizedText(
            "每 {seconds} 秒自动刷新。", "Refreshes every {seconds} {seconds:second|seconds}."
        ),
        "status.stop": LocalizedText("停止自动刷新", "Stop refreshing"),
        "status.start": LocalizedText("自动刷新", "Refresh automatically"),
        "status.now": LocalizedText("立即刷新", "Refresh now"),
        "status.holdings": LocalizedText("馆藏", "Holdings"),
        "status.works": LocalizedText("著作", "works"),
        "status.images": LocalizedText("图像", "images"),
        "status.bytes": LocalizedText("原图", "masters"),
        "status.jobs": LocalizedText("任务", "jobs"),
        "status.log": LocalizedText("日志", "log"),
        "status.lost": LocalizedText("丢失", "lost"),
        "status.lost-works": LocalizedText(
            "{count} 种：日志记有而存储中没有（shanben store lost）",
            "{count} {count:work|works} that the log names and the store lacks (shanben store lost)",
        ),
        "status.log-size": LocalizedText("{size} 条", "{size} {size:entry|entries}"),
        "status.log-staged": LocalizedText("待写入 {staged} 条", "{staged} {staged:event|events} to append"),
        "status.timestamp": LocalizedText("时间戳", "timestamp"),
        "status.timestamp-none": LocalizedText("没有可读的时间戳", "no timestamp could be read"),
        "status.timestamp-of": LocalizedText(
            "最新一个为 {date}（{age}），涵盖前 {size} 条",
            "the newest is of {date} ({age}) and covers the first {size} {size:entry|entries}",
        ),
        "status.timestamp-later": LocalizedText(
            "，其后 {count} 条尚无", "; {count} later {count:entry has|entries have} none"
        ),
        "status.log-key": LocalizedText("日志密钥", "log key"),
        "status.key-until": LocalizedText("应于 {date} 之前更换（{when}）", "to be replaced by {date} ({when})"),
        "status.key-over": LocalizedText(
            "应于 {date} 之前更换，已逾期（{when}）；请运行 shanben keys rotate",
            "should have been replaced by {date} ({when}): run shanben keys rotate",
        ),
        "status.key-unknown": LocalizedText(
            "启用时间未知，无从推算更换时间；运行 shanben keys rotate 即可记录",
            "its age is not known, so neither is its end; shanben keys rotate makes a key of known age",
        ),
        "status.key-no-ml-dsa": LocalizedText(
            "；检查点没有 ML-DSA 签名，运行 shanben keys rotate 即可加入",
            "; no ML-DSA key signs beside it: shanben keys rotate adds one",
        ),
        "status.root": LocalizedText("树根", "root"),
        "status.fixity": LocalizedText("校验", "fixity"),
        "status.preserved": LocalizedText("保存", "preserved"),
        "status.preserved-of": LocalizedText("{preserved} / {works} 种", "{preserved} of {works} {works:work|works}"),
        "status.preserved-since": LocalizedText(
            "{preserved} / {works} 种，写入各处存储时均已核验（不早于 {date}）",
            "{preserved} of {works} {works:work|works}, verified in every store when written there (on or after"
            " {date})",
        ),
        "status.store-fault": LocalizedText("存储异常", "Store not recognised"),
        "status.unknown": LocalizedText("未知：{reason}", "unknown: {reason}"),
        "status.ingests": LocalizedText("正在收入", "Ingests in progress"),
        "status.ingests-none": LocalizedText("没有正在进行的收入。", "No ingest is in progress."),
        "status.delayed": LocalizedText("推迟", "Delayed"),
        "status.delayed-none": LocalizedText("没有推迟的任务。", "No job is delayed."),
        "status.delayed-what": LocalizedText(
            "系统会定时再试；原因中写明须处理的，请先处理。",
            "These jobs are tried again at intervals. If a reason asks for an action, take it first.",
        ),
        "status.failed": LocalizedText("失败", "Failed"),
        "status.failed-none": LocalizedText("没有失败的任务。", "No job has failed."),
        "status.replicas": LocalizedText("副本", "Replicas"),
        "status.replicas-none": LocalizedText("没有设置副本存储。", "No replica store is configured."),
        "status.replica-works": LocalizedText("存有 {works} 种", "{works} {works:work|works}"),
        "status.replica-works-since": LocalizedText(
            "存有 {works} 种，写入时均已核验（不早于 {date}）",
            "{works} {works:work|works}, verified when copied (on or after {date})",
        ),
        "status.replica-behind": LocalizedText("尚缺 {behind} 种", "{behind} behind"),
        "status.replica-whole": LocalizedText("齐全", "complete"),
        "status.witnesses": LocalizedText("见证方", "Witnesses"),
        "status.witness-never": LocalizedText("尚未联署", "has not cosigned the log yet"),
        "status.witness-behind": LocalizedText(
            "落后 {behind} 条；已联署 {size} 条（{date}）",
            "{behind} {behind:entry|entries} behind: cosigned {size} on {date}",
        ),
        "status.witness-current": LocalizedText(
            "已联署全部 {size} 条（{date}）", "cosigned all {size} {size:entry|entries} on {date}"
        ),
        "status.limited": LocalizedText("仅列出前 {count} 项。", "Only the first {count} {count:is|are} listed."),
        "status.pages-done": LocalizedText("{done} / {total} 幅", "{done} of {total} {total:image|images}"),
        "status.pages-unknown": LocalizedText("正在检查送存目录", "checking the deposit folder"),
        "status.no-worker": LocalizedText("等待空闲的工作进程", "waiting for a free worker"),
        "status.since": LocalizedText("提交于 {distance}", "submitted {distance}"),
        "status.next": LocalizedText("{distance}重试", "retry {distance}"),
        "status.tries": LocalizedText("已试 {tries} 次", "{tries} {tries:attempt|attempts}"),
        "status.when": LocalizedText("首次失败于 {distance}", "first failed {distance}"),
        "status.remedy-ingest": LocalizedText(
            "请排除原因，再次运行 shanben ingest 收入此目录",
            "Correct the cause, then run shanben ingest on this folder again",
        ),
        "status.remedy-page": LocalizedText("收入结束时一并报告", "Reported when the ingest ends"),
        "status.remedy-job": LocalizedText(
            "请排除原因，再运行 shanben retry", "Correct the cause, then run shanben retry"
        ),
        "status.database-away": LocalizedText(
            "{reason}。正在继续尝试；按 Ctrl+C 停止", "{reason}. Retrying; press Ctrl+C to stop"
        ),
        "state.queued": LocalizedText("排队", "queued"),
        "state.running": LocalizedText("处理中", "running"),
        "state.waiting": LocalizedText("各页处理中", "processing pages"),
        "state.done": LocalizedText("完成", "done"),
        "state.failed": LocalizedText("失败", "failed"),
        "kind.ingest": LocalizedText("收入", "ingest"),
        "kind.page": LocalizedText("单页", "page"),
        "kind.journal": LocalizedText("写入日志", "log append"),
        "kind.pyramid": LocalizedText("重制浏览图", "pyramid repair"),
        "kind.repair": LocalizedText("修复著作", "repair of a work"),
        "kind.repair-stores": LocalizedText("修复日志", "repair of the log"),
        "kind.timestamp": LocalizedText("请求时间戳", "timestamp request"),
        "kind.witness": LocalizedText("请求见证", "request to witnesses"),
        "kind.delete": LocalizedText("删除著作", "deletion of a work"),
        "kind.delete-copy": LocalizedText("删除副本", "deletion of a copy"),
        "kind.access": LocalizedText("保存利用限制", "access change"),
        "kind.alarms": LocalizedText("检查警报", "alarm check"),
        "kind.republish": LocalizedText("核对已发布的清单", "comparison of manifests"),
        "kind.manifest": LocalizedText("重新发布清单", "publication of a manifest"),
        "kind.collection": LocalizedText("更新总目", "collection update"),
        "kind.replicate": LocalizedText("复制著作", "work replication"),
        "kind.replicate-log": LocalizedText("复制日志", "log replication"),
        "kind.fixity": LocalizedText("完整性校验", "fixity sweep"),
        "kind.harvest": LocalizedText("收割元数据", "harvest"),
        "kind.fixity-part": LocalizedText("校验文件", "check of files"),
        "kind.text": LocalizedText("添加文本", "addition of text"),
        "kind.text-correction": LocalizedText("校正文本", "correction of text"),
        "kind.ocr": LocalizedText("识别著作文字", "text recognition of a work"),
        "kind.ocr-pages": LocalizedText("识别书页文字", "text recognition of pages"),
        "kind.features": LocalizedText("提取页面特征", "features of pages"),
        "kind.feature-index": LocalizedText("更新特征索引", "feature index"),
        "kind.search": LocalizedText("更新检索索引", "search index"),
    }
)
