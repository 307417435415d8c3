# SPDX-License-Identifier: MIT
"""The Python client against PROTOCOL.md and against a daemon that follows a script."""

import os
import re
import struct

import pytest
import wsplex_protocol
from fake_daemon import FakeDaemon
from wsplex_client import (
    INITIAL_CREDIT,
    MAGIC,
    MAX_PAYLOAD,
    MORE,
    MUST_UNDERSTAND,
    Aborted,
    ChannelEnded,
    Client,
    Closed,
    Closing,
    ConnectionLost,
    DaemonError,
    Failed,
    Message,
    Opened,
    ProtocolError,
    RequestError,
    Sent,
    connect_socket,
    socket_paths,
)
from wsplex_protocol import HEADER, ROWS, Frame, Reader, Type, make_frame

EPOCH = bytes(range(16))


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    return os.fspath(tmp_path / "wsplex.sock")


# --- the document ---


@pytest.fixture(name="document", scope="module")
def fixture_document():
    here = os.path.dirname(__file__)
    with open(os.path.join(here, "../../proto/PROTOCOL.md"), encoding="utf-8") as file:
        return file.read()


def hex_bytes(line):
    return bytes.fromhex(re.match(r"(?:[0-9a-f]{2}(?: |$))*", line).group())


def examples(document):
    for body in re.findall(r"^```frame \w+\n(.*?)^```", document, re.MULTILINE | re.DOTALL):
        yield b"".join(hex_bytes(line) for line in body.splitlines())


def test_examples_are_read_and_written(document):
    seen = set()
    for data in examples(document):
        reader = Reader()
        reader.feed(MAGIC + data)
        frame = reader.next()
        again = make_frame(frame.type, frame.channel, frame.flags, **vars(frame.fields()))
        assert again.to_bytes() == data
        seen.add(frame.type)
    assert seen == set(ROWS)


def test_session_is_read(document):
    body = re.search(r"^```session\n(.*?)^```", document, re.MULTILINE | re.DOTALL).group(1)
    labels = {">": [], "<": []}
    readers = {">": Reader(), "<": Reader()}
    for line in body.splitlines():
        readers[line[0]].feed(hex_bytes(line[2:]))
        labels[line[0]] += re.findall(r"[A-Z]+$", line)
    for arrow, reader in readers.items():
        assert [frame.name for frame in iter(reader.next, None)] == labels[arrow]
        assert len(labels[arrow]) > 3


def test_tables_are_those_of_the_document(document):
    assert wsplex_protocol.FRAMES.strip() in document

    def table(title):
        rows = document.split(title)[1].split("| --- | --- | --- |\n")[1].split("\n\n")[0]
        cells = (row.split(" | ") for row in rows.splitlines())
        return {int(cell[0].strip("| ")): cell[1] for cell in cells}

    assert table("### Codes of ERROR") == wsplex_protocol.FATALS
    assert table("### Causes of FAILED") == wsplex_protocol.CAUSES
    assert table("### Statuses of REPLY") == wsplex_protocol.STATUSES


def test_example_of_credit_adds_up(document):
    rows = document.split("| what | cost | cost so far | total | left |\n")[1].split("\n\n")[0]
    so_far, totals = 0, []
    for row in rows.splitlines()[1:]:
        what, *numbers = (cell.strip() for cell in row.strip("|").split("|"))
        cost, told_so_far, total, left = (int(number or 0) for number in numbers)
        if cost > 0:
            assert cost == HEADER.size + int(re.findall(r"(\d+) bytes", what)[-1])
        so_far += cost
        assert told_so_far == so_far
        assert left == total - so_far
        totals.append(total)
    assert totals[0] == INITIAL_CREDIT and totals[-1] > INITIAL_CREDIT


# --- finding the daemon ---


def test_socket_is_looked_up_in_order():
    machine = "/run/wsplex/wsplex.sock"
    assert socket_paths({}) == [machine]
    assert socket_paths({"WSPLEX_SOCKET": "/x", "XDG_RUNTIME_DIR": "/y"}) == ["/x"]
    assert socket_paths({"WSPLEX_SOCKET": "", "XDG_RUNTIME_DIR": "/y"}) == [
        "/y/wsplex/wsplex.sock",
        machine,
    ]


def test_next_path_is_tried_where_nobody_listens(path):
    with FakeDaemon(path, lambda peer: peer.expect_end()):
        connect_socket(["/nonexistent/wsplex.sock", path]).close()
    with pytest.raises(FileNotFoundError, match="/nonexistent"):
        connect_socket([path, "/nonexistent/wsplex.sock"])


# --- channels ---


def opens(peer, number=1, **opened):
    """The start of most scripts."""
    peer.greet()
    fields = peer.expect(Type.OPEN, number)
    peer.send(Type.OPENED, number, epoch=EPOCH, **opened)
    return fields


def test_channel_opens_talks_and_closes(path):
    def script(peer):
        hello = peer.greet(software="fake")
        assert (hello.minor, hello.max_channels) == (0, 0)
        opening = peer.expect(Type.OPEN, 1)
        assert opening.sharing == 2
        assert opening.url == "wss://feed.example/"
        assert opening.protocols == ["a", "b"]
        assert opening.headers == [("Accept", "*/*")]
        assert opening.options == [("linger", "5s")]
        peer.send(Type.OPENED, 1, protocol="b", extensions="x", epoch=EPOCH, next_number=41, max_message=9)
        assert peer.expect(Type.TEXT, 1).payload == "grüße".encode()
        peer.send(Type.SENT, 1, total=7)
        peer.send(Type.TEXT, 1, payload=b"one")
        peer.send(Type.BINARY, 1, payload=b"\0\xff")
        closing = peer.expect(Type.CLOSE, 1)
        assert (closing.code, closing.discard, closing.reason) == (1000, False, "done")
        peer.send(Type.CLOSING, 1)
        peer.send(Type.CLOSED, 1, was_clean=True, code=1000, reason="done")
        peer.expect(Type.RELEASE, 1)
        peer.expect_end()

    with FakeDaemon(path, script), Client(path) as client:
        channel = client.open(
            "wss://feed.example/",
            ["a", "b"],
            sharing="shared",
            headers={"Accept": "*/*"},
            options={"linger": "5s"},
        )
        assert channel.recv() == Opened("b", "x", EPOCH, 41, 9)
        assert client.hello.software == "fake"
        channel.send("grüße")
        assert channel.buffered_amount == 7
        assert channel.recv() == Sent(7)
        assert channel.buffered_amount == 0
        assert channel.recv() == Message("one", 41)
        assert channel.recv() == Message(b"\0\xff", 42)
        channel.close(1000, "done")
        assert channel.recv() == Closing()
        assert channel.recv() == Closed(True, 1000, "done")
        with pytest.raises(ChannelEnded):
            channel.recv()
        assert not client.channels


def test_everything_may_be_written_at_once(path):
    def script(peer):
        peer.expect(Type.HELLO)
        for number in (1, 2):
            peer.expect(Type.OPEN, number)
            assert peer.expect(Type.TEXT, number).payload == b"hi"
            peer.expect(Type.CLOSE, number)
        peer.send_hello()
        for number in (2, 1):
            peer.send(Type.OPENED, number)
            peer.send(Type.CLOSED, number, was_clean=True, code=1005)
            peer.expect(Type.RELEASE, number)

    with FakeDaemon(path, script), Client(path) as client:
        channels = []
        for _ in range(2):
            channels.append(client.open("ws://h/"))
            channels[-1].send("hi")
            channels[-1].close()
        assert [channel.wait(Closed).code for channel in channels] == [1005, 1005]


def test_failure_comes_with_its_cause(path):
    def script(peer):
        peer.greet()
        peer.expect(Type.OPEN, 1)
        peer.send(
            Type.FAILED, 1, cause=19, http_status=503, text="not now", retry_after=30, excerpt="busy"
        )
        peer.send(Type.CLOSED, 1, was_clean=False, code=1006)
        peer.expect(Type.RELEASE, 1)
        peer.expect(Type.OPEN, 1)
        peer.send(Type.FAILED, 1, cause=999)
        peer.send(Type.CLOSED, 1, was_clean=False, code=1006)
        peer.expect(Type.RELEASE, 1)

    with FakeDaemon(path, script), Client(path) as client:
        channel = client.open("ws://h/", number=1)
        assert channel.recv() == Failed("handshake", 503, "not now", 30, "busy")
        assert channel.recv() == Closed(False, 1006, "")
        again = client.open("ws://h/", number=1)
        with pytest.raises(ChannelEnded, match="cause='999'"):
            again.wait(Message)


def test_pieces_become_messages(path):
    text = "ä" * 3

    def script(peer):
        opens(peer)
        peer.expect(Type.OPEN, 2)
        peer.send(Type.OPENED, 2)
        data = text.encode()
        peer.send(Type.TEXT, 1, MORE, payload=data[:3])
        peer.send(Type.BINARY, 2, MORE, payload=b"x")
        peer.send(Type.TEXT, 1, MORE, payload=b"")
        peer.send(Type.CREDIT, 1, total=INITIAL_CREDIT)
        peer.send(Type.BINARY, 2, payload=b"y")
        peer.send(Type.TEXT, 1, payload=data[3:])
        peer.send(Type.TEXT, 1, MORE, payload=b"forget")
        peer.send(Type.ABORT, 1)
        peer.send(Type.TEXT, 1)
        assert peer.expect(Type.BINARY, 1).payload == b"ab"
        assert peer.read() == Frame(Type.BINARY, 1, MORE, b"cd")
        peer.expect(Type.ABORT, 1)
        peer.expect_end()

    with FakeDaemon(path, script), Client(path) as client:
        one, two = client.open("ws://h/"), client.open("ws://h/")
        assert one.messages(1) == [text]
        assert one.recv() == Aborted()
        assert one.messages(1) == [""]
        assert two.messages(1) == [b"xy"]
        one.send_piece(b"ab", more=False)
        one.send_piece(b"cd", more=True)
        one.abort()


# --- credit ---


@pytest.mark.parametrize("step", [13, 1000, INITIAL_CREDIT, 1 << 20])
def test_sending_keeps_to_its_credit(path, step):
    data = os.urandom(3 * MAX_PAYLOAD if step > 1000 else MAX_PAYLOAD + 3000)

    def script(peer):
        opens(peer)
        got, cost, total = b"", 0, INITIAL_CREDIT
        more = True
        while more:
            frame = peer.read()
            assert (frame.type, frame.channel) == (Type.BINARY, 1)
            got += frame.payload
            cost += HEADER.size + len(frame.payload)
            assert cost <= total
            more = frame.has_more
            if more and cost + HEADER.size >= total:
                total += step
                peer.send(Type.CREDIT, 1, total=total)
        assert got == data

    with FakeDaemon(path, script), Client(path) as client:
        client.open("ws://h/").send(data)


def test_credit_runs_out(path):
    def script(peer):
        opens(peer)
        assert len(peer.expect(Type.BINARY, 1).payload) == MAX_PAYLOAD
        peer.expect(Type.ABORT, 1)
        peer.expect_end()

    with FakeDaemon(path, script), Client(path) as client:
        channel = client.open("ws://h/")
        with pytest.raises(TimeoutError):
            channel.send(bytes(MAX_PAYLOAD + 1), timeout=0.1)
        with pytest.raises(TimeoutError):
            channel.send("", timeout=0.1)
        channel.abort()


def test_nobody_waits_for_each_other(path):
    """Both sides write more than the sockets hold before either reads."""
    n_bytes = 4 << 20

    def script(peer):
        opens(peer)
        peer.send(Type.CREDIT, 1, total=2 * n_bytes)
        for _ in range(n_bytes // MAX_PAYLOAD):
            peer.send(Type.BINARY, 1, payload=bytes(MAX_PAYLOAD))
        got = 0
        while got < n_bytes:
            got += len(peer.expect(Type.BINARY, 1).payload)

    with FakeDaemon(path, script), Client(path) as client:
        channel = client.open("ws://h/")
        channel.recv()
        channel.send(bytes(n_bytes))
        assert sum(map(len, channel.messages(n_bytes // MAX_PAYLOAD))) == n_bytes


def test_client_grants_credit(path):
    def script(peer):
        opens(peer)
        assert peer.expect(Type.CREDIT, 1).total == 70000

    with FakeDaemon(path, script), Client(path) as client:
        client.open("ws://h/").credit(70000)
        client.wait_end()


# --- requests ---


def test_requests_are_answered(path):
    def script(peer):
        peer.greet()
        asked = peer.expect(Type.REQUEST)
        assert (asked.verb, asked.arguments) == ("show", ["7", "ü"])
        peer.send(Type.REPLY, flags=MORE, id=asked.id, json=b'{"a": [1, "')
        peer.send(Type.REPLY, id=asked.id, json=b'x"]}')
        asked = peer.expect(Type.REQUEST)
        peer.send(Type.REPLY, id=asked.id, status=4, json=b'{"error": "no 8"}')
        asked = peer.expect(Type.REQUEST)
        peer.send(Type.REPLY, id=asked.id)

    with FakeDaemon(path, script), Client(path) as client:
        assert client.request("show", "7", "ü") == {"a": [1, "x"]}
        with pytest.raises(RequestError) as refused:
            client.request("show", "8")
        assert (refused.value.name, refused.value.text) == ("not-found", "no 8")
        assert client.request("reload") is None


# --- ends ---


def test_error_says_why(path):
    def script(peer):
        peer.greet()
        peer.expect(Type.TEXT, 7)
        peer.send(Type.ERROR, code=9, frame_type=0x20, frame_channel=7, text="who is 7?")

    with FakeDaemon(path, script), Client(path) as client:
        client.send(Type.TEXT, 7)
        with pytest.raises(DaemonError) as ended:
            client.request("status")
        assert (ended.value.name, ended.value.frame_type) == ("unknown-channel", Type.TEXT)
        assert (ended.value.frame_channel, ended.value.text) == (7, "who is 7?")


def test_error_is_read_although_writing_fails(path):
    def script(peer):
        peer.greet()
        peer.send(Type.ERROR, code=2)

    with FakeDaemon(path, script), Client(path) as client:
        client.wait_hello()
        client.send_raw(bytes(1 << 20))
        client.send_raw(bytes(1 << 20))
        assert client.wait_end().name == "bad-header"


def test_daemon_goes_away(path):
    with FakeDaemon(path, opens), Client(path) as client:
        channel = client.open("ws://h/")
        channel.recv()
        with pytest.raises(ConnectionLost):
            channel.recv()
    with FakeDaemon(path, opens), Client(path) as client:
        client.open("ws://h/")
        assert client.wait_end() is None


def test_silence_times_out(path):
    with FakeDaemon(path, lambda peer: (opens(peer), peer.expect_end())), Client(path) as client:
        channel = client.open("ws://h/")
        channel.recv()
        with pytest.raises(TimeoutError):
            channel.recv(timeout=0.05)


# --- what the daemon must not do ---


def breach(*frames):
    """A script that opens channel 1 and then sends bytes that it should not."""

    def script(peer):
        opens(peer)
        for frame in frames:
            peer.raw(frame if isinstance(frame, bytes) else frame.to_bytes())
        peer.expect_end()

    return script


CLOSED = make_frame(Type.CLOSED, 1, code=1006)
BREACHES = {
    "too long": struct.pack("<IBBHI", MAX_PAYLOAD + 1, Type.TEXT, 0, 0, 1),
    "flag": struct.pack("<IBBHI", 0, Type.TEXT, 4, 0, 1),
    "reserved": struct.pack("<IBBHI", 0, Type.TEXT, 0, 1, 1),
    "must understand": Frame(0x7F, 1, MUST_UNDERSTAND),
    "direction": make_frame(Type.OPEN, 1),
    "channel 0": make_frame(Type.TEXT, 0),
    "channel not 0": make_frame(Type.REPLY, 1),
    "unknown channel": make_frame(Type.TEXT, 2),
    "MORE": make_frame(Type.SENT, 1, MORE),
    "cut": Frame(Type.FAILED, 1, 0, b"\1\0\0\0\2\0x"),
    "cut in an optional field": Frame(Type.FAILED, 1, 0, b"\1\0\0\0\0\0\0\0"),
    "second HELLO": make_frame(Type.HELLO),
    "second OPENED": make_frame(Type.OPENED, 1),
    "another type": (make_frame(Type.TEXT, 1, MORE), make_frame(Type.BINARY, 1)),
    "not UTF-8": make_frame(Type.TEXT, 1, payload=b"\xff"),
    "ABORT": make_frame(Type.ABORT, 1),
    "SENT too high": make_frame(Type.SENT, 1, total=1),
    "CREDIT falls": make_frame(Type.CREDIT, 1, total=INITIAL_CREDIT - 1),
    "CLOSING twice": (make_frame(Type.CLOSING, 1), make_frame(Type.CLOSING, 1)),
    "message after FAILED": (make_frame(Type.FAILED, 1, cause=1), make_frame(Type.TEXT, 1)),
    "end within a message": (make_frame(Type.TEXT, 1, MORE), CLOSED),
    "unasked reply": make_frame(Type.REPLY, id=1),
    "frame after ERROR": (make_frame(Type.ERROR, code=1), make_frame(Type.TEXT, 1)),
}


@pytest.mark.parametrize("name", BREACHES)
def test_breach_is_noticed(path, name):
    frames = BREACHES[name]
    frames = frames if isinstance(frames, tuple) else (frames,)
    with FakeDaemon(path, breach(*frames)), Client(path) as client:
        client.open("ws://h/")
        with pytest.raises(ProtocolError):
            client.wait_end()
        client.disconnect()


def test_frame_after_closed_is_noticed(path):
    def script(peer):
        opens(peer)
        peer.raw(CLOSED.to_bytes() + make_frame(Type.TEXT, 1).to_bytes())
        peer.expect(Type.RELEASE, 1)
        peer.expect_end()

    with FakeDaemon(path, script), Client(path) as client:
        client.open("ws://h/")
        with pytest.raises(ProtocolError):
            client.wait_end()


@pytest.mark.parametrize("start", [b"HTTP/1.1", b"WSPLEX2\n", MAGIC + CLOSED.to_bytes()])
def test_wrong_start_is_noticed(path, start):
    with FakeDaemon(path, lambda peer: (peer.raw(start), peer.read())), Client(path) as client:
        with pytest.raises(ProtocolError):
            client.wait_hello()


def test_unknown_frames_and_bytes_are_ignored(path):
    def script(peer):
        opens(peer)
        peer.raw(Frame(0x7F, 1, 0, b"?").to_bytes() + Frame(0x7E).to_bytes())
        closing = make_frame(Type.CLOSED, 1, was_clean=True, code=1000, reason="r")
        peer.raw(Frame(Type.CLOSED, 1, 0, closing.payload + b"more").to_bytes())
        peer.expect(Type.RELEASE, 1)

    with FakeDaemon(path, script), Client(path) as client:
        assert client.open("ws://h/").wait(Closed) == Closed(True, 1000, "r")


# --- for tests that look closely ---


def test_raw_access(path):
    def script(peer):
        assert peer.read() == Frame(Type.HELLO, 3, 1, b"x")
        peer.send_hello()
        peer.send(Type.ERROR, code=8)

    with FakeDaemon(path, script), Client(path, greets=False) as client:
        client.send_raw(MAGIC)
        client.send_frame(Type.HELLO, 3, 1, b"x")
        assert client.read_frame().name == "HELLO"
        assert client.read_frame().fields().code == 8
        assert client.wait_end() is None


def test_release_can_wait(path):
    def script(peer):
        opens(peer)
        peer.raw(CLOSED.to_bytes())
        assert peer.expect(Type.TEXT, 1).payload == b"late"
        peer.expect(Type.RELEASE, 1)

    with FakeDaemon(path, script), Client(path) as client:
        client.releases = False
        channel = client.open("ws://h/")
        channel.wait(Closed)
        client.send(Type.TEXT, 1, payload=b"late")
        with pytest.raises(ChannelEnded):
            channel.send("late")
        channel.release()
        assert client.wait_end() is None
