# SPDX-License-Identifier: MIT
"""A program on libwsplex: ws_program.c, driven from Python.

    with Program(daemon.socket) as program:
        program.open("a", url, "shared")
        program.event("open", name="a")
"""

import json

from process import Process, built

# Names of enum wsplex_cause, as PROTOCOL.md has them.
from wsplex_protocol import CAUSES


class Program(Process):
    def __init__(self, socket=None, save=None, prefix=(), **options):
        command = [*prefix, built("tests/harness/ws_program")]
        if socket:
            command += ["--socket", socket]
        if save:
            command += ["--save", save]
        super().__init__(command, **options)
        self.name = "ws_program"
        self._next = {}  # for each name, and for None: the first line that was not looked at

    def open(self, name, url, *words):
        self.write(" ".join(["open", name, url, *words]))

    def text(self, name, text):
        self.write(f"text {name} {text}")

    def close(self, name, code="", reason=""):
        self.write(f"close {name} {code} {reason}".rstrip())

    def event(self, kind=None, name=None, **members):
        """The next event that has these members; those before it are dropped, for calls with the same name."""
        if name is not None:
            members["name"] = name

        def matches(line):
            event = json.loads(line)
            has_all = all(event.get(member) == value for member, value in members.items())
            return event if has_all and kind in (None, event["event"]) else None

        found, event = self.out.wait(matches, f"{kind} {members}", self._next.get(name, 0))
        self._next[name] = found + 1
        return event

    def events(self, name=None):
        """All events so far."""
        all_events = [json.loads(line) for line in self.out.all()]
        return [event for event in all_events if name in (None, event.get("name"))]

    def amount(self, name):
        """bufferedAmount and readyState."""
        self.write(f"amount {name}")
        event = self.event("amount", name=name)
        return event["amount"], event["state"]

    def failure(self, name):
        """error and close, next to each other and nothing else; returns cause and text."""
        self.event("close", name=name)
        error, close = self.events(name)[-2:]
        assert (error["event"], close["event"]) == ("error", "close"), (error, close)
        assert (close["clean"], close["code"], close["reason"]) == (False, 1006, ""), close
        return CAUSES.get(error["cause"], error["cause"]), error["text"]

    def fails(self, url, *words):
        """What it opens there fails, and nothing comes before that; returns cause and text."""
        self.open("a", url, *words)
        cause, text = self.failure("a")
        assert [event["event"] for event in self.events("a")] == ["error", "close"]
        return cause, text

    def finish(self):
        """The end of its input is its own; it ends in order."""
        self.close_input()
        assert (self.wait(), self.err.all()) == (0, [])
