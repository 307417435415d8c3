# SPDX-License-Identifier: MIT
"""The WebSocket object end to end: object.c, case by case, with a daemon and servers.

The scripted server does what its path says; see SCRIPTS.
"""

import os
import socket
import struct
import subprocess
import threading
from urllib.parse import unquote

import pytest
from process import DEADLINE, built
from servers import CLOSE, PING, PONG, TEXT, BINARY, RawServer, frame


def close_of(code=None, reason=""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", int(code)) + reason.encode())


def wait_close(peer):
    """The body of the client's Close frame; frames before it are given as well."""
    frames = []
    while (got := peer.read_frame()) is not None:
        if got[0] == 0x80 | CLOSE:
            return got[1], frames
        frames.append(got)
    raise AssertionError("no Close frame came")


def close(peer, code=1000):
    """The server begins; it has been answered when this returns."""
    peer.raw(close_of(code))
    wait_close(peer)


# --- what the paths stand for ---


def request(peer, _more):
    """Sends the request's header fields as a message."""
    peer.accept("Sec-WebSocket-Protocol: CHAT\r\n")
    peer.raw(frame(TEXT, "".join(f"\n{name}: {value}" for name, value in peer.headers.items()).encode() + b"\n"))
    close(peer)


def answer(peer, more):
    """Accepts, with these header fields; an answer that is refused is followed by the end of the stream."""
    peer.accept("".join(field.replace(":", ": ", 1) + "\r\n" for field in more))
    if (got := peer.read_frame()) is not None:
        assert got[0] == 0x80 | CLOSE, got
        peer.raw(frame(CLOSE, got[1]))


def redirect(peer, _more):
    peer.raw("HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n")
    peer.read_end()


def not_found(peer, _more):
    peer.raw("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    peer.read_end()


def silent(peer, _more):
    peer.read_end()


def hangs_up(_peer, _more):
    pass


def glued(peer, _more):
    """Answer and frames in one piece."""
    messages = frame(TEXT, b"one") + frame(BINARY, b"two") + frame(TEXT) + frame(BINARY)
    peer.accept(then=messages + close_of(1000))
    wait_close(peer)


def pings(peer, _more):
    peer.accept()
    peer.raw(frame(PING) + frame(TEXT, b"who", is_last=False))
    assert peer.read_frame() == (0x80 | PONG, b"")
    peer.raw(frame(PING, b"p" * 125) + frame(0, b"le"))
    assert peer.read_frame() == (0x80 | PONG, b"p" * 125)
    peer.raw(frame(PONG, b"unasked") + frame(TEXT, b"all pongs came"))
    close(peer)


def close_body(peer, _more):
    peer.accept()
    body, _ = wait_close(peer)
    peer.raw(close_of(4001, body.hex()))


def closes(peer, more):
    peer.accept()
    peer.raw(close_of(*more))
    wait_close(peer)


def closes_then_sends(peer, _more):
    peer.accept()
    peer.raw(frame(TEXT, b"before") + close_of(1000) + frame(TEXT, b"after") + frame(3, b"no such frame"))
    wait_close(peer)


def ends(peer, _more):
    peer.accept()


def resets(peer, _more):
    peer.accept()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def breaks(peer, _more):
    """A message, then a frame that cannot be."""
    peer.accept()
    peer.raw(frame(TEXT, b"before") + frame(3))
    wait_close(peer)


SCRIPTS = {
    "request": request, "answer": answer, "redirect": redirect, "not-found": not_found, "silent": silent,
    "hangs-up": hangs_up, "glued": glued, "pings": pings, "close-body": close_body,
    "closes": closes, "closes-then-sends": closes_then_sends, "ends": ends, "resets": resets, "breaks": breaks,
}  # fmt: skip


class Scripted:
    """Does what the paths stand for, and what one connection has to do with another or with the test."""

    def __init__(self):
        self.seen = {}  # of paths /record/NAME: what came, to the Close frame's body
        self._is_let_go = threading.Event()
        self._own = {"slow-close": self._slow_close, "let-go": self._let_go}

    def script(self, peer):
        peer.read_request()
        name, _, more = peer.path[1:].partition("?")
        if name.startswith("record/"):
            self._record(peer, name.partition("/")[2])
        elif name in self._own:
            self._own[name](peer)
        else:
            SCRIPTS[name](peer, [unquote(word) for word in more.split("&")] if more else [])

    def _record(self, peer, name):
        peer.accept()
        body, frames = wait_close(peer)
        self.seen[name] = (body, frames)
        peer.raw(frame(CLOSE, body))

    def _slow_close(self, peer):
        """Answers a Close frame when somebody has asked for /let-go."""
        peer.accept()
        body, frames = wait_close(peer)
        peer.raw(frame(TEXT, b"under way"))
        assert self._is_let_go.wait(DEADLINE)
        peer.raw(frame(CLOSE, body))
        assert frames == []

    def _let_go(self, peer):
        self._is_let_go.set()
        closes(peer, ["1000"])


def run(case, daemon, echo, scripted, extensions=""):
    """The tests of one case of object.c, all of which must have passed."""
    done = subprocess.run(
        [built("tests/integration/object")],
        env={**os.environ, "WSPLEX_SOCKET": daemon.socket, "CK_RUN_CASE": case, "WSPLEX_TEST_ECHO": echo,
             "WSPLEX_TEST_SCRIPTED": scripted, "WSPLEX_TEST_EXTENSIONS": extensions},
        stdout=subprocess.PIPE, text=True, timeout=4 * DEADLINE, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("not ok")] == []
    assert done.returncode == 0 and sum(line.startswith("ok ") for line in lines) > 0, done.stdout


EXTENSIONS = {  # what the servers answer to permessage-deflate by themselves
    "websockets": "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    "ws": "",
}


@pytest.mark.parametrize("case", ["constructor", "messages", "close"])
def test_object(daemon, server, case):
    with RawServer(Scripted().script) as raw:
        run(case, daemon, server.url(""), raw.url, EXTENSIONS[server.kind])
    daemon.forgive("upstream-failed")


def test_objects_that_go(daemon, one_server):
    """A freed object closes without a code, after what it had sent; a program that goes closes with 1001."""
    scripted = Scripted()
    with RawServer(scripted.script) as raw:
        run("gone", daemon, one_server.url(""), raw.url)
    assert scripted.seen == {
        "freed": (b"", [(0x80 | TEXT, b"sent before")]),
        "client-freed": (struct.pack(">H", 1001), []),
    }
