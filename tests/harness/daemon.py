# SPDX-License-Identifier: MIT
"""The real wsplexd, started for a test, with its log at hand."""

import json
import os
import re
import signal
import subprocess

from process import DEADLINE, Process, built, n_descriptors, wait_until
from wsplex_client import Client

LINE = re.compile(
    r"\S+Z wsplexd: (?P<level>error|warning|notice|info|debug): (?P<text>.*) \[(?P<name>[a-z-]+)\]"
)


def run(*arguments, **options):
    """A daemon that ends by itself: what it said, and its status."""
    return subprocess.run(
        [built("wsplexd"), *arguments], capture_output=True, text=True, timeout=DEADLINE, check=False, **options
    )


def check_config(file, **options):
    return run("--check-config", "--config", file, **options)


class Daemon:
    """A daemon on a socket in folder. config is the text of its configuration.

    Servers of tests are on loopback, where the machine's daemon lets no URL of a program lead; so a file of its own
    allows that, unless free is None.
    """

    def __init__(self, folder, config="", options=(), log_level="debug", command=(), env=None, free="*"):
        self.folder = os.fspath(folder)
        self.socket = os.path.join(self.folder, "wsplex.sock")
        self.config_file = os.path.join(self.folder, "wsplexd.conf")
        self.configure(config)
        if free is not None:
            os.makedirs(os.path.join(self.folder, "conf.d"), exist_ok=True)
            with open(os.path.join(self.folder, "conf.d", "free.conf"), "w", encoding="utf-8") as file:
                file.write(f'allow = {{"{free}"}}\n')
        self._expected = set()
        self._forgiven = set()
        # Only root may otherwise look at which files it holds.
        env = {**({} if os.geteuid() == 0 else {"WSPLEXD_DUMPABLE": "yes"}), **(env or {})}
        self.process = Process(
            [*command, built("wsplexd"), "--socket", self.socket, "--config", self.config_file,
             "--log-level", log_level, *options],
            env=env,
        )  # fmt: skip
        try:
            self.process.err.wait(lambda line: line.endswith("[started]"), "[started]")
        except TimeoutError:
            self.process.end()
            raise
        self.n_descriptors = n_descriptors(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_exception):
        try:
            if kind is None and self.process.status is None:
                self.wait_idle()
                self.stop()
            if kind is None:
                self.check_log()
        finally:
            self.process.end()

    @property
    def pid(self):
        return self.process.pid

    def configure(self, config):
        with open(self.config_file, "w", encoding="utf-8") as file:
            file.write(config)

    # --- programs ---

    def client(self, **options):
        return Client(self.socket, timeout=DEADLINE, **options)

    def request(self, verb, *arguments):
        with self.client() as client:
            return client.request(verb, *arguments)

    def ctl(self, *arguments, stdin=b"", check=None, env=None, prefix=()):
        """Runs wsplexctl to its end; stdin and what it prints are bytes."""
        done = subprocess.run(
            [*prefix, built("wsplexctl"), "--socket", self.socket, *arguments],
            input=stdin, capture_output=True, timeout=DEADLINE, check=False,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        if check is not None:
            assert done.returncode == check, done
        return done

    # --- what it holds ---

    def upstreams(self):
        return self.request("upstreams")

    def channels(self):
        return self.request("channels")

    def wait_idle(self):
        """Until nothing is left of what a test did: no program, no upstream, no descriptor."""

        def holds_nothing():
            status = self.request("status")
            return (status["clients"], status["channels"], status["upstreams"]) == (1, 0, 0)

        def what():
            held = [self.request(list) for list in ("clients", "channels", "upstreams")]
            files = [os.readlink(f"/proc/{self.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{self.pid}/fd")]
            return f"the daemon holds {json.dumps(held)}, descriptors {files}"

        wait_until(holds_nothing, what)
        # Nor of who has asked; so nobody asks any more.
        wait_until(lambda: n_descriptors(self.pid) <= self.n_descriptors, what)

    # --- its log ---

    def log(self):
        """All lines, parsed; every one has the form of a log line."""
        lines = []
        for line in self.process.err.all():
            match = LINE.fullmatch(line)
            assert match, f"not a line of the log: {line}"
            lines.append(match)
        return lines

    def expect(self, name, pattern="", n_lines=1):
        """So many lines of this name, each with a text that matches; nobody minds them any more."""

        def found():
            mine = [(i, line) for i, line in enumerate(self.log()) if line["name"] == name]
            return mine if len(mine) >= n_lines else None

        mine = wait_until(found, lambda: f"{n_lines} lines of {name} among {self.process.err.all()}")
        assert len(mine) == n_lines, mine
        for i, line in mine:
            assert re.search(pattern, line["text"]), (pattern, line["text"])
            self._expected.add(i)
        return mine[0][1]["text"]

    def forgive(self, name):
        """However many lines of this name, also those that are still to come: an end is logged when it is one."""
        self._forgiven.add(name)

    def check_log(self):
        """What nobody expected to be logged was not: a healthy daemon is silent."""
        lines = self.log()
        warnings = {line["name"] for line in lines if line["level"] in ("error", "warning")}
        for i, line in enumerate(lines):
            # How many lines are too many is a matter of time: that harmless ones were left out is as harmless.
            left_out = re.search(r" more lines of ([a-z-]+)$", line["text"])
            is_usual = line["name"] == "left-out" and left_out[1] not in warnings
            is_forgiven = i in self._expected or line["name"] in self._forgiven
            if line["level"] in ("error", "warning") and not is_usual and not is_forgiven:
                raise AssertionError(f"unexpected in the log: {line.group()}")

    # --- the end ---

    def kill(self):
        """As a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; it must end by itself, with 0."""
        self.process.kill(signal.SIGTERM)
        status = self.process.wait()
        assert status == 0, (status, self.process.err.all())
        self.expect("stopped")
        left = [name for name in os.listdir(self.folder) if name.startswith("wsplex.sock")]
        assert left == [], left
