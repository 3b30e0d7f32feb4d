"""The README of an archive of evidence: what it holds, and how to check it without the library. (pure)"""

from __future__ import annotations

from typing import Final

_TEXT: Final = """\
证据包 {name}
日志 {origin}，条目 {count} 条{part_zh}

本包证明：所列事件（收入、版本、访问变更等）确在藏馆的公开只增日志之中，签发之后未被改动。核验不依赖藏馆的网站与程序。

文件
  evidence/         每条目一份证据（C2SP tlog-proof）：条目原文、到树根的路径、检查点及其签名、联署与时间戳
  contents.csv      各份证据的内容：时间、事件、图像、摘要
  checkpoint-N.txt  日志至 N 条时的检查点正文；checkpoint-N 为带签名的全文
  timestamp-N.tsr   时间戳机构对该正文的应答（RFC 3161），如有
  roots.pem         时间戳机构的根证书，如已设置
  policy.txt        信任策略（C2SP tlog-policy）：日志与见证方的公钥、所需见证数
  verify.py         独立核验程序，只需 Python 3.11 及 cryptography

核验
  1. 先核对 policy.txt 中的日志公钥：应与藏馆在他处公布的一致{key_zh}。信任由此而来。
  2. python3 verify.py evidence/*.tlog-proof --policy policy.txt
     持有原图文件的，加 --file 文件名：核对其摘要。
  3. 时间戳以 OpenSSL 核验，roots.pem 应取自时间戳机构：
     openssl ts -verify -data checkpoint-N.txt -in timestamp-N.tsr -CAfile roots.pem
  verify.py 亦可自行审读或改用他人程序：格式见 https://c2sp.org 。

所证与所不证
  证据证明条目在日志之中，且条目所载摘要与您手中的文件相符（如已核对）。时间戳证明检查点在该时刻之前已存在。
  证据不证明著录是否正确，也不证明文件此刻仍保存在馆内：保存状况见藏馆网站。

----

Evidence {name}
Log {origin}, {count} entries{part_en}

This archive proves that the events it lists (ingestion, versions, changes of access) are in the library's public,
append-only log, unaltered since they were signed. It is checked without the library's site and programs.

Files
  evidence/         one file for each entry (C2SP tlog-proof): the entry, the path to the root of the tree, and a
                    checkpoint with signature, cosignatures and timestamp
  contents.csv      what each of them is about: time, event, image, digest
  checkpoint-N.txt  the text of the checkpoint at N entries; checkpoint-N is the whole note with its signatures
  timestamp-N.tsr   the answer of a timestamping authority to this text (RFC 3161), where there is one
  roots.pem         the authority's root certificates, if the library has set them
  policy.txt        whom to trust (C2SP tlog-policy): keys of the log and of witnesses, and how many must cosign
  verify.py         a stand-alone verifier; needs Python 3.11 and cryptography only

To check
  1. Compare the log's key in policy.txt with what the library publishes elsewhere{key_en}. Trust begins there.
  2. python3 verify.py evidence/*.tlog-proof --policy policy.txt
     If you have the master file, add --file FILE to compare its digest.
  3. OpenSSL verifies the timestamps. Take roots.pem from the authority itself:
     openssl ts -verify -data checkpoint-N.txt -in timestamp-N.tsr -CAfile roots.pem
  Read verify.py before you run it, or use another program: https://c2sp.org has the formats.

What is proved, and what is not
  The entries are in the log, and state the digest of the file that you compared. A timestamp proves that the checkpoint
  existed before its time. It is not proved that the catalogue's description is right, nor that the library still holds
  the file: its site shows how it is preserved.
"""


def readme(name: str, origin: str, count: int, last: int | None, address: str) -> bytes:
    """Return the README of an archive of `count` entries.

    `last` is the index of the last entry, after which another archive continues; None for an archive of all entries.
    `address` is the public address of the library's site, '' if it is not known.
    """
    part = last is not None
    text = _TEXT.format(
        name=name,
        origin=origin,
        count=count,
        part_zh=f"；其余条目见 ?after={last}" if part else "",
        part_en=f"; another archive has the rest: ?after={last}" if part else "",
        key_zh=f"（{address}/log/key 等处）" if address else "",
        key_en=f" ({address}/log/key, and in print)" if address else "",
    )
    return text.encode()
