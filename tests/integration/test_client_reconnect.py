# SPDX-License-Identifier: MIT
"""Programs whose library comes back when the daemon has gone: killed, stopped, started by its socket, or talked to again."""

import os
import re
import signal
import socket
import threading

import pytest
from process import Process, built, wait_until
from servers import TEXT, RawServer, frame, new_path
from wsplex_protocol import CAUSES, GAPS

QUEUE = 1 << 20


def echo(server):
    return server.url(new_path("echo"))


def numbered(program, name):
    """What has been said to the program so far: the data of its messages, and gaps."""
    told = []
    for event in program.events(name):
        if event["event"] == "message":
            told.append(event["data"])
        elif event["event"] == "gap":
            told.append(GAPS[event["gap"]])
    return told


def start_program(make_program, daemon):
    program = make_program(daemon)
    program.write(f"reconnect -1 {QUEUE}")
    return program


def talk(program, name, text):
    program.text(name, text)
    assert program.event("message", name=name)["data"] == text


# --- killed ---


def test_killed_and_started_again(daemon, again, make_program, one_server):
    """Several objects, shared and not: each is told once, goes on, and knows that it may have missed something."""
    program = start_program(make_program, daemon)
    shared = echo(one_server)
    program.open("a", shared, "shared")
    program.open("b", shared, "shared")
    program.open("c", echo(one_server))
    for name in "abc":
        program.event("open", name=name)
    talk(program, "c", "before")
    daemon.kill()
    for name in "abc":
        event = program.event("interrupted", name=name)
        assert event["cause"] < 0
        assert program.amount(name)[1] == 1  # OPEN
    second = again(daemon)
    for name in "abc":
        gap = program.event("gap", name=name)
        assert (GAPS[gap["gap"]], gap["counted"]) == ("unknown-epoch", False)
        program.event("resumed", name=name)
    talk(program, "c", "after")
    assert numbered(program, "c") == ["before", "unknown-epoch", "after"]
    assert len(second.channels()) == 3 and len(second.upstreams()) == 2
    program.text("a", "to both")
    for name in "ab":
        assert program.event("message", name=name)["data"] == "to both"
    for name in "abc":
        assert [event["event"] for event in program.events(name)].count("interrupted") == 1
        program.close(name, 1000)
        program.event("close", name=name)
    program.finish()


def test_nothing_is_sent_twice(daemon, again, make_program, one_server):
    """A program that sends all the time, and a daemon that is killed again and again: each message reaches the server
    at most once, and those that did not are no more than `unsent` has told."""
    program = start_program(make_program, daemon)
    path = new_path("tell")
    program.open("a", one_server.url(path))
    program.event("open", name="a")
    n_given = 0
    for _ in range(3):
        for _ in range(20):
            program.text("a", f"m{n_given}")
            n_given += 1
        daemon.kill()
        program.event("interrupted", name="a")
        for _ in range(5):
            program.text("a", f"m{n_given}")
            n_given += 1
        daemon = again(daemon)
        program.event("resumed", name="a")
    connections = one_server.connections(path, 4)
    program.text("a", "last")
    program.close("a", 1000)
    program.event("close", name="a", clean=True)
    for connection in connections:
        connection.event("close")
    arrived = [message["text"] for each in connections for message in each.all_messages()]
    in_doubt = sum(event["count"] for event in program.events("a") if event["event"] == "unsent")
    assert arrived[-1] == "last"
    numbers = [int(text[1:]) for text in arrived[:-1]]
    assert len(set(numbers)) == len(numbers)
    assert numbers == sorted(numbers)
    assert n_given - len(numbers) <= in_doubt <= n_given
    program.finish()


def test_connecting_stays_connecting(daemon, again, make_program, one_server):
    """The daemon dies while it waits for a server that does not answer, and the next one gets through."""
    program = start_program(make_program, daemon)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        program.open("a", f"ws://127.0.0.1:{port}/")
        silent.settimeout(30)
        with silent.accept()[0]:
            daemon.kill()
        second = again(daemon)
        silent.accept()[0].close()
    cause, _ = program.failure("a")
    assert cause == "handshake"
    second.expect("upstream-failed")
    assert [event["event"] for event in program.events("a")] == ["error", "close"]
    assert second.channels() == []
    program.finish()


def test_it_gives_up(daemon, make_program, one_server):
    program, patient = make_program(daemon), make_program(daemon)
    program.write("reconnect 300 0")
    patient.write("reconnect -1 0")
    for each in (program, patient):
        each.open("a", echo(one_server))
        each.event("open", name="a")
    daemon.kill()
    program.event("interrupted", name="a")
    cause, text = program.failure("a")
    assert cause < 0 and daemon.socket in text
    program.finish()
    # Meanwhile nothing is kept, as it may keep nothing.
    patient.event("interrupted", name="a")
    patient.text("a", "x")
    assert "away" in patient.event("refused", name="a")["text"]
    patient.finish()


# --- stopped ---


def test_stopped_and_started_again(daemon, again, make_program, one_server):
    """The server sees 1001, and the program no close."""
    program = start_program(make_program, daemon)
    path = new_path("tell")
    program.open("a", one_server.url(path))
    program.event("open", name="a")
    connection = one_server.connection(path)
    connection.order("text", text="one")
    program.event("message", data="one")
    daemon.stop()
    assert connection.closed()[0] == 1001
    assert CAUSES[program.event("interrupted", name="a")["cause"]] == "shutdown"
    program.text("a", "waits")
    assert program.amount("a") == (5, 1)
    again(daemon)
    program.event("resumed", name="a")
    connection = one_server.connections(path, 2)[1]
    assert connection.event("message")["text"] == "waits"
    connection.order("text", text="two")
    program.event("message", data="two")
    assert numbered(program, "a") == ["one", "unknown-epoch", "two"]
    connection.order("close", code=4000, reason="enough")
    assert program.event("close", name="a")["code"] == 4000
    program.finish()


def test_without_reconnect_it_is_closed(daemon, make_program, one_server):
    program = make_program(daemon)
    program.open("a", echo(one_server))
    program.event("open", name="a")
    daemon.stop()
    assert program.event("close", name="a")["code"] == 1001
    program.finish()


# --- started by its socket ---


def test_started_by_its_socket(folder, make_program, one_server):
    """Who holds the socket holds the connections of those who come while there is no daemon."""
    path = os.path.join(folder, "wsplex.sock")
    config = os.path.join(folder, "wsplexd.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write('allow = {"*"}\n')

    class Place:
        socket = path

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(64)
        shell = f'exec 3<&{listener.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --config "$1"'

        def start():
            return Process(
                ["bash", "-c", shell, built("wsplexd"), config], pass_fds=[listener.fileno()]
            )

        program = start_program(make_program, Place)
        first = start()
        try:
            program.open("a", echo(one_server))
            program.event("open", name="a")
            talk(program, "a", "one")
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            program.event("interrupted", name="a")
            program.text("a", "two")
            second = start()
            try:
                program.event("resumed", name="a")
                assert program.event("message", name="a")["data"] == "two"
                program.close("a", 1000)
                program.event("close", name="a", clean=True)
                program.finish()
            finally:
                second.end()
        finally:
            first.end()


# --- the same daemon ---

REPLAYING = """
endpoint "feed" {{
    url = "{url}"
    share = yes
    replay = 100
}}
"""


def test_resumed_by_the_same_daemon(make_daemon, make_program, one_server):
    """The connection to the daemon breaks, the feed goes on for others: the library gets what came meanwhile, each
    message once, and there is no gap."""
    path = new_path("tell")
    daemon = make_daemon(REPLAYING.format(url=one_server.url(path)))
    keeper = make_program(daemon)
    keeper.open("k", "wsplex-endpoint:feed")
    keeper.event("open", name="k")
    connection = one_server.connection(path)
    program = start_program(make_program, daemon)
    program.open("a", "wsplex-endpoint:feed")
    program.event("open", name="a")
    for number in range(3):
        connection.order("text", text=str(number))
    program.event("message", data="2")
    # Stopped, it does not read; its connection to the daemon is cut from outside.
    program.freeze()
    cut(daemon, program)
    for number in range(3, 10):
        connection.order("text", text=str(number))
    keeper.event("message", data="9")
    program.thaw()
    program.event("interrupted", name="a")
    program.event("resumed", name="a")
    program.event("message", data="9")
    connection.order("text", text="10")
    program.event("message", data="10")
    told = [event for event in program.events("a") if event["event"] in ("message", "gap")]
    assert [event.get("data") for event in told] == [str(number) for number in range(11)]
    assert [event["replayed"] for event in told[-1:]] == [False]
    assert any(event["replayed"] for event in told)
    program.finish()
    keeper.finish()


def cut(daemon, program):
    """Shuts the program's connection down, from within the program's own descriptor."""
    peers = [client for client in daemon.request("clients") if client["pid"] == program.pid]
    assert len(peers) == 1
    for name in os.listdir(f"/proc/{program.pid}/fd"):
        link = os.readlink(f"/proc/{program.pid}/fd/{name}")
        if re.match("socket:", link):
            take_and_shut(program.pid, int(name))


def take_and_shut(pid, number):
    """pidfd_getfd(2)."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        taken = libc.syscall(438, pidfd, number, 0)
        if taken < 0:
            pytest.skip("pidfd_getfd is not allowed here")
        with socket.socket(fileno=taken) as connection:
            connection.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(pidfd)


def test_resumed_by_another_program(make_daemon, make_program, one_server):
    """A position that was written down is where the next program goes on."""
    path = new_path("tell")
    daemon = make_daemon(REPLAYING.format(url=one_server.url(path)))
    keeper = make_program(daemon)
    keeper.open("k", "wsplex-endpoint:feed")
    keeper.event("open", name="k")
    connection = one_server.connection(path)
    first = make_program(daemon)
    first.open("a", "wsplex-endpoint:feed")
    first.event("open", name="a")
    connection.order("text", text="0")
    first.event("message", data="0")
    first.write("position a")
    position = first.event("position")["position"]
    first.finish()
    for number in range(1, 5):
        connection.order("text", text=str(number))
    keeper.event("message", data="4")
    second = make_program(daemon)
    second.open("a", "wsplex-endpoint:feed", f"resume={position}")
    second.event("message", data="4")
    assert numbered(second, "a") == ["1", "2", "3", "4"]
    assert all(event["replayed"] for event in second.events("a") if event["event"] == "message")
    second.open("b", "wsplex-endpoint:feed", "resume=00112233445566778899aabbccddeeff:7")
    gap = second.event("gap", name="b")
    assert (GAPS[gap["gap"]], gap["counted"]) == ("unknown-epoch", False)
    for program in (second, keeper):
        program.finish()


# --- the example ---


def test_the_example_of_a_resilient_feed(make_daemon, again, make_program, one_server, tmp_path):
    """Killed and started, with the daemon there and gone: no message of one connection to the server is missing or
    comes twice."""
    path = new_path("tell")
    config = REPLAYING.format(url=one_server.url(path))
    daemon = make_daemon(config)
    keeper = make_program(daemon)
    keeper.open("k", "wsplex-endpoint:feed")
    keeper.event("open", name="k")
    connection = one_server.connection(path)
    file = tmp_path / "position"

    def follow():
        return Process(
            [built("examples/resilient_feed"), "wsplex-endpoint:feed", file, "sub", "unsub"],
            env={"WSPLEX_SOCKET": daemon.socket},
        )

    def line(process, text):
        process.out.wait(lambda found: found == text, text)

    with follow() as first:
        assert connection.event("message")["text"] == "sub"
        for number in range(3):
            connection.order("text", text=str(number))
        line(first, "2")
        wait_until(lambda: file.exists() and file.read_text().endswith(":3\n"), "position 3")
        first.kill(signal.SIGKILL)
    assert connection.event("message")["text"] == "unsub"
    for number in range(3, 6):
        connection.order("text", text=str(number))
    keeper.event("message", data="5")
    with follow() as second:
        assert connection.event("message")["text"] == "sub"
        line(second, "5")
        assert (second.out.all(), second.err.all()) == (["3", "4", "5"], [])
        wait_until(lambda: file.read_text().endswith(":6\n"), "position 6")
        daemon.kill()
        second.err.wait(lambda found: found.startswith("interrupted "), "interrupted")
        again(daemon, config=config)
        second.err.wait(lambda found: found.startswith("messages may be missing"), "gap")
        connection = one_server.connections(path, 2)[1]
        assert connection.event("message")["text"] == "sub"
        connection.order("text", text="6")
        line(second, "6")
        connection.order("close", code=1000, reason="")
        assert second.wait() == 0
        assert second.err.all()[-1].startswith("resumed")
    keeper.event("close", name="k")
    keeper.finish()


# --- an endpoint that persists ---

PERSISTENT = """
endpoint "feed" {{
    url = "{url}"
    share = yes
    persist = yes
    backoff-min = 1ms
    backoff-max = 20ms
    linger = 0
}}
"""


def test_server_daemon_and_program_come_back(make_daemon, again, make_program, one_server):
    """The daemon makes the connection again where the server ends it, the library where the daemon ends: the program
    sees the same events, and its subscription is made each time."""
    path = new_path("tell")
    config = PERSISTENT.format(url=one_server.url(path))
    daemon = make_daemon(config)
    program = start_program(make_program, daemon)
    program.open("a", "wsplex-endpoint:feed")
    program.write("subscribe a sub unsub")
    program.event("open", name="a")

    def cut_by_server(connection):
        connection.order("close", code=1012, reason="restart")
        daemon.expect("upstream-away")
        assert CAUSES[program.event("interrupted", name="a")["cause"]] == "server-closed"

    def stop_daemon(_connection):
        daemon.stop()
        assert CAUSES[program.event("interrupted", name="a")["cause"]] == "shutdown"
        again(daemon, config=config)

    reasons = []
    for number, end in enumerate((cut_by_server, stop_daemon, None), 1):
        connection = one_server.connections(path, number)[-1]
        assert connection.event("message")["text"] == "sub"
        connection.order("text", text=str(number))
        program.event("message", name="a", data=str(number))
        if end:
            end(connection)
            reasons.append(GAPS[program.event("gap", name="a")["gap"]])
            program.event("resumed", name="a")
    assert reasons == ["reconnected", "unknown-epoch"]
    assert program.amount("a") == (0, 1)
    program.close("a", 1000)
    program.event("close", name="a", clean=True)
    program.finish()


def test_both_are_away(make_daemon, again, make_program):
    """The daemon stops while the server is away: one interruption for the program, until both are there again."""
    is_there = threading.Event()
    is_there.set()
    peers = []

    def script(peer):
        if is_there.is_set():
            peer.upgrade()
            peers.append(peer)
            peer.raw(frame(TEXT, b"there"))
            while peer.read_frame() is not None:
                pass

    with RawServer(script) as server:
        config = PERSISTENT.format(url=server.url)
        daemon = make_daemon(config)
        program = start_program(make_program, daemon)
        program.open("a", "wsplex-endpoint:feed")
        program.event("message", name="a", data="there")
        is_there.clear()
        peers[0].socket.shutdown(socket.SHUT_RDWR)
        program.event("interrupted", name="a")
        daemon.expect("upstream-away")
        daemon.stop()
        is_there.set()
        second = again(daemon, config=config)
        program.event("resumed", name="a")
        program.event("message", name="a", data="there")
        kinds = [event["event"] for event in program.events("a")]
        assert kinds == ["open", "message", "interrupted", "gap", "resumed", "message"]
        program.close("a", 1000)
        second.kill()
        program.event("close", name="a")
        program.finish()
