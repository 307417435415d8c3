# SPDX-License-Identifier: MIT
"""Programs that tests start: each is ended and reaped, and what it prints is there to be waited for; and their ports.

A deadline is how long a thing may take before the test gives up; nothing is measured by it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
# scripts/test sets it; by hand, it is the folder build beside the sources.
BUILD = os.path.abspath(os.environ.get("WSPLEX_BUILD", os.path.join(TOP, "build")))


def built(name):
    """The path of a program of the build under test."""
    path = os.path.join(BUILD, name)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: nothing is built there; is $WSPLEX_BUILD right?")
    return path


def _is_sanitized():
    """A build with sanitizers is several times as slow."""
    try:
        with open(built("wsplexd"), "rb") as file:
            return b"__asan_init" in file.read()
    except FileNotFoundError:
        return False


IS_SANITIZED = _is_sanitized()
DEADLINE = 90 if IS_SANITIZED else 30
# The daemon's timers go by CLOCK_MONOTONIC_COARSE, so each may be early by so much against the clock of a test.
TICK = time.clock_getres(6)


def wait_until(condition, what, timeout=DEADLINE):
    """Returns the first result that is true; what says what was waited for."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what() if callable(what) else what}: not within {timeout} s")
        time.sleep(0.005)
    return result


def reserve_port():
    """A socket that keeps a port: nobody is given it by the kernel, and a server may still listen there."""
    try:
        keeper = socket.socket(socket.AF_INET6)
        keeper.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        address = "::"
    except OSError:
        keeper, address = socket.socket(), "0.0.0.0"
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind((address, 0))
    return keeper


_kept = []


def free_port():
    """A port where nobody listens but whom the test lets, to the end of the run."""
    _kept.append(reserve_port())
    return _kept[-1].getsockname()[1]


class Lines:
    """What comes out of a pipe, line by line."""

    def __init__(self, pipe, name):
        self._name = name
        self._lines = []
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        with pipe:
            for line in pipe:
                with self._changed:
                    self._lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def all(self):
        with self._changed:
            return list(self._lines)

    def wait(self, matches, what, start=0, timeout=DEADLINE):
        """The index of the first line from start on for which matches(line) is true, and what it gave."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                while start < len(self._lines):
                    if (found := matches(self._lines[start])) is not None and found is not False:
                        return start, found
                    start += 1
                left = end - time.monotonic()
                if self._is_over or not self._changed.wait(max(0, left)) and left <= 0:
                    tail = "\n  ".join(self._lines[-20:])
                    raise TimeoutError(f"{self._name}: no line with {what}; the last:\n  {tail}")

    def join(self):
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), f"{self._name}: somebody still holds the pipe"


class Process:
    """A program with its pipes. Ends with the `with` block, whatever happens in it."""

    def __init__(self, command, *, env=None, stdout=None, **options):
        self.command = [os.fspath(word) for word in command]
        self.name = os.path.basename(self.command[0])
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            **options,
        )
        self.out = Lines(self._process.stdout, self.name) if stdout is None else None
        self.err = Lines(self._process.stderr, f"{self.name} (stderr)")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.end()

    @property
    def pid(self):
        return self._process.pid

    @property
    def status(self):
        return self._process.returncode

    def has_ended(self):
        return self._process.poll() is not None

    def write(self, line):
        # A program that has ended is found out by what is waited for next.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def close_input(self):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def kill(self, number=signal.SIGKILL):
        self._process.send_signal(number)

    def freeze(self):
        """It stands still, when this returns, until it thaws."""
        self.kill(signal.SIGSTOP)
        flags = os.WSTOPPED | os.WNOHANG
        wait_until(lambda: os.waitid(os.P_PID, self.pid, flags), f"{self.name} stands still")

    def thaw(self):
        self.kill(signal.SIGCONT)

    def wait(self, timeout=DEADLINE):
        """The exit status, all that was printed read."""
        status = self._process.wait(timeout)
        for lines in (self.out, self.err):
            if lines:
                lines.join()
        return status

    def end(self):
        """Not by its own will, if it has not ended yet."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(DEADLINE)
        self.close_input()
        for lines in (self.out, self.err):
            if lines:
                lines.join()


def n_descriptors(pid):
    """But those of a state directory, which a thread opens when it comes to that."""
    files = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            files.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    ledgers = {file for file in files if os.path.basename(file).split(" ")[0] in ("budgets", "budgets.new")}
    return len([file for file in files if file not in ledgers | {os.path.dirname(file) for file in ledgers}])
