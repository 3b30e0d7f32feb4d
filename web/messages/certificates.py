"""The texts of certificates and of the page ``/verify``. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

CERTIFICATE_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "certificate.title": LocalizedText(
            "数字资源权属与完整性证明", "Certificate of Provenance and Integrity of a Digital Resource"
        ),
        "certificate.short": LocalizedText("权属与完整性证明", "Certificate"),
        "certificate.pdf": LocalizedText("下载 PDF", "Download PDF"),
        "certificate.evidence": LocalizedText("下载证据包", "Download evidence"),
        "certificate.open": LocalizedText("证明与证据", "Certificate and evidence"),
        "certificate.history": LocalizedText("查看全部记录", "See the whole history"),
        "certificate.work": LocalizedText("题名", "Title"),
        "certificate.creator": LocalizedText("责任者", "Creator"),
        "certificate.date": LocalizedText("年代", "Date"),
        "certificate.holder": LocalizedText("收藏", "Holder"),
        "certificate.image": LocalizedText("图像", "Image"),
        "certificate.page": LocalizedText("第 {number} 面", "Page {number}"),
        "certificate.pixels": LocalizedText("{width} × {height} 像素", "{width} × {height} pixels"),
        "certificate.master": LocalizedText("原图文件", "Master file"),
        "certificate.bytes": LocalizedText("{media_type}，{bytes} 字节", "{media_type}, {bytes} bytes"),
        "certificate.images": LocalizedText("图像", "Images"),
        "certificate.images-count": LocalizedText(
            "{count} 幅，原图共 {bytes} 字节", "{count} {count:image|images}; masters of {bytes} bytes in all"
        ),
        "certificate.identifier": LocalizedText("编号", "Identifier"),
        "certificate.sha256": LocalizedText("SHA-256 摘要", "SHA-256 digest"),
        "certificate.sm3": LocalizedText("SM3 摘要", "SM3 digest"),
        "certificate.captured": LocalizedText("扫描时的摘要", "Digest from scanning"),
        "certificate.of-capture": LocalizedText(
            "扫描时所记，收入时与原图文件核对相符",
            "recorded when it was scanned; the master file was compared with it when it was ingested",
        ),
        "certificate.of-master": LocalizedText(
            "原图文件的摘要，收入时所记", "of the master file, as recorded when it was ingested"
        ),
        "certificate.of-record": LocalizedText(
            "保存记录（metadata/work.json）的摘要，收入时所记；记录中有每幅原图的摘要",
            "of the preserved record (metadata/work.json), as recorded at its ingestion; it has every master digest",
        ),
        "certificate.ingested": LocalizedText("收入时间", "Ingested"),
        "certificate.accessioned": LocalizedText("入藏时间", "Accessioned"),
        "certificate.version": LocalizedText("{time}，第 {version} 版", "{time}, version {version}"),
        "certificate.log": LocalizedText("溯源日志", "Provenance log"),
        "certificate.entry": LocalizedText(
            "{origin} 第 {index} 条；日志至 {size} 条时树根 {root}",
            "{origin}, entry {index}; at {size} {size:entry|entries} the root is {root}",
        ),
        "certificate.witnesses": LocalizedText("见证", "Witnesses"),
        "certificate.witness": LocalizedText("{name} 于 {time} 联署", "{name} cosigned at {time}"),
        "certificate.no-witness": LocalizedText("尚无见证方联署", "no witness has cosigned this checkpoint yet"),
        "certificate.timestamp": LocalizedText("时间戳", "Timestamp"),
        "certificate.stamped": LocalizedText(
            "{authority} 于 {time} 签发（RFC 3161，证书已核验）",
            "{authority} at {time} (RFC 3161, its certificates are valid)",
        ),
        "certificate.stamped-unchecked": LocalizedText(
            "{authority} 于 {time} 签发（RFC 3161，本站未核验其证书）",
            "{authority} at {time} (RFC 3161; this site did not check its certificates)",
        ),
        "certificate.no-timestamp": LocalizedText("尚无", "none yet"),
        "certificate.rights": LocalizedText("权利", "Rights"),
        "certificate.rights-unstated": LocalizedText("未作权利声明", "no rights statement"),
        "certificate.access-open": LocalizedText("公开阅览", "open access"),
        "certificate.access-reduced": LocalizedText("限制尺寸阅览", "access at a reduced size"),
        "certificate.access-refused": LocalizedText("限制访问", "restricted access"),
        "certificate.preservation": LocalizedText("保存", "Preservation"),
        "certificate.check": LocalizedText("如何核验", "How to check"),
        "certificate.step-digest": LocalizedText(
            "手中有原图文件的，以 sha256sum 计算摘要，与上列比对；也可在 {address} 由浏览器计算，文件不会上传。",
            "If you hold the master file, compute its SHA-256 (sha256sum) and compare it with the one above, or let"
            " your browser do so at {address}: the file is not uploaded.",
        ),
        "certificate.step-evidence": LocalizedText(
            "证据包 {address} 内有独立核验程序 verify.py、日志与见证方的公钥、时间戳：不依赖本馆网站与程序即可核验。",
            "The archive {address} has evidence, a stand-alone verifier (verify.py), the keys of the log and the"
            " witnesses, and the timestamp: it is checked without this library's site and programs.",
        ),
        "certificate.step-key": LocalizedText(
            "先将日志公钥与您另行取得的核对：{key}",
            "First compare the log's key with one that you obtained elsewhere: {key}",
        ),
        "certificate.limits": LocalizedText(
            "本证明据溯源日志与校验记录生成，证明上列摘要所指的文件在所记时间由本馆收入，且记录此后未被改动；"
            "不证明著录是否正确，也不是权利归属的司法认定。",
            "This certificate is made from the provenance log and recorded checks. It states that the library ingested"
            " the file with this digest at the time given, and that the record has not changed since. It does not state"
            " that the description is right, and is no judgment on who holds rights.",
        ),
        "verify.title": LocalizedText("核验", "Verify"),
        "verify.lead": LocalizedText(
            "选一幅图像，由您的浏览器计算摘要，图像不会上传，本库据摘要查出其来历；也可选一份证据文件，由本站核验。",
            "Choose an image: your browser computes its digest, the image is not uploaded, and this library looks up"
            " the history of the digest. Or choose an evidence file, which this site verifies.",
        ),
        "verify.choose": LocalizedText("选择文件", "Choose a file"),
        "verify.drop": LocalizedText("也可将文件拖到此处", "or drop a file here"),
        "verify.digest": LocalizedText("摘要或编号", "Digest or identifier"),
        "verify.digest-help": LocalizedText(
            "原图文件的 SHA-256 或 SM3，本馆所发证明、报告的 SHA-256（64 位十六进制，用 sha256sum 计算），"
            "或著作、图像的编号",
            "The SHA-256 or SM3 of a master file or the SHA-256 of an issued certificate or report (64 hexadecimal"
            " digits, by sha256sum), or the identifier of a work or image",
        ),
        "verify.look-up": LocalizedText("查询", "Look up"),
        "verify.result": LocalizedText("结果", "Result"),
        "verify.hashing": LocalizedText("正在计算摘要：{percent}%", "Computing the digest: {percent}%"),
        "verify.looking": LocalizedText("正在查询……", "Looking it up…"),
        "verify.unreadable": LocalizedText("无法读取此文件，请重新选择", "The file cannot be read; choose it again"),
        "verify.failed": LocalizedText("查询失败，请稍后重试", "The look-up failed; try again later"),
        "verify.your-digest": LocalizedText("所查的摘要", "Digest looked up"),
        "verify.known": LocalizedText(
            "本馆收有此文件：摘要与日志所记相同。",
            "The library ingested this very file: its digest is the one recorded in the log.",
        ),
        "verify.issued-certificate": LocalizedText(
            "这是本馆签发的证明：{time} 签发，日志第 {index} 条记有此文件的摘要。",
            "The library issued this certificate at {time}: entry {index} of the log has the digest of this file.",
        ),
        "verify.issued-report": LocalizedText(
            "这是本馆出具的保存报告：{time} 出具，日志第 {index} 条记有此文件的摘要。",
            "The library issued this preservation report at {time}: entry {index} of the log has the digest of this"
            " file.",
        ),
        "verify.known-identifier": LocalizedText("本馆收有此编号。", "The library holds this identifier."),
        "verify.unknown": LocalizedText("本馆没有这一摘要的记录。", "The library has no record of this digest."),
        "verify.unknown-why": LocalizedText(
            "只有与原图文件逐字节相同的文件才有同一摘要：从本站下载的、裁切、缩放或另存过的图像，摘要都不同。",
            "Only a file that equals the master byte for byte has its digest: a picture downloaded from this site,"
            " cropped, resized or saved again has another one.",
        ),
        "verify.unknown-identifier": LocalizedText("本馆没有此编号。", "The library does not know this identifier."),
        "verify.not-current": LocalizedText(
            "馆藏目录中现已没有；日志保有其记录。", "It is not in the catalogue now; the log keeps its entries."
        ),
        "verify.evidence": LocalizedText("证据文件", "Evidence file"),
        "verify.evidence-help": LocalizedText(
            "扩展名为 .tlog-proof。证据文件不含图像，会发送至本站，由服务器核验。",
            "Its name ends in .tlog-proof. It holds no picture, and is sent to this site, whose server verifies it.",
        ),
        "verify.check": LocalizedText("核验证据", "Verify evidence"),
        "verify.withdrawn": LocalizedText("已撤出公开阅览", "withdrawn from public view"),
        "verify.events": LocalizedText("日志中的记录", "Entries in the log"),
        "verify.entry": LocalizedText("日志条目", "Log entry"),
        "verify.time": LocalizedText("时间", "Time"),
        "verify.event": LocalizedText("事件", "Event"),
        "verify.more": LocalizedText("另有更多条目，见证据包。", "There are more entries; the evidence has all."),
        "verify.evidence-true": LocalizedText(
            "证据核验通过：签名有效，条目确在本馆日志之中。",
            "The evidence is verified: its signature is valid, and the entry is in the log of this library.",
        ),
        "verify.evidence-by": LocalizedText(
            "核验由本站服务器进行，证据文件已发送至本站；不依赖本站的核验见证据包中的 verify.py。",
            "This server verified it, and the evidence file was sent to it. To verify without this site, use verify.py"
            " of the archive of evidence.",
        ),
        "verify.evidence-false": LocalizedText("证据未通过核验：{reason}", "The evidence does not verify: {reason}"),
        "verify.similar": LocalizedText("改按图像内容查找", "Search by the picture itself instead"),
        "verify.without": LocalizedText("不依赖本站的核验", "Verify without this site"),
        "verify.without-text": LocalizedText(
            "每种文献、每幅图像都有证据包，内有独立核验程序、公钥与时间戳。日志公钥：",
            "Every work and image has an archive of evidence with a stand-alone verifier, keys and timestamps. The key"
            " of the log:",
        ),
        "event.accession": LocalizedText("入藏", "accession"),
        "event.ingestion": LocalizedText("收入", "ingestion"),
        "event.metadata modification": LocalizedText("记录、文本或访问变更", "change of the record, texts or access"),
        "event.recovery": LocalizedText("修复", "recovery"),
        "event.fixity check": LocalizedText("完整性校验", "fixity check"),
        "event.validation": LocalizedText("校验", "validation"),
        "event.message digest calculation": LocalizedText("摘要计算", "message digest calculation"),
        "event.deaccession": LocalizedText("注销", "deaccession"),
        "event.deletion": LocalizedText("删除", "deletion"),
        "event.dissemination": LocalizedText("提供利用", "dissemination"),
        "event.policy assignment": LocalizedText("授权", "assignment of a policy"),
    }
)
