# SPDX-License-Identifier: MIT
"""One program and the daemon: a WebSocket end to end."""

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
