"""The salt of sealed names: the same on all machines, in the file ``seal.salt`` of the keys folder and in the database.

The file outlives the database, so that names sealed before the database was lost are still recognised. The database
gives the salt to machines without the keys folder.
"""

from __future__ import annotations

import secrets
from typing import Final

from preservation.private_file import read_private, write_private
from preservation.seal import SALT_SIZE, NameSeal
from repository.errors import DependencyMissing, SettingInvalid
from repository.localized import LocalizedText
from repository.repository import Repository

SALT_FILE: Final = "seal.salt"


def prepare_salt(repository: Repository, *, keeps_file: bool) -> None:
    """Bring the file and the database to the same salt; make it if there is none.

    Called while the caller holds the lock of the keys. A machine with `keeps_file` false has no file of its own and
    makes no salt: the file may exist elsewhere. Raises `SettingInvalid` for a file that is damaged or of another salt.
    """
    path, registered = repository.settings.keys / SALT_FILE, repository.log_sequence.salt()
    if path.exists():
        salt = _parse(read_private(path))
        if registered is None:
            repository.log_sequence.register_salt(salt)
        elif salt != registered:
            reason = LocalizedText(
                "与数据库所记的不同；请放回备份的文件", "it is not the one in the database; restore it from its backup"
            )
            raise SettingInvalid(name=SALT_FILE, reason=reason)
    elif keeps_file:
        salt = registered or secrets.token_bytes(SALT_SIZE)
        write_private(path, f"{salt.hex()}\n".encode())
        if registered is None:
            repository.log_sequence.register_salt(salt)


def open_seal(repository: Repository) -> NameSeal:
    """Return the seal of the library. Raises `DependencyMissing` before `prepare_salt`, `DatabaseFault`."""
    salt = repository.log_sequence.salt()
    if salt is None:
        raise DependencyMissing(
            what=LocalizedText("封名所用的盐值", "the salt of sealed names"),
            remedy=LocalizedText(
                "请在持有日志密钥的机器上运行 shanben init", "run shanben init on the machine that has the log's key"
            ),
        )
    return NameSeal(salt)


def _parse(content: bytes) -> bytes:
    try:
        salt = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        salt = b""
    if len(salt) != SALT_SIZE:
        reason = LocalizedText("文件已损坏；请放回备份", "the file is damaged; restore it from its backup")
        raise SettingInvalid(name=SALT_FILE, reason=reason)
    return salt
