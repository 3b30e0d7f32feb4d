"""Everything that can go wrong, as a tree of domain errors. (pure)

::

    ShanbenError
    ├── ContentError                what was handed in is at fault          (exit 1)
    │   ├── DepositRefused          carries every fault found
    │   └── MasterUnreadable        an image that cannot be decoded whole
    │       ├── MasterUnsupported   a format, or a kind of it, that is not taken
    │       ├── MasterMisnamed      its suffix says another format than its content
    │       ├── MasterMultipage     several pages in one file
    │       ├── MasterTooLarge      more pixels than allowed
    │       └── SandboxFailed         the decoder crashed or ran out of time on it
    ├── CallError                   the call is at fault                    (exit 2)
    │   ├── RequestInvalid          breaks a grammar (IIIF, query string)
    │   ├── NotFound                 no such work, image or page
    │   ├── Withdrawn               held, but out of public view
    │   ├── AccessRefused           held, but not for this viewer
    │   ├── SettingInvalid          a setting that cannot be used
    │   └── IdentifierInvalid       a mistyped identifier
    ├── IntegrityError              bytes are not what they must be         (exit 1)
    │   ├── DigestMismatch
    │   ├── PyramidCorrupt
    │   ├── ObjectInvalid           breaks OCFL
    │   ├── EventInvalid            not an event as this repository writes them
    │   └── LogInvalid              breaks the provenance log's promises
    │       └── EvidenceInvalid     a signed note, checkpoint or evidence file that does not hold
    └── SystemFault                 something the system needs is not there (exit 3)
        ├── StoreFault
        │   ├── StoreDenied         wrong credentials, no such bucket
        │   ├── StoreFull           no room, or no quota, is left
        │   ├── KeyNotFound
        │   └── KeyExists
        ├── DatabaseFault
        ├── Busy                    another process is doing the same thing
        │   └── LogBusy             another process is writing the log
        ├── DepositNotMounted           a deposit folder that this machine does not see
        ├── StagingFault            no room, or no right to write, for work in progress
        ├── RenderingBusy           too many large pictures are being made at once
        └── DependencyMissing              a key, a broker, a built file is missing

An error knows nothing of HTTP: `iiif_server/responses.py` holds the one table. Its `code` is for machines and stays
as it is; its text is for a person and says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from repository.localized import Language, LocalizedText


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a deposit.

    `file` is relative to the deposit folder, `place` the row, key or part of the file ('' for all of it),
    `code` a stable word for programs, `message` what a librarian should know and do.
    """

    file: str
    place: str
    code: str
    message: LocalizedText


class ShanbenError(Exception):
    """The root of the tree; never raised itself."""

    code: ClassVar[str] = "shanben"
    transient: ClassVar[bool] = False
    """Whether the same may go well a little later, with nobody's help: a job that ended so is tried again."""

    text: ClassVar[LocalizedText] = LocalizedText("出错：{reason}", "Something went wrong: {reason}")

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(str(self.message))

    @property
    def branch(self) -> str:
        """Which of the four branches of the tree this error hangs on: content, call, integrity or system."""
        branches = (kind for kind in ShanbenError.__subclasses__() if isinstance(self, kind))
        return next((kind.code for kind in branches), ShanbenError.code)

    @property
    def message(self) -> LocalizedText:
        """What happened and what to do, with the details filled in."""
        return self.text.format(**self.details)

    def in_language(self, language: Language | None) -> str:
        """The message in one language, or in both when it is not known which the reader wants."""
        return self.message.in_language(language)


class ContentError(ShanbenError):
    """What was handed in is at fault."""

    code = "content"


class DepositRefused(ContentError):
    """A deposit with faults; nothing of it was kept."""

    code = "deposit.refused"
    text = LocalizedText(
        "送存 {deposit} 有 {count} 处问题，未收入任何内容；请逐条改正后重试",
        "The deposit {deposit} has {count} fault(s) and nothing was taken in; mend them and try again",
    )

    def __init__(self, deposit: str, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__(deposit=deposit, count=len(faults))


class MasterUnreadable(ContentError):
    """An image that cannot be decoded whole."""

    code = "master.unreadable"
    text = LocalizedText(
        "图像无法完整解码：{reason}；请重新扫描或导出",
        "The image cannot be decoded whole: {reason}; scan or export it again",
    )


class MasterUnsupported(MasterUnreadable):
    """A format, or a kind of a format, that is not taken; `seen` names it."""

    code = "master.format"
    text = LocalizedText(
        "不支持的图像格式（{seen}）；请改存为 8 或 16 位的 TIFF、JPEG、PNG、WebP 或 JPEG 2000",
        "Unsupported format ({seen}); save it as TIFF, JPEG, PNG, WebP or JPEG 2000 with 8 or 16 bits a sample",
    )


class MasterMisnamed(MasterUnreadable):
    """A file whose suffix says another format than its content."""

    code = "master.suffix"
    text = LocalizedText(
        "后缀 {suffix} 与内容（{seen}）不符；请改名为 {expected}",
        "The suffix {suffix} does not fit the content ({seen}); rename it to {expected}",
    )


class MasterMultipage(MasterUnreadable):
    """A file with several pages."""

    code = "master.multipage"
    text = LocalizedText(
        "一个文件中有 {pages} 页；请拆分为每页一个文件",
        "The file holds {pages} pages; split it into one file a page",
    )


class MasterTooLarge(MasterUnreadable):
    """A picture with more pixels than allowed; `limit` says what is."""

    code = "master.size"
    text = LocalizedText(
        "图像为 {width} × {height} 像素，超出上限（{limit}）；请分幅保存，或请管理员调高上限",
        "The image has {width} × {height} pixels, above the limit ({limit}); split it, or ask for a higher limit",
    )


class SandboxFailed(MasterUnreadable):
    """The decoder crashed, ran out of memory or ran out of time on this file."""

    code = "master.decoder"
    text = LocalizedText(
        "解码此文件时解码器中止（{reason}）；文件可能已损坏，请重新扫描或导出",
        "The decoder gave up on this file ({reason}); it may be damaged: scan or export it again",
    )


class CallError(ShanbenError):
    """The call is at fault."""

    code = "call"


class RequestInvalid(CallError):
    """A request that breaks its grammar; `part` names which part."""

    code = "request.invalid"
    text = LocalizedText(
        "请求的 {part} 部分不合规范：{reason}", "The {part} part of the request is not valid: {reason}"
    )


class NotFound(CallError):
    """No such work, image or page."""

    code = "not-held"
    text = LocalizedText(
        "馆藏中没有 {what}；请核对地址或编号", "{what} is not held here; check the address or identifier"
    )


class Withdrawn(CallError):
    """Held, but withdrawn from public view; nothing was deleted."""

    code = "withdrawn"
    text = LocalizedText(
        "{what} 已撤下，不再公开；请联系馆方", "{what} has been withdrawn from public view; please contact the library"
    )


class AccessRefused(CallError):
    """Held, but not for this viewer."""

    code = "access.refused"
    text = LocalizedText("{what} 限制访问；请联系馆方", "Access to {what} is restricted; please contact the library")


class SettingInvalid(CallError):
    """A setting that cannot be used."""

    code = "setting.invalid"
    text = LocalizedText("设置 {name} 无效：{reason}", "The setting {name} cannot be used: {reason}")


class IdentifierInvalid(CallError):
    """A mistyped identifier: its form or its check character is wrong."""

    code = "identifier.invalid"
    text = LocalizedText(
        "编号 {identifier} 有误（校验字符不符）；请核对",
        "The identifier {identifier} is mistyped (its check character does not fit)",
    )


class IntegrityError(ShanbenError):
    """Bytes are not what they must be."""

    code = "integrity"


class DigestMismatch(IntegrityError):
    """Stored bytes hash to something else than recorded."""

    code = "integrity.digest"
    text = LocalizedText("{key} 的内容与记录的摘要不符", "The bytes of {key} do not have the digest on record")


class MasterDamaged(DigestMismatch):
    """A preserved master that is not what was taken in."""

    code = "integrity.master"
    text = LocalizedText(
        "保存的原图 {key} 已损坏（与记录的摘要不符）；请用副本中的同一文件替换后重试",
        "The preserved master {key} is damaged (its digest is another); put the replica's file in its place, try again",
    )


class PyramidCorrupt(IntegrityError):
    """A pyramid whose directory or tile is damaged; it can be made again from its master."""

    code = "integrity.pyramid"
    text = LocalizedText(
        "浏览图 {key} 已损坏：{reason}；将由原图自动重制",
        "The pyramid {key} is damaged: {reason}; it will be made again from its master",
    )


class ObjectInvalid(IntegrityError):
    """A stored OCFL object that breaks OCFL."""

    code = "integrity.ocfl"
    text = LocalizedText("OCFL 对象 {key} 无效：{reason}", "The OCFL object {key} is not valid: {reason}")


class EventInvalid(IntegrityError):
    """Not an event as this repository writes them."""

    code = "integrity.event"
    text = LocalizedText("事件记录无效：{reason}", "The event is not valid: {reason}")


class LogInvalid(IntegrityError):
    """The provenance log breaks a promise; nothing more is signed."""

    code = "integrity.log"
    text = LocalizedText(
        "溯源日志异常：{reason}；已停止签发", "The provenance log is at fault: {reason}; nothing more will be signed"
    )


class EvidenceInvalid(LogInvalid):
    """A signed note, checkpoint or evidence file that does not hold."""

    code = "integrity.evidence"
    text = LocalizedText("签名文件不成立：{reason}", "The signed document does not hold: {reason}")


class SystemFault(ShanbenError):
    """Something the system needs is not there."""

    code = "system"
    transient = True


class StoreFault(SystemFault):
    """The object store cannot do what was asked."""

    code = "store"
    text = LocalizedText("存储出错（{key}）：{reason}", "The store failed at {key}: {reason}")


class StoreDenied(StoreFault):
    """The store is there and refuses: wrong credentials, no such bucket."""

    code = "store.denied"
    transient = False


class StoreFull(StoreFault):
    """No room is left, or the quota is used up; goes well once somebody has made room."""

    code = "store.full"
    text = LocalizedText("存储已满（{key}）：{reason}", "The store is full at {key}: {reason}")


class KeyNotFound(StoreFault):
    """No object under this key."""

    code = "store.key-absent"
    transient = False
    text = LocalizedText("存储中没有 {key}", "The store holds nothing under {key}")


class KeyExists(StoreFault):
    """An object under this key is already there."""

    code = "store.key-taken"
    transient = False
    text = LocalizedText("存储中已有 {key}，不予覆盖", "The store already holds {key}; it is not overwritten")


class DatabaseFault(SystemFault):
    """The database cannot be used."""

    code = "database"
    text = LocalizedText("数据库不可用：{reason}", "The database cannot be used: {reason}")


class Busy(SystemFault):
    """Another process is doing the same thing."""

    code = "system.busy"
    text = LocalizedText("另一进程正在处理{what}；请稍后重试", "Another process is busy with {what}; try again shortly")


class LogBusy(Busy):
    """Another process is writing the log."""

    code = "log.busy"
    text = LocalizedText(
        "另一进程正在写入溯源日志；请稍后重试", "Another process is writing the provenance log; try again shortly"
    )


class DepositNotMounted(SystemFault):
    """A deposit folder, or a file in it, that this machine does not see."""

    code = "deposit.unseen"
    text = LocalizedText(
        "本机读不到 {path}（{reason}）；送存目录须以同一路径挂载到每台工作机",
        "This machine cannot read {path} ({reason}); every worker must see deposit folders under the same path",
    )


class StagingFault(SystemFault):
    """There is no room, or no right to write, where work in progress lies."""

    code = "staging"
    text = LocalizedText(
        "暂存区无法写入：{reason}；请腾出磁盘空间后重试",
        "Work in progress cannot be written: {reason}; make room on the disk and try again",
    )


class RenderingBusy(SystemFault):
    """Too many large pictures are being made at once; tiles are served all the same."""

    code = "rendering.busy"
    text = LocalizedText(
        "正在生成其他大图；请稍后重试", "Other large pictures are being made; please try again shortly"
    )


class DependencyMissing(SystemFault):
    """A key, a broker or a built file is missing."""

    code = "system.absent"
    transient = False
    text = LocalizedText("缺少 {what}：{remedy}", "{what} is missing: {remedy}")
