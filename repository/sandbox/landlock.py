"""Landlock: a process gives up the right to open files, to use TCP and to signal others.

The interface of the kernel (landlock(7), linux/landlock.h) is three system calls, of which two are used here. They
have the same numbers on every architecture and no function in the C library. Decision 23 says why no package is used.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION_FLAG: Final = 1
_NO_NEW_PRIVILEGES: Final = 38  # PR_SET_NO_NEW_PRIVS, linux/prctl.h

# By version of the interface: how many rights over files exist, whether over TCP, whether over signals and sockets.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_LATEST_FILE_RIGHTS: Final = 16
_TCP_VERSION, _SCOPE_VERSION = 4, 6
_TCP_RIGHTS = _SCOPES = 0b11


def version() -> int:
    """Return the version of Landlock that this kernel offers, 0 for none."""
    found = int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_FLAG)))
    return max(0, found)


def forbid_new_privileges() -> None:
    """Make sure that no program this process starts has more rights than it. Raises `OSError`."""
    zero = ctypes.c_ulong(0)
    _checked(_libc().prctl(_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero))


def give_up_files() -> None:
    """Give up every right that this kernel can take from the calling thread and the threads that it starts.

    Descriptors that are open, or passed later, remain usable. Call `forbid_new_privileges` first. Raises `OSError`.
    """
    offered = version()
    fields = [(1 << _FILE_RIGHTS.get(offered, _LATEST_FILE_RIGHTS)) - 1]
    if offered >= _TCP_VERSION:
        fields.append(_TCP_RIGHTS)
    if offered >= _SCOPE_VERSION:
        fields.append(_SCOPES)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    libc = _libc()
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    _checked(ruleset)
    try:
        _checked(libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0)))
    finally:
        os.close(ruleset)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
