# SPDX-License-Identifier: MIT
"""One program and the daemon: a WebSocket end to end."""

import os

from process import Process, built, wait_until
from servers import new_path
from wsplex_client import Closed, Message, Opened


def test_a_private_channel_echoes(daemon, server):
    path = new_path("echo") + "?b"
    with daemon.client() as client:
        channel = client.open(server.url(path))
        opened = channel.wait(Opened)
        assert opened.protocol == ""
        # python3-websockets takes what is offered, and ws is told not to.
        assert opened.extensions.startswith("permessage-deflate" if server.kind == "websockets" else "")
        assert bool(opened.extensions) == (server.kind == "websockets")
        channel.send("hällo")
        assert channel.wait(Message).data == "hällo"
        channel.send(b"\x00\xff")
        assert channel.wait(Message).data == b"\x00\xff"
        channel.close(3001, "bye")
        assert channel.wait(Closed) == Closed(True, 3001, "bye")
    assert server.connection(path).closed() == (3001, "bye")


def test_closed_by_the_caller(folder):
    """Nothing that the daemon opens is taken for what the caller has closed: the log would be written into it."""
    socket = os.path.join(folder, "w.sock")
    call = [built("wsplexd"), "--socket", socket, "--log-level", "debug"]
    with Process(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *call]) as daemon:
        wait_until(lambda: os.path.exists(socket), "it listens")
        assert {os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}
