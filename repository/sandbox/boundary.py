"""The boundary around a child: it gives up its rights before it handles the first byte of untrusted input.

What the kernel and the user id allow is used together, as `Layer` lists it. On a kernel without Landlock and seccomp,
and as a normal user, no layer is active: then a child that was taken over can read what its user can read.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Sequence
from typing import Final

from repository.sandbox import landlock, seccomp
from repository.sandbox.functions import Layer

NOBODY: Final = 65534
"""The user and group id of a child whose parent is root: the one that owns no file by convention."""

_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET, linux/sched.h


def offered_layers() -> list[Layer]:
    """Return the layers that kernel and user id offer, as far as can be seen without applying them."""
    offers = {
        Layer.USER: os.geteuid() == 0,
        Layer.LANDLOCK: landlock.version() > 0,
        Layer.SECCOMP: seccomp.is_offered(),
    }
    return [layer for layer, offered in offers.items() if offered]


def give_up_rights(layers: Sequence[Layer], scratch: str) -> tuple[Layer, ...]:
    """Apply those of `layers` that are offered here, and return them. The process must have one thread only.

    `scratch` is a folder in which a folder can be made. Raises `OSError` when a layer that the kernel offers cannot be
    applied, so that the child ends instead of running without it.
    """
    offered = set(layers) & set(offered_layers())
    if Layer.LANDLOCK in offered:
        _refuse_threads()
    if Layer.USER in offered and not _become_nobody(scratch, with_network=Layer.SECCOMP in offered):
        offered.discard(Layer.USER)
    if offered & {Layer.LANDLOCK, Layer.SECCOMP}:
        landlock.forbid_new_privileges()
    if Layer.LANDLOCK in offered:
        landlock.give_up_files()
    if Layer.SECCOMP in offered:
        seccomp.install()
    return tuple(layer for layer in Layer if layer in offered)


def _refuse_threads() -> None:
    """Landlock binds the calling thread only: a thread that a library has started already would keep its rights."""
    if len(os.listdir("/proc/self/task")) > 1:
        raise OSError("a module of the child has started threads")


def _become_nobody(scratch: str, *, with_network: bool) -> bool:
    """Move into an empty root directory and to another user id; return whether both was possible.

    In a container that has no such user, or whose root has no such rights, it is not. Without `with_network` the
    process also moves to a network without interfaces, where that is possible.
    """
    if not with_network:
        ctypes.CDLL(None).unshare(ctypes.c_int(_NEW_NETWORK))
    try:
        empty = tempfile.mkdtemp(dir=scratch)
        os.chdir(empty)
        os.rmdir(empty)
        os.chroot(".")
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return True
