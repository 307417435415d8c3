# SPDX-License-Identifier: MIT
"""One program and the daemon: a WebSocket end to end."""

from wsplex_client import Closed, Message, Opened


def test_a_private_channel_echoes(daemon, echo_server):
    with daemon.client() as client:
        channel = client.open(echo_server.url("/a?b"))
        opened = channel.wait(Opened)
        assert (opened.protocol, opened.extensions) == ("", "")
        channel.send("hällo")
        assert channel.wait(Message).data == "hällo"
        channel.send(b"\x00\xff")
        assert channel.wait(Message).data == b"\x00\xff"
        channel.close(3001, "bye")
        assert channel.wait(Closed) == Closed(True, 3001, "bye")
    assert echo_server.wait_closes() == [(3001, "bye")]
    daemon.check_idle()
