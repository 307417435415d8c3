# SPDX-License-Identifier: MIT
"""Programs that break the local protocol, read nothing, or want too much: only they are worse off."""

import contextlib
import os
import resource
import signal
import socket
import struct
import time

import pytest
from process import DEADLINE, n_descriptors, wait_until
from servers import Feed, new_path
from wsplex_client import Channel, Closed, Failed, Message, Opened
from wsplex_protocol import INITIAL_CREDIT, MAGIC, MORE, MUST_UNDERSTAND, Type, make_frame

HELLO = MAGIC + make_frame(Type.HELLO, software="fault").to_bytes()


def frame(frame_type, channel=0, flags=0, payload=b""):
    return struct.pack("<IBBHI", len(payload), frame_type, flags, 0, channel) + payload


OPEN = b"<an OPEN of a server that never answers>"

FAULTS = {
    "bad-magic": b"GET / HTTP/1.1\r\n\r\n",
    "bad-header": HELLO + b"\x00\x00\x00\x00\x30\x00\x01\x00\x00\x00\x00\x00",
    "too-long": HELLO + struct.pack("<IBBHI", 65537, Type.TEXT, 0, 0, 1),
    "no-hello": MAGIC + frame(Type.RELEASE, 1),
    "not-understood": HELLO + frame(0x7F, 0, MUST_UNDERSTAND),
    "wrong-direction": HELLO + frame(Type.OPENED, 1),
    "bad-payload": HELLO + frame(Type.OPEN, 1, 0, b"\x00\xff\xff"),
    "bad-channel": HELLO + frame(Type.TEXT, 0),
    "unknown-channel": HELLO + frame(Type.TEXT, 7, 0, b"x"),
    "channel-in-use": HELLO + OPEN + OPEN,
    "out-of-turn": HELLO + OPEN + frame(Type.RELEASE, 1),
    "over-credit": HELLO + OPEN + 2 * frame(Type.BINARY, 1, 0, bytes(65536)),
}

FURTHER_FAULTS = {
    "second hello": ("out-of-turn", HELLO + HELLO[len(MAGIC) :]),
    "abort of nothing": ("out-of-turn", HELLO + OPEN + frame(Type.ABORT, 1)),
    "type changes": (
        "out-of-turn",
        HELLO + OPEN + frame(Type.TEXT, 1, MORE, b"x") + frame(Type.BINARY, 1, 0, b"y"),
    ),
    "close amid a message": (
        "out-of-turn",
        HELLO + OPEN + frame(Type.TEXT, 1, MORE, b"x") + make_frame(Type.CLOSE, 1).to_bytes(),
    ),
    "not utf-8": ("bad-payload", HELLO + OPEN + frame(Type.TEXT, 1, 0, b"\xff")),
    "credit falls": (
        "bad-payload",
        HELLO
        + OPEN
        + make_frame(Type.CREDIT, 1, total=10).to_bytes()
        + make_frame(Type.CREDIT, 1, total=9).to_bytes(),
    ),
}


@pytest.fixture(name="mute")
def fixture_mute():
    """A socket where connections are accepted by the kernel, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(name="echo_url")
def fixture_echo_url(one_server):
    return one_server.url(new_path("echo"))


@pytest.fixture(name="end_of")
def fixture_end_of(daemon, mute):
    """A function: the DaemonError that bytes bring about, written whole or in two parts."""
    url = f"ws://127.0.0.1:{mute.getsockname()[1]}/"
    frame_of_open = make_frame(Type.OPEN, 1, url=url, sharing=1).to_bytes()

    def end(data, cut=False):
        data = data.replace(OPEN, frame_of_open)
        return write_and_wait(daemon, data, len(data) - 1 if cut else None)

    return end


def write_and_wait(daemon, data, cut):
    with daemon.client(greets=False) as client:
        client.channels[1] = Channel(client, 1)  # what OPEN above stands for
        if cut is None:
            client.send_raw(data)
        else:
            client.send_raw(data[:cut])
            time.sleep(0.02)
            client.send_raw(data[cut:])
        return client.wait_end()


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_gets_its_error(daemon, end_of, mute, name):
    error = end_of(FAULTS[name])
    assert error.name == name
    daemon.expect("client-broken", rf"^client \d+: {name}: ")
    assert error.text
    if name == "over-credit":  # its first message was whole, and waits for the server
        mute.close()
        daemon.expect("upstream-failed")


@pytest.mark.parametrize("name", FURTHER_FAULTS)
def test_further_faults(daemon, end_of, name):
    expected, data = FURTHER_FAULTS[name]
    assert end_of(data, cut=True).name == expected
    daemon.expect("client-broken", expected)


def test_data_after_close_is_out_of_turn(daemon, feed):
    with daemon.client() as client:
        channel = client.open(feed.url)
        channel.wait(Opened)
        client.send_raw(make_frame(Type.CLOSE, 1).to_bytes() + frame(Type.TEXT, 1, 0, b"late"))
        assert client.wait_end().name == "out-of-turn"
    daemon.expect("client-broken", "out-of-turn")


def test_frames_after_closed_are_ignored_until_release(daemon):
    with daemon.client() as client:
        client.releases = False
        channel = client.open("nonsense")
        channel.wait(Closed)
        client.send_raw(frame(Type.TEXT, 1, 0, b"late") + frame(Type.ABORT, 1))
        client.send_raw(make_frame(Type.CREDIT, 1, total=1).to_bytes() + make_frame(Type.CLOSE, 1).to_bytes())
        channel.release()
        again = client.open("nonsense", number=1)
        again.wait(Closed)
        assert client.request("status")["you"]["channels"]["used"] == 1


def test_unknown_types_are_skipped(daemon):
    with daemon.client() as client:
        client.send_raw(frame(0x7F, 5, 0, b"from the future"))
        assert client.request("status")


def test_a_program_that_only_connects_is_told_nothing_until_it_speaks(daemon):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(daemon.socket)
        wait_until(lambda: len(daemon.request("clients")) == 2, "it is let in")
        with pytest.raises(BlockingIOError):
            connection.recv(1, socket.MSG_DONTWAIT)
        connection.sendall(MAGIC)
        connection.settimeout(DEADLINE)
        assert connection.recv(len(MAGIC)) == MAGIC


def test_half_a_connection_is_none(daemon):
    with daemon.client() as client:
        client.wait_hello()
        client._socket.shutdown(socket.SHUT_WR)
        assert client.wait_end() is None


# --- wanting too much ---


def test_more_connections_than_allowed(make_daemon):
    daemon = make_daemon("max-clients = 2\n")
    with daemon.client() as one, daemon.client() as two:
        one.wait_hello()
        two.wait_hello()
        with daemon.client() as three:
            assert three.wait_end().name == "quota"
        assert one.request("status")
        daemon.expect("client-refused", "this user has 2 connections already")
        two.disconnect()
        wait_until(lambda: len(one.request("clients")) == 1, "room for another")
        with daemon.client() as four:
            four.wait_hello()
        # Who looks at what is left must be let in.
        daemon.configure("")
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")


def test_refused_connections_do_not_pile_up(make_daemon):
    """Nobody is charged for those that are being told that they are too many, so they are a few at any time."""
    daemon = make_daemon("max-clients = 1\n")
    with daemon.client() as one:
        one.wait_hello()
        before = n_descriptors(daemon.pid)
        many, most = [], before
        for _ in range(200):
            many.append(daemon.client())
            most = max(most, n_descriptors(daemon.pid))
        assert len(one.request("clients")) <= 1 + 64
        assert any(line["name"] == "client-refused" for line in daemon.log())
        # One more while it is accepted, only to be hung up on.
        assert most <= before + 64 + 1
        for client in many:
            client.disconnect()
        wait_until(lambda: len(one.request("clients")) == 1, "all are gone")
        with daemon.client() as another:
            assert another.wait_end().name == "quota"
    daemon.stop()
    daemon.forgive("client-refused")
    daemon.forgive("left-out")


def test_more_channels_than_the_user_may_have(make_daemon, feed):
    daemon = make_daemon("max-channels = 20\n")
    with daemon.client() as one, daemon.client() as two:
        for _ in range(15):
            one.open(feed.url, sharing="shared").wait(Opened)
        assert one.hello.max_channels == 20
        for _ in range(5):
            two.open(feed.url, sharing="shared").wait(Opened)
        channel = two.open(feed.url, sharing="shared")
        assert channel.wait(Failed).cause == "quota"
        channel.wait(Closed)
        assert one.request("status")["you"]["channels"] == {"used": 20, "limit": 20}


def test_more_numbers_than_hello_allows(make_daemon):
    daemon = make_daemon("max-channels = 16\n")
    with daemon.client() as client:
        client.releases = False
        for _ in range(17):
            client.open("nonsense")
        assert client.wait_end().name == "too-many-channels"
    daemon.expect("client-broken", "too-many-channels")


def test_more_upstreams_than_allowed(make_daemon, feed):
    daemon = make_daemon("max-upstreams = 1\n")
    with daemon.client() as client:
        client.open(feed.url).wait(Opened)
        channel = client.open(feed.url)
        assert channel.wait(Failed).cause == "quota"


def test_a_message_longer_than_allowed(daemon, echo_url):
    with daemon.client() as client:
        channel = client.open(echo_url, options={"max-message": "100000"})
        channel.wait(Opened)
        channel.send(bytes(100000))
        assert len(channel.wait(Message).data) == 100000
        channel.send_piece(bytes(65536), more=True)
        channel.send_piece(bytes(34465), more=True)
        failed = channel.wait(Failed)
        assert failed.cause == "too-big"
        assert channel.wait(Closed) == Closed(False, 1006, "")
    daemon.expect("channel-cut", "longer than 100000 bytes")


def test_descriptors_run_out(make_daemon):
    daemon = make_daemon()
    soft = n_descriptors(daemon.pid) + 5
    limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (soft, limits[1]))
    clients = [daemon.client() for _ in range(12)]
    daemon.expect("listening", "Too many open files")
    ticks, begin = cpu_ticks(daemon.pid), time.monotonic()
    time.sleep(0.5)
    spent, passed = cpu_ticks(daemon.pid) - ticks, time.monotonic() - begin
    assert spent < os.sysconf("SC_CLK_TCK") * passed / 4
    for client in clients[:8]:
        client.disconnect()
    for client in clients[8:]:
        client.wait_hello()
        client.disconnect()
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


# --- reading nothing ---


def test_a_slow_program_is_cut_and_the_others_get_all(daemon, feed):
    with daemon.client() as slow, daemon.client() as fast:
        lagging = slow.open(feed.url, sharing="shared", options={"queue": "64KiB"})
        lagging.wait(Opened)
        keeping = fast.open(feed.url, sharing="shared", options={"queue": "64MiB"})
        keeping.wait(Opened)
        feed.burst(200, "x" * 10000)
        for i in range(200):
            assert keeping.wait(Message).data.startswith(f"{i} ")
        daemon.expect("channel-cut", r"^channel \d+: of client \d+: ")
        n_messages = 0
        while True:
            event = lagging.recv()
            if isinstance(event, Message):
                assert event.data.startswith(f"{n_messages} ")
                n_messages += 1
            if isinstance(event, Failed):
                assert event.cause == "slow-consumer"
            if isinstance(event, Closed):
                break
        assert 0 < n_messages < 200


def test_a_slow_program_is_cut_within_a_long_message(daemon, feed):
    """What was begun ends with ABORT, which the client of these tests insists on."""
    options = {"queue": "4KiB"}
    with daemon.client() as slow:
        lagging = slow.open(feed.url, sharing="shared", options=options)
        lagging.wait(Opened)
        feed.burst(3, "z" * 3_000_000)
        daemon.expect("channel-cut", r"^channel \d+: of client \d+: ")
        while not isinstance(lagging.recv(), Closed):
            pass


def test_a_private_channel_makes_the_server_wait(daemon, feed):
    count = 2000
    with daemon.client() as client:
        channel = client.open(feed.url, options={"queue": "64KiB"})
        channel.wait(Opened)
        feed.burst(count, "y" * 20000)

        (upstream,) = daemon.upstreams()

        def is_paused():
            return daemon.request("show", str(upstream["id"]))["paused_for_lag"]

        wait_until(is_paused, "the server waits")
        assert 0 < daemon.upstreams()[0]["messages_in"] < count
        for i in range(count):
            assert channel.wait(Message).data.startswith(f"{i} ")


def test_one_channels_backlog_blocks_no_other_of_the_same_client(daemon, feed, echo_url):
    with daemon.client() as client:
        big = client.open(feed.url)
        big.wait(Opened)
        big.credit(1000)  # so much and no more
        feed.burst(5, "z" * 400000)
        small = client.open(echo_url)
        for i in range(20):
            small.send(f"{i}")
            assert small.wait(Message).data == f"{i}"
        big.credit(1 << 40)
        assert big.messages(5) == [f"{i} " + "z" * 400000 for i in range(5)]


def test_credit_is_kept_to_the_byte(daemon, feed):
    with daemon.client() as client:
        channel = client.open(feed.url)
        channel.wait(Opened)
        channel.credit(12 + 5 + 12)
        feed.send("12345", "", "x")
        assert channel.messages(2) == ["12345", ""]
        wait_until(lambda: client.request("upstreams")[0]["messages_in"] == 3, "the daemon has all of them")
        # The reply stands behind all that it has written.
        with pytest.raises(TimeoutError):
            channel.recv(timeout=0)
        channel.credit(12 + 5 + 12 + 12 + 1)
        assert channel.messages(1) == ["x"]


def test_many_busy_channels_of_a_slow_reader_arrive_whole(daemon, one_server):
    """Short writes at every kind of place: channels, sizes and pauses mixed."""
    with daemon.client() as client:
        client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        feeds = [Feed(one_server) for _ in range(7)]
        channels = [client.open(feed.url, options={"queue": "64MiB"}) for feed in feeds]
        for channel in channels:
            channel.wait(Opened)
        messages = [f"{i}".ljust(i * 7919 % 150000, "-") for i in range(60)]
        for feed in feeds:
            feed.send(*messages)
        for channel in reversed(channels):
            assert channel.messages(60) == messages


def test_requests_of_a_program_that_reads_nothing_are_bounded(daemon):
    with daemon.client() as client:
        request = make_frame(Type.REQUEST, id=1, verb="status").to_bytes()
        client._socket.settimeout(DEADLINE)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while not any(line["name"] == "client-broken" for line in daemon.log()):
                client._socket.sendall(request * 100)
        daemon.expect("client-broken", "too-slow")


def test_a_megabyte_of_garbage_after_the_greeting(daemon, echo_url, end_of):
    with daemon.client() as bystander:
        channel = bystander.open(echo_url)
        channel.wait(Opened)
        assert end_of(HELLO + os.urandom(1 << 20)) is not None
        daemon.expect("client-broken")
        channel.send("still here")
        assert channel.wait(Message).data == "still here"


def test_credit_renews_for_a_long_run(daemon, echo_url):
    with daemon.client() as client:
        channel = client.open(echo_url)
        channel.wait(Opened)
        for i in range(40):
            channel.send(bytes([i]) * 30000)
            assert channel.wait(Message).data == bytes([i]) * 30000
        assert channel.cost > 10 * INITIAL_CREDIT
