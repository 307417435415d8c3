# SPDX-License-Identifier: MIT
"""Messages of every length, both ways, byte for byte; what is too long; pings; bufferedAmount."""

import errno
import hashlib
import random

import pytest
from network import why_no_ipv6
from process import wait_until
from servers import PING, PONG, TEXT, RawServer, frame, new_path
from wsplex_client import Closed, Failed, Message

MIB = 1 << 20
MAX_MESSAGE = 16 * MIB
# Around the lengths where RFC 6455 and the local protocol write something else.
LENGTHS = [0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537]
LENGTHS += [65536 - 12, 65536 + 12, MIB - 1, MIB, MIB + 1, MAX_MESSAGE]


def binary_of(length):
    return random.Random(length).randbytes(length)


def text_of(length):
    """Characters of one to four bytes, which lie across every boundary; the last ones fill up."""
    pattern = "aß€😀\0".encode()
    text = (pattern * (length // len(pattern) + 1))[:length].decode("utf-8", "ignore")
    return text + "x" * (length - len(text.encode()))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_every_length_comes_back(daemon, server, scheme, host):
    if host == "::1" and why_no_ipv6():
        pytest.skip(why_no_ipv6())
    with daemon.client() as client:
        channel = client.open(server.url(new_path("echo"), scheme, host))
        for length in LENGTHS:
            for data in (binary_of(length), text_of(length)):
                channel.send(data)
                assert channel.wait(Message).data == data, (length, type(data))
        channel.close(1000)
        assert channel.wait(Closed) == Closed(True, 1000, "")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_every_length_in_c(daemon, program, server, scheme, tmp_path):
    """libwsplex takes and gives the same, and all of it at once."""
    program.open("a", server.url(new_path("echo"), scheme))
    program.event("open")
    sent = []
    for length in LENGTHS:
        for kind, data in (("binary", binary_of(length)), ("text", text_of(length).encode())):
            path = tmp_path / f"{kind}-{length}"
            path.write_bytes(data)
            program.write(f"file a {kind} {path}")
            sent.append((kind == "binary", data))
    for is_binary, data in sent:
        event = program.event("message")
        assert (event["binary"], event["length"]) == (is_binary, len(data))
        if "file" in event:
            with open(event["file"], "rb") as file:
                assert file.read() == data, len(data)
        else:
            assert event["data"].encode() == data
    assert program.amount("a") == (0, 1)
    assert all(event["event"] in ("open", "message", "amount") for event in program.events())


def test_the_server_gets_what_was_sent(daemon, server, program, tmp_path):
    """Not by its echo: one way, as the server itself saw it."""
    path = new_path()
    program.open("a", server.url(path, "wss"))
    program.event("open")
    for length in LENGTHS[:-1]:
        file = tmp_path / str(length)
        file.write_bytes(binary_of(length))
        program.write(f"file a binary {file}")
    connection = server.connection(path)
    for length in LENGTHS[:-1]:
        event = connection.event("message")
        assert event["binary"] and event["length"] == length
        assert event["sha256"] == hashlib.sha256(binary_of(length)).hexdigest()
    program.close("a", 1000, "done")
    assert connection.closed() == (1000, "done")
    assert program.event("close")["clean"]


# --- too long ---


def test_too_long_from_the_server(daemon, server, program, tmp_path):
    path = new_path()
    data = tmp_path / "long"
    data.write_bytes(bytes(MAX_MESSAGE + 1))
    program.open("a", server.url(path))
    program.event("open")
    connection = server.connection(path)
    connection.order("file", path=str(data), binary=True)
    cause, text = program.failure("a")
    assert cause == "too-big"
    assert "16777216" in text and "1009" in text
    daemon.expect("upstream-failed", "too-big.*16777216")
    code, _ = connection.closed()
    assert code == 1009


def test_too_long_from_the_library(daemon, one_server, program, tmp_path):
    """The library knows the limit: the call is refused, and nothing else happens."""
    path = new_path()
    data = tmp_path / "long"
    data.write_bytes(bytes(MAX_MESSAGE + 1))
    program.open("a", one_server.url(path))
    program.event("open")
    program.write(f"file a binary {data}")
    refused = program.event("refused")
    assert refused["error"] == -errno.EMSGSIZE
    assert "16777216" in refused["text"]
    program.text("a", "still there")
    assert one_server.connection(path).event("message")["text"] == "still there"


def test_too_long_from_a_client(daemon, server):
    path = new_path()
    with daemon.client() as client:
        channel = client.open(server.url(path))
        channel.send("before")
        client.wait_hello()
        rest = MAX_MESSAGE + 1
        while rest > 0 and channel.state not in ("failed", "ended"):
            piece = min(rest, 65536)
            rest -= piece
            channel.send_piece(bytes(piece), more=rest > 0)
        failed = channel.wait(Failed)
        assert failed.cause == "too-big"
        assert "16777216" in failed.text
        assert channel.wait(Closed) == Closed(False, 1006, "")
    connection = server.connection(path)
    assert connection.event("message")["text"] == "before"
    assert connection.closed()[0] == 1001
    daemon.expect("channel-cut", "16777216")


# --- control frames ---


@pytest.mark.parametrize("data", ["", "ping", "grüße", "x" * 125])
def test_ping_is_answered(daemon, server, program, data):
    path = new_path()
    program.open("a", server.url(path))
    program.event("open")
    connection = server.connection(path)
    connection.order("ping", data=data)
    assert connection.event("pong")["data"] == data


def test_ping_of_any_bytes_amid_a_message(daemon, program):
    payload = bytes(range(125))

    def script(peer):
        peer.upgrade()
        peer.raw(frame(TEXT, b"one, ", is_last=False))
        peer.raw(frame(PING, payload))
        assert peer.read_frame() == (0x80 | PONG, payload)
        peer.raw(frame(0, b"two"))
        assert peer.read_close() == 1000
        peer.raw(frame(8, b"\x03\xe8"))

    with RawServer(script) as raw:
        program.open("a", raw.url)
        assert program.event("message")["data"] == "one, two"
        program.close("a", 1000)
        assert program.event("close")["clean"]


# --- bufferedAmount ---


def test_buffered_amount_tells_what_the_network_has_not_taken(daemon, own_server, program, tmp_path):
    n_messages = 32
    data = tmp_path / "mib"
    data.write_bytes(binary_of(MIB))
    path = new_path()
    program.open("a", own_server.url(path))
    program.event("open")
    own_server.freeze()
    for _ in range(n_messages):
        program.write(f"file a binary {data}")
    amount, state = program.amount("a")
    assert state == 1
    # More than the kernel holds of one connection, so it cannot get to 0 by itself.
    assert 8 * MIB < amount <= n_messages * MIB
    assert own_server.status is None
    own_server.thaw()
    seen = [amount]

    def is_drained():
        seen.append(program.amount("a")[0])
        return seen[-1] == 0

    wait_until(is_drained, lambda: f"bufferedAmount 0, not {seen[-10:]}")
    assert seen == sorted(seen, reverse=True)
    connection = own_server.connection(path)
    got = connection.messages(n_messages)
    assert {event["sha256"] for event in got} == {hashlib.sha256(data.read_bytes()).hexdigest()}
    program.close("a")
    assert connection.closed()[0] == 1005
