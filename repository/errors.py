"""The domain errors, a tree whose four branches decide the exit status of a command. (pure)

::

    ShanbenError
    ├── ContentError                a deposit is wrong                        (exit status 1)
    │   ├── DepositRefused          carries every fault of the deposit
    │   └── MasterUnreadable        an image that cannot be decoded completely
    │       ├── MasterUnsupported   a format, or a variant of one, that is not accepted
    │       ├── MasterMisnamed      a suffix that contradicts the content
    │       ├── MasterMultipage     several pages in one file
    │       ├── MasterTooLarge      more pixels than allowed
    │       └── DecoderCrashed      the decoder crashed, or exceeded its memory or time
    ├── CallError                   a request or setting is wrong             (exit status 2)
    │   ├── RequestInvalid          breaks a grammar (IIIF, query string)
    │   ├── NotFound                no such work, image or page
    │   ├── Withdrawn               held, but withdrawn from public view
    │   ├── AccessRefused           held, but restricted
    │   ├── SettingInvalid          a setting that cannot be used
    │   └── IdentifierInvalid       a mistyped identifier
    ├── IntegrityError              stored bytes are wrong                    (exit status 1)
    │   ├── DigestMismatch          bytes that differ from the recorded digest
    │   │   └── MasterDamaged       a preserved master that differs from its deposit
    │   ├── PyramidCorrupt          a damaged pyramid
    │   ├── ObjectInvalid           an object that breaks OCFL
    │   ├── EventInvalid            an event that does not follow the event format
    │   └── LogInvalid              a provenance log that is inconsistent
    │       └── EvidenceInvalid     a signed note, checkpoint or evidence file that does not verify
    └── SystemFault                 a resource or service is unavailable      (exit status 3)
        ├── StoreFault              an object store failed
        │   ├── StoreDenied         wrong credentials, or no such bucket
        │   ├── StoreFull           no space or quota left
        │   ├── KeyNotFound         no object under this key
        │   └── KeyExists           an object under this key already
        ├── DatabaseFault           the database failed
        ├── Busy                    another process is doing the same
        │   └── LogBusy             another process is writing the log
        ├── DepositNotMounted       a deposit folder that this machine cannot read
        ├── StagingFault            scratch files cannot be written
        ├── SandboxFailed           a sandboxed call crashed, or exceeded its memory or time
        ├── RenderingBusy           too many large images are being rendered
        └── DependencyMissing       a key, broker or built file is missing

A module may add errors of its own below these, such as `iiif_server.render.pool.RenderingFailed`. Errors know nothing
of HTTP: `iiif_server/problems.py` holds the table of status codes. `code` is a stable identifier for programs; the text
is for people, and says what happened and what to do.
"""

from __future__ import annotations

from typing import ClassVar

from repository.faults import Fault
from repository.localized import Language, LocalizedText


class ShanbenError(Exception):
    """The root of the tree, never raised itself."""

    code: ClassVar[str] = "shanben"
    transient: ClassVar[bool] = False
    """Whether the same call may succeed later without intervention; such a job is retried."""

    is_public: ClassVar[bool] = False  # readers may see the message of this fault of the server
    text: ClassVar[LocalizedText] = LocalizedText("出错：{reason}", "An error occurred: {reason}")

    faults: tuple[Fault, ...] = ()
    """The faults of a refused deposit; empty for every other error."""

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(str(self.message))

    @property
    def branch(self) -> str:
        """The branch of the tree: ``content``, ``call``, ``integrity`` or ``system``."""
        branches = (kind for kind in ShanbenError.__subclasses__() if isinstance(self, kind))
        return next((kind.code for kind in branches), ShanbenError.code)

    @property
    def message(self) -> LocalizedText:
        """The text with the details filled in."""
        return self.text.format(**self.details)

    def in_language(self, language: Language | None) -> str:
        """Return the message in one language, or in both for None."""
        return self.message.in_language(language)

    def to_json(self) -> dict[str, object]:
        """Return the error as a job's result stores it: code, branch, message in both languages, deposit faults."""
        faults = [fault.to_json() for fault in self.faults]
        return {"code": self.code, "branch": self.branch, "message": self.message.to_json(), "faults": faults}


class ContentError(ShanbenError):
    """A deposit is wrong."""

    code = "content"


class DepositRefused(ContentError):
    """A deposit with faults; nothing of it was ingested."""

    code = "deposit.refused"
    text = LocalizedText(
        "送存 {deposit} 有 {count} 处问题，未予收入；请逐条改正后重试",
        "The deposit {deposit} has {count} {count:fault|faults} and was not ingested; correct them and try again",
    )

    def __init__(self, deposit: str, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__(deposit=deposit, count=len(faults))


class MasterUnreadable(ContentError):
    """An image that cannot be decoded completely."""

    code = "master.unreadable"
    text = LocalizedText(
        "图像无法完整解码：{reason}；请重新扫描或导出",
        "The image cannot be decoded completely: {reason}; scan or export it again",
    )


class MasterUnsupported(MasterUnreadable):
    """A format, or a variant of one, that is not accepted; `seen` names it."""

    code = "master.format"
    text = LocalizedText(
        "不支持的图像格式（{seen}）；请改存为 8 或 16 位的 TIFF、JPEG、PNG、WebP 或 JPEG 2000",
        "Unsupported image format ({seen}); save it as TIFF, JPEG, PNG, WebP or JPEG 2000 with 8 or 16 bits per sample",
    )


class MasterMisnamed(MasterUnreadable):
    """A file whose suffix contradicts its content."""

    code = "master.suffix"
    text = LocalizedText(
        "后缀 {suffix} 与内容（{seen}）不符；请改名为 {expected}",
        "The suffix {suffix} does not match the content ({seen}); rename it to {expected}",
    )


class MasterMultipage(MasterUnreadable):
    """A file with several pages."""

    code = "master.multipage"
    text = LocalizedText(
        "一个文件中有 {pages} 页；请拆分为每页一个文件", "The file holds {pages} pages; split it into one file per page"
    )


class MasterTooLarge(MasterUnreadable):
    """An image with more pixels than allowed; `limit` describes the limit."""

    code = "master.size"
    text = LocalizedText(
        "图像为 {width} × {height} 像素，超出上限（{limit}）；请分幅保存，或请管理员调高上限",
        "The image has {width} × {height} pixels, above the limit ({limit}); split it, or ask the administrator to "
        "raise the limit",
    )


class DecoderCrashed(MasterUnreadable):
    """The decoder crashed on a file, or exceeded its memory or time."""

    code = "master.decoder"
    text = LocalizedText(
        "解码此文件时解码器中止（{reason}）；文件可能已损坏，请重新扫描或导出",
        "The decoder failed on this file ({reason}), which may be damaged; scan or export it again",
    )


class CallError(ShanbenError):
    """A request or setting is wrong."""

    code = "call"


class RequestInvalid(CallError):
    """A request that breaks its grammar; `part` names the part."""

    code = "request.invalid"
    text = LocalizedText("请求的 {part} 部分不合规范：{reason}", "The request's {part} is not valid: {reason}")


class NotFound(CallError):
    """No such work, image or page."""

    code = "not-held"
    text = LocalizedText(
        "馆藏中没有 {what}；请核对地址或编号", "{what} is not held here; check its address or identifier"
    )


class Withdrawn(CallError):
    """Held, but withdrawn from public view; nothing was deleted. `when` says on which day, or nothing."""

    code = "withdrawn"
    text = LocalizedText("{what} 已{when}撤下；请联系馆方", "{what} was withdrawn{when}; please contact the library")


class AccessRefused(CallError):
    """Held, but restricted."""

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
        "The identifier {identifier} is mistyped (its check character is wrong); check it",
    )


class IntegrityError(ShanbenError):
    """Stored bytes are wrong."""

    code = "integrity"


class DigestMismatch(IntegrityError):
    """Bytes that differ from the recorded digest."""

    code = "integrity.digest"
    text = LocalizedText("{key} 的内容与记录的摘要不符", "The bytes of {key} do not match the recorded digest")


class MasterDamaged(DigestMismatch):
    """A preserved master that differs from what was deposited."""

    code = "integrity.master"
    text = LocalizedText(
        "保存的原图 {key} 已损坏（与记录的摘要不符）；请用副本中的同一文件替换后重试",
        "The preserved master {key} is damaged (its digest does not match); replace it with the same file from a "
        "replica and try again",
    )


class PyramidCorrupt(IntegrityError):
    """A pyramid with a damaged directory or tile; it can be rebuilt from its master."""

    code = "integrity.pyramid"
    text = LocalizedText(
        "浏览图 {key} 已损坏：{reason}；将由原图自动重制",
        "The pyramid {key} is damaged: {reason}; it will be rebuilt from its master",
    )


class ObjectInvalid(IntegrityError):
    """A stored object that breaks OCFL."""

    code = "integrity.ocfl"
    text = LocalizedText("OCFL 对象 {key} 无效：{reason}", "The OCFL object {key} is not valid: {reason}")


class EventInvalid(IntegrityError):
    """An event that does not follow the event format."""

    code = "integrity.event"
    text = LocalizedText("事件记录无效：{reason}", "The event is not valid: {reason}")


class LogInvalid(IntegrityError):
    """A provenance log that is inconsistent; nothing more is signed."""

    code = "integrity.log"
    text = LocalizedText(
        "溯源日志异常：{reason}；已停止签发", "The log is inconsistent: {reason}; nothing more is signed"
    )


class EvidenceInvalid(LogInvalid):
    """A signed note, checkpoint or evidence file that does not verify."""

    code = "integrity.evidence"
    text = LocalizedText("签名文件验证不通过：{reason}", "The signed document does not verify: {reason}")


class SystemFault(ShanbenError):
    """A resource or service is unavailable."""

    code = "system"
    transient = True


class StoreFault(SystemFault):
    """An object store failed."""

    code = "store"
    text = LocalizedText("存储出错（{key}）：{reason}", "The object store failed at {key}: {reason}")


class StoreDenied(StoreFault):
    """The store refuses: wrong credentials, or no such bucket."""

    code = "store.denied"
    transient = False


class StoreFull(StoreFault):
    """No space or quota is left. Retries succeed once an operator has freed some."""

    code = "store.full"
    text = LocalizedText("存储已满（{key}）：{reason}", "The object store is full at {key}: {reason}")


class KeyNotFound(StoreFault):
    """No object under this key."""

    code = "store.key-absent"
    transient = False
    text = LocalizedText("存储中没有 {key}", "The object store has no {key}")


class KeyExists(StoreFault):
    """An object under this key already."""

    code = "store.key-taken"
    transient = False
    text = LocalizedText("存储中已有 {key}，不予覆盖", "The object store already has {key}, which is not overwritten")


class DatabaseFault(SystemFault):
    """The database failed."""

    code = "database"
    text = LocalizedText("数据库不可用：{reason}", "The database cannot be used: {reason}")


class Busy(SystemFault):
    """Another process is doing the same."""

    code = "system.busy"
    text = LocalizedText(
        "另一进程正在处理{what}；请稍后重试", "Another process is working on {what}; try again shortly"
    )


class LogBusy(Busy):
    """Another process is writing the log."""

    code = "log.busy"
    text = LocalizedText(
        "另一进程正在写入溯源日志；请稍后重试", "Another process is writing the log; try again shortly"
    )


class DepositNotMounted(SystemFault):
    """A deposit folder, or a file in it, that this machine cannot read."""

    code = "deposit.unseen"
    text = LocalizedText(
        "本机无法读取 {path}（{reason}）；送存目录须以同一路径挂载到每台工作机",
        "This machine cannot read {path} ({reason}); mount deposit folders under the same path on every worker",
    )


class StagingFault(SystemFault):
    """Scratch files cannot be written: no space, or no permission."""

    code = "staging"
    text = LocalizedText(
        "暂存区无法写入：{reason}；请检查磁盘空间与权限后重试",
        "Scratch files cannot be written: {reason}; check the disk space and permissions, then try again",
    )


class SandboxFailed(SystemFault):
    """A sandboxed call crashed, or exceeded its memory or time. Callers turn it into an error of their own."""

    code = "sandbox"
    text = LocalizedText("子进程中止：{reason}", "The child process failed: {reason}")


class RenderingBusy(SystemFault):
    """Too many large images are being rendered. Tiles are served regardless."""

    code = "rendering.busy"
    text = LocalizedText("正在生成其他大图；请稍后重试", "Other large images are being rendered; try again shortly")


class DependencyMissing(SystemFault):
    """A key, broker or built file is missing."""

    code = "system.absent"
    transient = False
    text = LocalizedText("缺少 {what}：{remedy}", "{what} is missing: {remedy}")
