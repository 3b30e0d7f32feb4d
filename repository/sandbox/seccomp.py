"""A seccomp filter: the process may make only the system calls that computing and open descriptors need.

Everything else fails with EACCES: no file is opened, no socket made, no program or process started, no other process
signalled or traced. The filter is a list of what is allowed, because new system calls (io_uring) reach files and
sockets by other numbers. It is a program of the classic Berkeley packet filter (seccomp(2), linux/filter.h) over the
number and arguments of the call; the kernel runs it. Two architectures are known, and only little-endian ones.

Threads may be started, processes not: `clone` needs CLONE_THREAD. The C library falls back to `clone` when `clone3`,
whose arguments a filter cannot see, does not exist.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from typing import Final

_PRCTL_SET_NAME, _PRCTL_SET_VMA = 15, 0x53564D41
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_ARCHITECTURE: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
_FILTER_MODE, _IS_ACTION_OFFERED, _ALL_THREADS = 1, 2, 1
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06  # BPF_LD|W|ABS, BPF_ALU|AND|K, BPF_JMP|JEQ|K, BPF_RET|K
_INSTRUCTION: Final = struct.Struct("<HBBI")
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

_THREAD: Final = 0x10000  # CLONE_THREAD, linux/sched.h
_MAP_TYPE, _PRIVATE, _ANONYMOUS = 0x0F, 0x02, 0x20  # linux/mman.h
_EMPTY_PATH: Final = 0x1000  # AT_EMPTY_PATH, linux/fcntl.h
_FCNTL: Final = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC

_FREE: Final[dict[str, tuple[int | None, int | None]]] = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "preadv": (295, 69),
    "pwritev": (296, 70),
    "preadv2": (327, 286),
    "pwritev2": (328, 287),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "fadvise64": (221, 223),
    "close": (3, 57),
    "dup": (32, 23),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "msync": (26, 227),
    "brk": (12, 214),
    "membarrier": (324, 283),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_getattr": (315, 275),
    "getcpu": (309, 168),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "times": (100, 153),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrusage": (98, 165),
    "getpriority": (140, 141),
    "getrlimit": (97, 163),
    "sysinfo": (99, 179),
    "uname": (63, 160),
    "getrandom": (318, 278),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
}
"""The system calls that are allowed with any arguments: their numbers on x86_64 and aarch64."""

Check = tuple[int, int, int]
"""A call is allowed if the argument with this index has, of the bits of this mask, exactly these."""

_WORD: Final = 0xFFFFFFFF


def is_offered() -> bool:
    """Return whether this machine's architecture is known and its kernel has filters."""
    number = _SECCOMP.get(os.uname().machine)
    if number is None:
        return False
    action = ctypes.c_uint32(_REFUSE)
    # Asked by the call that installs a filter: a container or a service manager may forbid that call alone.
    return bool(_libc().syscall(number, ctypes.c_uint(_IS_ACTION_OFFERED), ctypes.c_uint(0), ctypes.byref(action)) == 0)


def install() -> None:
    """Install the filter for all threads of this process. Call `landlock.forbid_new_privileges` first.

    Raises `OSError`.
    """
    code = program(os.uname().machine, os.getpid())
    instructions = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(code) // _INSTRUCTION.size, ctypes.addressof(instructions))
    number = _SECCOMP[os.uname().machine]
    mode, flags = ctypes.c_uint(_FILTER_MODE), ctypes.c_uint(_ALL_THREADS)
    if (result := _libc().syscall(number, mode, flags, fprog)) != 0:
        fault = ctypes.get_errno() if result < 0 else errno.EBUSY  # a positive result is a thread that cannot follow
        raise OSError(fault, os.strerror(fault))


def program(machine: str, process: int) -> bytes:
    """Return the filter of a machine for the process with this id."""
    column = 0 if machine == "x86_64" else 1
    code = [
        _instruction(_LOAD, _ARCH),
        _instruction(_EQUAL, _ARCHITECTURE[machine], 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
    ]
    for numbers in _FREE.values():
        number = numbers[column]
        if number is not None:
            code += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _ALLOW)]
    for numbers, checks in _bounded(process):
        code += _checked(numbers[column], checks)
    code += [_instruction(_EQUAL, 435, 0, 1), _instruction(_RETURN, _REFUSE | errno.ENOSYS)]  # clone3
    code.append(_instruction(_RETURN, _REFUSE | errno.EACCES))
    return b"".join(code)


def _bounded(process: int) -> list[tuple[tuple[int, int], list[Check]]]:
    """Return the calls that are allowed with some arguments: their numbers, and checks of which one must hold."""
    return [
        ((9, 222), [(3, _MAP_TYPE, _PRIVATE), (3, _ANONYMOUS, 0)]),  # mmap: RLIMIT_DATA counts no shared memory
        ((56, 220), [(0, _THREAD, _THREAD)]),  # clone
        ((72, 25), [(1, _WORD, command) for command in _FCNTL]),  # fcntl
        ((157, 167), [(0, _WORD, _PRCTL_SET_NAME), (0, _WORD, _PRCTL_SET_VMA)]),  # prctl
        ((234, 131), [(0, _WORD, process)]),  # tgkill, by which abort(3) ends the process itself
        ((262, 79), [(3, _EMPTY_PATH, _EMPTY_PATH)]),  # newfstatat, which is fstat(3)
        ((302, 261), [(0, _WORD, 0), (0, _WORD, process)]),  # prlimit64
        ((314, 274), [(0, _WORD, 0)]),  # sched_setattr, which GLib tries for its threads
        ((332, 291), [(2, _EMPTY_PATH, _EMPTY_PATH)]),  # statx
    ]


def _checked(number: int, checks: Sequence[Check]) -> list[bytes]:
    body = []
    for index, mask, value in checks:
        body += [
            _instruction(_LOAD, _ARGUMENTS + 8 * index),
            _instruction(_AND, mask),
            _instruction(_EQUAL, value, 0, 1),
            _instruction(_RETURN, _ALLOW),
        ]
    body.append(_instruction(_RETURN, _REFUSE | errno.EACCES))
    return [_instruction(_EQUAL, number, 0, len(body)), *body]


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, operand)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
