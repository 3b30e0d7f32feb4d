"""Compares the files of a deposit with the digests that its checksum manifests give for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from repository.errors import DepositNotMounted
from repository.faults import Fault
from repository.localized import LocalizedText
from workers.deposit.checksums import Checksum, algorithm_name
from workers.deposit.consistency import ExaminedPage
from workers.deposit.survey import Survey, file_digest


def find_changed_files(deposit: Survey, pages: Sequence[ExaminedPage]) -> list[Fault]:
    """Return a fault for each file that differs from its digest, and for each listed file that is absent.

    `pages` are the pages that could be decoded; the others have faults already, and so have empty files. Files that are
    ignored are not compared. Raises `DepositNotMounted`.
    """
    examined = {page.file.name: page for page in pages}
    known = {page.name for page in deposit.pages} | set(deposit.ignored)
    faults = []
    for checksum in deposit.checksums:
        if page := examined.get(checksum.file):
            actual: str | None = _master_digest(page, checksum.algorithm)
        elif path := deposit.documents.get(checksum.file):
            actual = _document_digest(path, checksum.algorithm)
        elif checksum.file in known:
            continue
        else:
            faults.append(Fault(checksum.manifest, checksum.place, "capture.absent", _absent(checksum)))
            continue
        if actual not in {checksum.digest, None}:
            faults.append(Fault(checksum.file, "", "capture.changed", _changed(checksum)))
    return faults


def find_unlisted_pages(deposit: Survey) -> Iterator[Fault]:
    """Yield a notice if the manifests list only some of the pages."""
    listed = {checksum.file for checksum in deposit.checksums}
    unlisted = [page.name for page in deposit.pages if page.name not in listed]
    if deposit.checksums and unlisted:
        message = LocalizedText(
            f"校验清单未列出 {len(unlisted)} 幅图像，首幅为 {unlisted[0]}；这些图像没有扫描时的摘要可供核对",
            f"{len(unlisted)} images are not listed, the first is {unlisted[0]}; there is no digest from their "
            "scanning to compare them with",
        )
        yield Fault(deposit.checksums[0].manifest, "", "capture.unlisted", message)


def captured_digests(checksums: Iterable[Checksum], pages: Sequence[ExaminedPage]) -> dict[str, str]:
    """Return the digests from manifests that masters were compared with, by the masters' SHA-256.

    They are written ``sha256:HEX``, ``md5:HEX`` or ``sha256:HEX md5:HEX``. `find_changed_files` has found no fault.
    """
    masters = {page.file.name: page.examined.sha256 for page in pages}
    digests: dict[str, dict[str, str]] = {}
    for checksum in checksums:
        if master := masters.get(checksum.file):
            digests.setdefault(master, {})[checksum.algorithm] = checksum.digest
    return {master: _stated(stated) for master, stated in digests.items()}


def _stated(digests: Mapping[str, str]) -> str:
    return " ".join(f"{name}:{digest}" for name, digest in sorted(digests.items(), reverse=True))


def _master_digest(page: ExaminedPage, algorithm: str) -> str:
    """Return the digest of a master. Raises `DepositNotMounted`."""
    if algorithm == "sha256":
        return page.examined.sha256
    # A worker of an earlier release examines no master by MD5.
    return page.examined.md5 or file_digest(page.file.path, algorithm)


def _document_digest(path: Path, algorithm: str) -> str | None:
    """Return the digest of a document; None for one that cannot be read, which is a fault already."""
    try:
        return file_digest(path, algorithm)
    except DepositNotMounted:
        return None


def _absent(checksum: Checksum) -> LocalizedText:
    return LocalizedText(
        f"清单所列的 {checksum.file} 不在送存内容中；请补上此文件，或改正清单（路径以清单所在文件夹为起点）",
        f"{checksum.file} is listed and not part of the deposit; add it, or correct the manifest, whose paths are "
        "relative to its own folder",
    )


def _changed(checksum: Checksum) -> LocalizedText:
    name, where = algorithm_name(checksum.algorithm), f"{checksum.manifest}, line {checksum.line}"
    return LocalizedText(
        f"与 {checksum.manifest} 第 {checksum.line} 行的 {name} 摘要不符：文件在生成清单之后有改动，或清单有误；"
        "请从扫描设备重新拷贝；如系有意修改，请重新生成清单",
        f"the file differs from the {name} digest in {where}: it was changed since, or the manifest is wrong; copy the "
        "file again from the scanner, or, if the change is intended, make the manifest again",
    )
