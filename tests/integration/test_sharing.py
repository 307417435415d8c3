# SPDX-License-Identifier: MIT
"""Many programs on one upstream: what each gets and sends, how they join and leave, and who never meets."""

import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil

import pytest
import users
from process import wait_until
from program import Program
from servers import BINARY, TEXT, RawServer, frame, new_path
from wsplex_client import ChannelEnded, Closed, Failed, Message, Opened

LARGEST = 16 << 20
# A shared upstream goes as soon as its last channel has left.
GOES = {"linger": "0s"}


def shared(client, url, **more):
    """A shared channel that is open."""
    channel = client.open(url, sharing="shared", options={**GOES, **more.pop("options", {})}, **more)
    channel.wait(Opened)
    return channel


# --- everybody gets all ---


def test_fifty_processes_get_all_in_order(daemon, server, tmp_path):
    n_processes, n_messages = 50, 10000
    path, fill = new_path(), "x" * 40
    with contextlib.ExitStack() as stack:
        programs, outputs = [], []
        for i in range(n_processes):
            outputs.append(tmp_path / f"{i}")
            out = stack.enter_context(open(outputs[-1], "wb"))
            programs.append(stack.enter_context(Program(daemon.socket, stdout=out)))
            programs[-1].open("a", server.url(path, "wss"), "shared", "option=linger=0s")
        wait_until(
            lambda: [c["state"] for c in daemon.channels()] == ["open"] * n_processes,
            lambda: f"{n_processes} open channels, not {len(daemon.channels())}",
        )
        connection = server.connection(path)
        connection.order("burst", count=n_messages, fill=fill)
        connection.order("close", code=1000, reason="over")
        for output in outputs:
            wait_until(lambda: b'"close"' in output.read_bytes()[-200:], lambda: f"the end of {output}")
        for program in programs:
            program.finish()
    expected = []
    for i in range(n_messages):
        data = f"{i} {fill}"
        expected.append(
            f'{{"event": "message", "name": "a", "binary": false, "length": {len(data)}, "number": {i + 1}, '
            f'"replayed": false, "data": "{data}"}}'
        )
    for output in outputs:
        lines = output.read_text("utf-8").splitlines()
        assert json.loads(lines[0])["event"] == "open"
        assert lines[1:-1] == expected
        close = json.loads(lines[-1])
        assert (close["clean"], close["code"], close["reason"]) == (True, 1000, "over")
    server.expect_connections(path, 1)


def test_eight_senders_do_not_mix(daemon, server, make_program, tmp_path):
    n_senders, n_each = 8, 40
    path, chance = new_path(), random.Random(1)
    senders = [make_program(daemon) for _ in range(n_senders)]
    whose = {}  # by the hash of a message: who sent it, and as which
    for sender, program in enumerate(senders):
        program.open("a", server.url(path), "shared", "option=linger=0s")
        program.event("open")
        for i in range(n_each):
            length = chance.choice((chance.randrange(200), chance.randrange(70000), chance.randrange(400000)))
            data = f"{sender} {i} ".encode() + chance.randbytes(length)
            file = tmp_path / f"{sender}-{i}"
            file.write_bytes(data)
            whose[hashlib.sha256(data).hexdigest()] = (sender, i)
    # A message that is more than the network holds, and a server that takes nothing, keep all of them waiting until
    # each has given all it has.
    long = tmp_path / "long"
    long.write_bytes(bytes(LARGEST))
    server.freeze()
    try:
        senders[0].write(f"file a binary {long}")
        wait_until(lambda: max(row["bytes_in"] for row in daemon.request("clients")) > LARGEST, "it is first")
        for sender, program in enumerate(senders):
            program.write("\n".join(f"file a binary {tmp_path}/{sender}-{i}" for i in range(n_each)))
        for program in senders:
            assert program.amount("a")[0] > 0
    finally:
        server.thaw()
    connection = server.connection(path)
    assert connection.event("message")["length"] == LARGEST
    got = [whose[event["sha256"]] for event in connection.messages(n_senders * n_each)]
    for sender in range(n_senders):
        assert [i for who, i in got if who == sender] == list(range(n_each))
    # Nobody waited until somebody else was done.
    n_changes = sum(a[0] != b[0] for a, b in itertools.pairwise(got))
    assert n_changes > 2 * n_senders
    server.expect_connections(path, 1)


def test_senders_of_one_client_take_turns(daemon, one_server):
    """Many channels of one program, all with a backlog."""
    path = new_path()
    with daemon.client() as client:
        channels = [shared(client, one_server.url(path)) for _ in range(10)]
        for i in range(50):
            for n, channel in enumerate(channels):
                channel.send(f"{n} {i}")
        got = [event["text"].split() for event in one_server.connection(path).messages(500)]
    for n in range(10):
        assert [int(i) for who, i in got if int(who) == n] == list(range(50))


# --- joining ---


def test_who_joins_late_sees_what_comes_later(daemon, server):
    path = new_path()
    url = server.url(path)
    with daemon.client() as client, daemon.client() as other:
        first = shared(client, url)
        connection = server.connection(path)
        connection.order("text", text="one")
        assert first.wait(Message).data == "one"
        late = other.open(url, sharing="shared")
        opened = late.wait(Opened)
        connection.order("text", text="two")
        for channel in (late, first):
            assert channel.wait(Message) == Message("two", opened.next_number)
    server.expect_connections(path, 1)


def test_who_joins_amid_a_message_sees_it_whole_or_not(daemon):
    joined = []

    def script(peer):
        peer.upgrade()
        peer.raw(frame(TEXT, b"first"))
        peer.raw(frame(BINARY, b"half", is_last=False))
        wait_until(lambda: joined, "the second channel")
        peer.raw(frame(0, b" and half"))
        peer.raw(frame(TEXT, b"last"))
        assert peer.read_close() == 1000
        peer.raw(frame(8, b"\x03\xe8"))

    with RawServer(script) as raw, daemon.client() as client:
        first = shared(client, raw.url)
        assert first.wait(Message).data == "first"
        late = shared(client, raw.url)
        joined.append(late)
        assert first.messages(2) == [b"half and half", "last"]
        assert late.wait(Message).data in (b"half and half", "last")
        for channel in (first, late):
            channel.close(1000)
            channel.wait(Closed)


def test_subprotocol_holds_for_who_joins(daemon, server):
    path = new_path()
    with daemon.client() as client:
        for _ in range(2):
            channel = client.open(
                server.url(path), ["other", "chat.v1"], sharing="shared", options=GOES
            )
            assert channel.wait(Opened).protocol == "chat.v1"
    server.expect_connections(path, 1)
    assert server.connection(path).header("sec-websocket-protocol") == ["other, chat.v1"]


def test_joining_while_it_connects(daemon):
    """All that ask while the handshake goes on wait for the same answer, and share the refusal, too."""

    def script(peer):
        peer.read_request()
        wait_until(lambda: len(daemon.channels()) == 5, "five channels")
        peer.raw("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    with RawServer(script) as raw, daemon.client() as client:
        channels = [client.open(raw.url, sharing="shared") for _ in range(5)]
        for channel in channels:
            failed = channel.wait(Failed)
            assert (failed.cause, failed.http_status) == ("handshake", 503)
            assert channel.wait(Closed) == Closed(False, 1006, "")
        assert raw.n_accepted == 1
    daemon.expect("upstream-failed", "503")


# --- leaving ---


def test_close_detaches_with_the_code_given(daemon, server):
    path = new_path()
    with daemon.client() as client:
        stays, leaves = (shared(client, server.url(path)) for _ in range(2))
        leaves.send("my last")
        leaves.close(3001, "bye\0€")
        assert leaves.wait(Closed) == Closed(True, 3001, "bye\0€")
        connection = server.connection(path)
        assert connection.event("message")["text"] == "my last"
        connection.order("text", text="still here")
        assert stays.wait(Message).data == "still here"
        stays.close()
        assert stays.wait(Closed) == Closed(True, 1005, "")
    # The server hears of the last one only, and 1000.
    assert connection.closed()[0] == 1000


def test_a_private_channel_closes_with_code_and_reason(daemon, server):
    path = new_path()
    with daemon.client() as client:
        channel = client.open(server.url(path))
        channel.wait(Opened)
        channel.close(3001, "bye\0€")
        assert channel.wait(Closed).was_clean
    assert server.connection(path).closed() == (3001, "bye\0€")


def test_linger(make_daemon, one_server, own_server):
    """The upstream outlives its last channel, and the next one finds it open; the stop of the daemon ends it."""
    daemon = make_daemon()
    path = new_path()
    url = own_server.url(path)
    ids = []
    for _ in range(3):
        with daemon.client() as client:
            channel = client.open(url, sharing="shared", options={"linger": "1h"})
            channel.wait(Opened)
            ids += [upstream["id"] for upstream in daemon.upstreams()]
            channel.close(1000)
            channel.wait(Closed)
        (upstream,) = daemon.upstreams()
        assert daemon.request("show", str(upstream["id"]))["lingering"]
    assert len(set(ids)) == 1
    own_server.expect_connections(path, 1)
    daemon.stop()
    assert own_server.connection(path).closed()[0] == 1001


# --- who never meets ---


def test_private_and_shared_never_mix(daemon, server):
    path = new_path()
    with daemon.client() as client:
        kinds = ["private", "shared", "private", "shared", "private"]
        channels = [client.open(server.url(path), sharing=kind, options=GOES) for kind in kinds]
        for channel in channels:
            channel.wait(Opened)
        server.expect_connections(path, 4)
        upstreams = daemon.upstreams()
        assert sorted(upstream["shared"] for upstream in upstreams) == [False, False, False, True]
        assert sorted(upstream["channels"] for upstream in upstreams) == [1, 1, 1, 2]


def test_the_same_url_written_otherwise_is_the_same(daemon, one_server):
    path = new_path()
    url = one_server.url(path)
    with daemon.client() as client:
        for same in (url, url.replace("ws:", "http:"), url.replace("ws://127.0.0.1", "WS://127.1")):
            shared(client, same)
        one_server.expect_connections(path, 1)


def differences(ca_file):
    yield "header", {"headers": {"X-Token": "1"}}
    yield "another value", {"headers": {"X-Token": "2"}}
    yield "two headers", {"headers": [("X-Token", "1"), ("X-More", "1")]}
    yield "protocol", {"protocols": ["chat.v1"]}
    yield "protocols", {"protocols": ["chat.v1", "chat.v2"]}
    yield "order of protocols", {"protocols": ["chat.v2", "chat.v1"]}
    yield "ca-file", {"options": {"ca-file": ca_file}}
    yield "max-message", {"options": {"max-message": "1MiB"}}
    yield "deflate", {"options": {"deflate": "no"}}
    yield "deflate-context-takeover", {"options": {"deflate-context-takeover": "no"}}
    yield "deflate-window-bits", {"options": {"deflate-window-bits": "12"}}


def test_who_differs_in_identity_does_not_share(daemon, server, authority, folder):
    path = new_path()
    ca_file = shutil.copy(authority.file, os.path.join(folder, "copy.pem"))
    with daemon.client() as client:
        shared(client, server.url(path, "wss"))
        for n, (_, more) in enumerate(differences(ca_file), 2):
            for _ in range(2):
                shared(client, server.url(path, "wss"), **more)
            server.expect_connections(path, n)
        assert len(daemon.upstreams()) == n


@pytest.mark.skipif(users.why_not_programs() is not None, reason=f"no other users: {users.why_not_programs()}")
def test_users_never_meet(make_daemon, one_server):
    daemon = make_daemon("socket-mode = 0666")
    path = new_path()
    uids = (23456, 12345)
    with contextlib.ExitStack() as stack:
        for uid in uids:
            program = stack.enter_context(Program(daemon.socket, prefix=users.words(uid)))
            program.open("a", one_server.url(path), "shared", "option=linger=0s")
            program.event("open")
        one_server.expect_connections(path, 2)
        connections = [one_server.connection(path)]
        connections[0].order("text", text="for the first")
        # Each sees what is its own, and root sees all.
        for uid in uids:
            for what in ("clients", "channels", "upstreams"):
                rows = json.loads(daemon.ctl("--json", what, prefix=users.words(uid), check=0).stdout)
                assert {row["uid"] for row in rows} == {uid}, rows
                assert len(rows) == (2 if what == "clients" else 1)
        all_upstreams = daemon.upstreams()
        assert sorted(row["uid"] for row in all_upstreams) == sorted(uids)
        # What is another's does not exist.
        for uid in uids:
            for row in all_upstreams:
                done = daemon.ctl("show", str(row["id"]), prefix=users.words(uid))
                assert (done.returncode == 0) == (row["uid"] == uid), done
                if row["uid"] != uid:
                    assert b"nothing has the number" in done.stderr


# --- slow ones ---


def test_slow_consumer_goes_and_others_stay(daemon, server, make_program):
    path, n_messages, fill = new_path(), 4000, "x" * 4000
    fast, slow = make_program(daemon), make_program(daemon)
    fast.open("a", server.url(path), "shared", "option=linger=0s", "option=queue=64MiB")
    slow.open("a", server.url(path), "shared", "option=queue=64KiB")
    for program in (fast, slow):
        program.event("open")
    slow.freeze()
    connection = server.connection(path)
    connection.order("burst", count=n_messages, fill=fill)
    fast.event("message", data=f"{n_messages - 1} {fill}")
    daemon.expect("channel-cut", "behind; its bound is 65536 bytes")
    slow.thaw()
    cause, text = slow.failure("a")
    assert cause == "slow-consumer" and text
    got = [event["data"] for event in slow.events() if event["event"] == "message"]
    assert got == [f"{i} {fill}" for i in range(len(got))]
    assert len(got) < n_messages
    got = [event["data"] for event in fast.events() if event["event"] == "message"]
    assert got == [f"{i} {fill}" for i in range(n_messages)]
    # The upstream goes on.
    fast.text("a", "fine")
    assert connection.event("message")["text"] == "fine"


def test_slow_private_channel_reaches_the_server(daemon, make_program):
    """Nothing is lost and nothing piles up: the server's own write has to wait."""
    n_messages, payload = 1024, b"x" * 65536
    written = []

    def script(peer):
        peer.upgrade()
        for i in range(n_messages):
            peer.raw(frame(BINARY, b"%d " % i + payload))
            written.append(i)
        assert peer.read_close() == 1000
        peer.raw(frame(8, b"\x03\xe8"))

    with RawServer(script) as raw:
        program = make_program(daemon)
        program.open("a", raw.url, "option=queue=64KiB")
        program.event("open")
        program.freeze()

        def is_paused():
            (upstream,) = daemon.upstreams()
            return daemon.request("show", str(upstream["id"]))["paused_for_lag"]

        wait_until(is_paused, "the upstream is not read")
        (upstream,) = daemon.upstreams()
        assert upstream["held_bytes"] < 1 << 20
        assert len(written) < n_messages
        program.thaw()
        lengths = [program.event("message")["length"] for _ in range(n_messages)]
        assert lengths == [len(b"%d " % i + payload) for i in range(n_messages)]
        program.close("a", 1000)
        assert program.event("close")["clean"]


def test_block_on_a_shared_upstream_slows_all_for_a_while(make_daemon, one_server):
    """Only where the endpoint says so, and at most for block-timeout."""
    path, n_messages = new_path(), 4000
    url = one_server.url(path)
    daemon = make_daemon(
        f'endpoint "feed" {{ url = "{url}" slow-consumer = block block-timeout = 500ms queue = 64MiB linger = 0s }}'
    )
    with daemon.client() as client, daemon.client() as other:
        refused = client.open(url, sharing="shared", options={"slow-consumer": "block"})
        failed = refused.wait(Failed)
        assert failed.cause == "option" and failed.text.startswith("slow-consumer")
        slow = client.open("wsplex-endpoint:feed", sharing="shared", options={"queue": "1MiB"})
        slow.wait(Opened)
        fast = other.open("wsplex-endpoint:feed", sharing="shared")
        fast.wait(Opened)
        # From here on the slow one does not read.
        one_server.connection(path).order("burst", count=n_messages, fill="x" * 4000)
        assert len(fast.messages(n_messages)) == n_messages
        daemon.expect("channel-cut", r"blocked its upstream for \d+ ms")
        with pytest.raises(ChannelEnded, match="slow-consumer"):
            slow.messages(n_messages)
