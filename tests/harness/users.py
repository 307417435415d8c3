# SPDX-License-Identifier: MIT
"""Several users in one test: what the kernel takes a program for is settled when it connects.

    client = as_user(1001, daemon.client, groups=[2001])

On Linux a thread has an identity of its own, as long as nobody goes through the C library's functions, which change
all threads of a process.
"""

import ctypes
import functools
import os
import platform
import shutil
import threading

# setresuid, setresgid, setgroups
NUMBERS = {"x86_64": (117, 119, 116), "aarch64": (147, 149, 159)}.get(platform.machine())
# Whom the kernel names where it knows nobody.
OVERFLOW = 65534


@functools.cache
def why_not():
    """Why a test cannot be several users here; None if it can."""
    if os.geteuid() != 0:
        return "only root can be another user"
    if not NUMBERS:
        return f"the numbers of system calls on {platform.machine()} are not known here"
    # A container may have few users, or forbid root to be another.
    try:
        for uid in (1234, OVERFLOW):
            as_user(uid, lambda: None)
        return None
    except OSError as error:
        return f"root cannot be another user here: {error.strerror}"


def why_not_programs():
    """The same for programs that a test starts as another user."""
    if shutil.which("setpriv") is None:
        return "setpriv is not installed (package util-linux)"
    return why_not()


def words(uid):
    """The words that run a command as another user."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


def as_user(uid, function, gid=None, groups=()):
    """What function returns, or raises, when that user calls it."""
    libc = ctypes.CDLL(None, use_errno=True)
    result, error = [], []

    def call(number, *arguments):
        if libc.syscall(number, *arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def run():
        try:
            setresuid, setresgid, setgroups = NUMBERS
            group = uid if gid is None else gid
            call(setgroups, len(groups), (ctypes.c_uint32 * len(groups))(*groups))
            call(setresgid, group, group, group)
            call(setresuid, uid, uid, uid)
            result.append(function())
        except BaseException as exception:  # pylint: disable=broad-exception-caught
            error.append(exception)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if error:
        raise error[0]
    return result[0]
