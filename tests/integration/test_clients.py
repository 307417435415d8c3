# SPDX-License-Identifier: MIT
"""Clients that break the local protocol or die: each alone, and nobody else notices."""

import contextlib
import hashlib
import struct

import pytest
from process import n_descriptors, wait_until
from servers import RawServer, new_path
from wsplex_client import Closed, Failed, Message, Opened
from wsplex_protocol import MAGIC, MORE, MUST_UNDERSTAND, Frame, Type, make_frame

MIB = 1 << 20


@pytest.fixture
def bystander(daemon, program, one_server):
    """A program in mid-traffic while a test does its worst, and that must have missed nothing after it."""
    program.open("good", one_server.url(new_path("echo")))
    program.event("open")
    for i in range(100):
        program.text("good", str(i))
    program.event("message", data="0")
    yield program
    for i in range(100, 200):
        program.text("good", str(i))
    program.event("message", data="199")
    got = [event["data"] for event in program.events("good") if event["event"] == "message"]
    assert [data for data in got if data != "x"] == [str(i) for i in range(200)]


HELLO = make_frame(Type.HELLO, software="wrong").to_bytes()
GREETING = MAGIC + HELLO


def header(length=0, kind=Type.TEXT, flags=0, zero=0, channel=1):
    return struct.pack("<IBBHI", length, kind, flags, zero, channel)


# What a client writes, the ERROR that answers it, and the type and channel that it names.
BEGINNINGS = {
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad-magic", 0, 0),
    "another version": (b"WSPLEX2\n" + HELLO, "bad-magic", 0, 0),
    "noise": (bytes(reversed(range(256))) * 4096, "bad-magic", 0, 0),
    "no HELLO": (MAGIC + header(kind=Type.CLOSE), "no-hello", Type.CLOSE, 1),
    "HELLO cut off": (MAGIC + header(3, Type.HELLO, channel=0) + b"abc", "bad-payload", Type.HELLO, 0),
    "second HELLO": (GREETING + HELLO, "out-of-turn", Type.HELLO, 0),
    "too long": (GREETING + header(65537), "too-long", Type.TEXT, 1),
    "as long as can be": (GREETING + header(0xFFFFFFFF), "too-long", Type.TEXT, 1),
    "zero is not zero": (GREETING + header(zero=1), "bad-header", Type.TEXT, 1),
    "unknown flag": (GREETING + header(flags=0x80), "bad-header", Type.TEXT, 1),
    "MORE where there is none": (GREETING + header(kind=Type.RELEASE, flags=MORE), "bad-header", Type.RELEASE, 1),
    "must be understood": (GREETING + header(kind=0x7F, flags=MUST_UNDERSTAND), "not-understood", 0x7F, 1),
    "the daemon's frame": (GREETING + header(kind=Type.CLOSING), "wrong-direction", Type.CLOSING, 1),
    "channel 0": (GREETING + header(channel=0), "bad-channel", Type.TEXT, 0),
    "a request on a channel": (GREETING + header(kind=Type.REQUEST), "bad-channel", Type.REQUEST, 1),
    "unknown channel": (GREETING + header(channel=7), "unknown-channel", Type.TEXT, 7),
    "credit for an unknown channel": (GREETING + header(8, Type.CREDIT) + bytes(8), "unknown-channel", Type.CREDIT, 1),
    "a field over the end": (GREETING + header(4, Type.OPEN) + b"\x00\xff\xff\x00", "bad-payload", Type.OPEN, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BEGINNINGS)
def test_wrong_from_the_start(daemon, bystander, name):
    written, error_name, kind, channel = BEGINNINGS[name]
    with daemon.client(greets=False) as client:
        client.send_raw(written)
        error = client.wait_end()
        assert (error.name, error.frame_type, error.frame_channel) == (error_name, kind, channel)
        assert error.text
    daemon.expect("client-broken", error_name)


def frames_of(channel):
    """What a client writes on a channel that is open."""
    number = channel.number
    close = make_frame(Type.CLOSE, number, code=1000, discard=False, reason="").to_bytes()
    yield "text is not UTF-8", Frame(Type.TEXT, number, 0, b"\xff").to_bytes(), "bad-payload"
    yield "text cut off", Frame(Type.TEXT, number, 0, b"\xe2\x82").to_bytes(), "bad-payload"
    yield "opened twice", make_frame(Type.OPEN, number, url="ws://x/").to_bytes(), "channel-in-use"
    yield "released while open", Frame(Type.RELEASE, number, 0, b"").to_bytes(), "out-of-turn"
    yield "abort of nothing", Frame(Type.ABORT, number, 0, b"").to_bytes(), "out-of-turn"
    yield "data after CLOSE", close + Frame(Type.TEXT, number, 0, b"x").to_bytes(), "out-of-turn"
    yield (
        "another message within one",
        Frame(Type.TEXT, number, MORE, b"x").to_bytes() + Frame(Type.BINARY, number, 0, b"y").to_bytes(),
        "out-of-turn",
    )
    yield "close amid a message", Frame(Type.TEXT, number, MORE, b"x").to_bytes() + close, "out-of-turn"
    for code in (1, 999, 1001, 1005, 2999, 5000):
        wrong = struct.pack("<HBH", code, 0, 0)
        yield f"close with {code}", Frame(Type.CLOSE, number, 0, wrong).to_bytes(), "bad-payload"
    long = struct.pack("<HBH", 1000, 0, 124) + b"x" * 124
    yield "reason too long", Frame(Type.CLOSE, number, 0, long).to_bytes(), "bad-payload"


def test_wrong_on_an_open_channel(daemon, bystander, one_server):
    path = new_path()
    with daemon.client() as client:
        names = [name for name, _, _ in frames_of(client.open(one_server.url(path)))]
    for i, name in enumerate(names):
        path = new_path()
        with daemon.client() as client:
            channel = client.open(one_server.url(path))
            channel.wait(Opened)
            written, error_name = next((w, e) for n, w, e in frames_of(channel) if n == name)
            client.send_raw(written)
            error = client.wait_end()
            assert error.name == error_name, (name, error)
            assert error.frame_channel == channel.number
            assert error.text
        # Its WebSocket goes with it: that of a program that has ended.
        assert one_server.connection(path).closed()[0] in (1000, 1001, 1005), name
        daemon.expect("client-broken", n_lines=i + 1)


def test_unknown_type_is_skipped(daemon, one_server):
    with daemon.client() as client:
        channel = client.open(one_server.url(new_path("echo")))
        client.send_frame(0x7F, channel.number, 0, b"from the future")
        client.send_frame(0x7E, 0, 0, b"")
        channel.send("fine")
        assert channel.wait(Message).data == "fine"


def test_over_credit(daemon, bystander):
    """The daemon has granted nothing yet beyond the start: its server has not answered."""
    with RawServer(lambda peer: raw.over.wait()) as raw, daemon.client() as client:
        channel = client.open(raw.url)
        # Otherwise the listener may have gone before the daemon comes to it.
        wait_until(lambda: raw.n_accepted == 1, lambda: "the daemon's connection")
        client.send_frame(Type.BINARY, channel.number, 0, bytes(65536))
        client.send_frame(Type.BINARY, channel.number, 0, b"")
        error = client.wait_end()
        assert (error.name, error.frame_type) == ("over-credit", Type.BINARY)
        daemon.expect("client-broken", "over-credit")
    # The first message was within its credit, and would still have gone.
    daemon.expect("upstream-failed", "handshake")


def test_too_many_channels(make_daemon, one_server):
    daemon = make_daemon("max-channels = 20")
    url = one_server.url(new_path())
    with daemon.client() as client:
        assert client.wait_hello().max_channels == 20
        for _ in range(20):
            client.open(url).wait(Opened)
        client.open(url)
        error = client.wait_end()
        assert error.name == "too-many-channels"
    daemon.expect("client-broken", "too-many-channels")


BREAKS = {
    "nothing": b"",
    "half a magic": MAGIC[:3],
    "half a header": GREETING + header(100)[:5],
    "half a frame": GREETING + make_frame(Type.OPEN, 1, url="ws://127.0.0.1/").to_bytes()[:-3],
    "half a request": GREETING + header(1000, Type.REQUEST, channel=0) + b"x",
}


@pytest.mark.parametrize("name", BREAKS)
def test_silence_and_disconnection(daemon, bystander, name):
    """Half of something, then nothing: the daemon waits for the rest, and forgets it with the connection."""
    n_before = n_descriptors(daemon.pid)
    silent = daemon.client(greets=False)
    silent.send_raw(BREAKS[name])
    wait_until(lambda: len(daemon.request("clients")) == 3, "the silent client")
    bystander.text("good", "x")
    bystander.event("message", data="x")
    silent.disconnect()
    wait_until(lambda: n_descriptors(daemon.pid) == n_before, "descriptors as before")
    bystander.open("other", "ws://127.0.0.1:1/")
    bystander.failure("other")
    daemon.expect("upstream-failed")


def test_silence_amid_a_message(daemon, bystander, one_server):
    """A shared channel that has begun a message and does not go on holds up nobody who sends beside it."""
    path = new_path()
    with daemon.client() as silent, daemon.client() as other:
        options = {"linger": "0s"}
        begun = silent.open(one_server.url(path), sharing="shared", options=options)
        begun.wait(Opened)
        begun.send_piece("the beginning of ", more=True)
        goes_on = other.open(one_server.url(path), sharing="shared", options=options)
        goes_on.wait(Opened)
        for i in range(10):
            goes_on.send(f"whole {i}")
        connection = one_server.connection(path)
        assert [event["text"] for event in connection.messages(10)] == [f"whole {i}" for i in range(10)]
        begun.send_piece("a message", more=False)
        assert connection.event("message")["text"] == "the beginning of a message"
        begun.send_piece("another that will not", more=True)
        silent.disconnect()
        goes_on.send("last")
        assert connection.event("message")["text"] == "last"


# --- sudden death ---


def test_killed_while_it_sends(daemon, server, make_program, tmp_path):
    """What was written whole still goes, the message under way does not, and others send on."""
    path = new_path()
    dies, lives = make_program(daemon), make_program(daemon)
    for program in (dies, lives):
        program.open("a", server.url(path), "shared", "option=linger=0s")
        program.event("open")
    long = tmp_path / "long"
    long.write_bytes(bytes(8 * MIB))
    # The daemon rests, so that the program gets no further than its first piece.
    daemon.process.freeze()
    dies.text("a", "whole")
    dies.write(f"file a binary {long}")
    assert dies.amount("a") == (8 * MIB + 5, 1)
    dies.kill()
    dies.wait()
    lives.text("a", "another's")
    daemon.process.thaw()
    connection = server.connection(path)
    texts = [event["text"] for event in connection.messages(2)]
    assert sorted(texts) == ["another's", "whole"]
    lives.text("a", "last")
    assert connection.event("message")["text"] == "last"
    lives.close("a")
    assert lives.event("close")["clean"]
    assert connection.closed()[0] == 1000


def test_killed_while_it_receives(daemon, server, make_program, tmp_path):
    """In the middle of a message of 16 MiB; another one on the same upstream gets it whole."""
    path = new_path()
    dies, lives = make_program(daemon), make_program(daemon, save=tmp_path)
    for program in (dies, lives):
        program.open("a", server.url(path, "wss"), "shared", "option=linger=0s")
        program.event("open")
    dies.freeze()
    data = tmp_path / "data"
    data.write_bytes(hashlib.sha256(b"x").digest() * (MIB // 2))
    connection = server.connection(path)
    connection.order("file", path=str(data), binary=True)
    (row,) = (row for row in daemon.request("clients") if row["pid"] == dies.pid)
    wait_until(lambda: daemon.request("show", str(row["id"]))["blocked"], "it is in the middle")
    dies.kill()
    dies.wait()
    event = lives.event("message")
    with open(event["file"], "rb") as file:
        assert file.read() == data.read_bytes()
    connection.order("text", text="on it goes")
    assert lives.event("message")["data"] == "on it goes"


def test_many_die_at_once(daemon, bystander, one_server, make_program):
    """Twenty programs with shared and private WebSockets, killed in the middle of their traffic."""
    path = new_path("echo")
    programs = [make_program(daemon) for _ in range(20)]
    for program in programs:
        program.open("s", one_server.url(path), "shared", "option=linger=0s")
        program.open("p", one_server.url(path))
    for program in programs:
        program.event("open", name="s")
        program.event("open", name="p")
        program.write("\n".join(f"text {name} {i}" for i in range(500) for name in "sp"))
    for program in programs:
        program.event("message", name="s")
        program.kill()
        program.wait()
    wait_until(lambda: len(daemon.upstreams()) == 1, "only the bystander's upstream is left")


def test_library_and_programs_of_the_dead(daemon, one_server):
    """A client that leaves without RELEASE or CLOSE, and one that half closes, are the same as any other end."""
    path = new_path()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.client()) for _ in range(3)]
        for client in clients:
            client.releases = False
            client.open(one_server.url(path)).wait(Opened)
            failing = client.open("ws://127.0.0.1:1/")
            assert failing.wait(Failed).cause == "connect"
            assert failing.wait(Closed) == Closed(False, 1006, "")
        daemon.expect("upstream-failed", n_lines=3)
    daemon.wait_idle()
