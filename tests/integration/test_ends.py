# SPDX-License-Identifier: MIT
"""The daemon's own beginning and end, as programs and servers see it."""

import errno
import os
import signal
import socket
import stat

import pytest
from daemon import Daemon
from process import Process, built, wait_until
from program import Program
from servers import RawServer, new_path
from wsplex_client import Closed, ConnectionLost, Opened


@pytest.fixture
def alone(folder):
    """A program with no daemon: the path of its socket comes later."""
    with Program(os.path.join(folder, "wsplex.sock")) as program:
        yield program


# --- SIGTERM ---

# Where servers answer the Close, however long they have to read before.
PATIENT = "stop-timeout = 5min\n"


def patient_with(url):
    return PATIENT + f'endpoint "patient" {{ url = "{url}" share = no close-timeout = 5min }}\n'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop(make_daemon, make_program, server, number):
    """Private, shared and connecting WebSockets, of two programs: servers see 1001, and programs close events."""
    daemon = make_daemon(PATIENT)
    private, common = new_path(), new_path()
    programs = [make_program(daemon) for _ in range(2)]
    with RawServer(lambda peer: raw.over.wait()) as raw:
        for program in programs:
            program.open("private", server.url(private, "wss"))
            program.open("shared", server.url(common), "shared")
            program.open("connecting", raw.url)
            program.open("waiting", raw.url, "shared")
            for name in ("private", "shared"):
                program.event("open", name=name)
        wait_until(lambda: raw.n_accepted == 1, "the first connection is under way; the others wait for it")
        daemon.process.kill(number)
        for program in programs:
            for name in ("private", "shared"):
                event = program.event("close", name=name)
                assert (event["clean"], event["code"]) == (True, 1001), event
                assert [event["event"] for event in program.events(name)] == ["open", "close"]
            for name in ("connecting", "waiting"):
                cause, text = program.failure(name)
                assert cause == "shutdown" and text
        assert daemon.process.wait() == 0
    server.expect_connections(common, 1)
    for path in (private, common):
        assert server.connection(path).closed()[0] == 1001
    daemon.expect("stopped")
    assert not os.path.exists(daemon.socket)


def test_messages_are_whole_and_in_order_until_the_stop(make_daemon, make_program, one_server):
    path = new_path()
    daemon = make_daemon(patient_with(one_server.url(path)))
    program = make_program(daemon)
    program.open("a", "wsplex-endpoint:patient")
    program.event("open")
    for i in range(1000):
        program.text("a", str(i))
    program.amount("a")
    daemon.process.kill(signal.SIGTERM)
    program.event("close")
    assert daemon.process.wait() == 0
    connection = one_server.connection(path)
    code, _ = connection.closed()
    assert code == 1001
    got = [event["text"] for event in connection.all_messages()]
    assert got == [str(i) for i in range(len(got))]


def test_servers_that_do_not_answer_are_not_waited_for(make_daemon, make_program):
    """stop-timeout bounds it; the programs are still told."""

    def script(peer):
        peer.upgrade()
        assert peer.read_close() == 1001
        raw.over.wait()

    daemon = make_daemon("stop-timeout = 300ms")
    with RawServer(script) as raw:
        program = make_program(daemon)
        program.open("a", raw.url)
        program.event("open")
        daemon.process.kill(signal.SIGTERM)
        event = program.event("close")
        assert (event["clean"], event["code"]) == (False, 1006)
        assert [event["event"] for event in program.events("a")] == ["open", "error", "close"]
        assert daemon.process.wait() == 0
    for line in daemon.log():
        if line["level"] == "warning":
            daemon.expect(line["name"])


def test_told_twice(make_daemon, make_program):
    """The second signal ends it at once, though a server has not answered."""

    def script(peer):
        peer.upgrade()
        raw.over.wait()

    daemon = make_daemon("stop-timeout = 300s")
    with RawServer(script) as raw:
        program = make_program(daemon)
        program.open("a", raw.url)
        program.event("open")
        daemon.process.kill(signal.SIGTERM)
        daemon.expect("stopping")
        daemon.process.kill(signal.SIGTERM)
        program.failure("a")
        assert daemon.process.wait() == 0


def test_a_stopped_program_does_not_hold_the_daemon(make_daemon, one_server):
    """It reads nothing, with megabytes for it in the daemon."""
    path = new_path()
    daemon = make_daemon(patient_with(one_server.url(path)))
    with Program(daemon.socket) as program:
        program.open("a", "wsplex-endpoint:patient")
        program.event("open")
        program.freeze()
        one_server.connection(path).order("burst", count=2000, fill="x" * 4000)
        wait_until(lambda: daemon.channels()[0]["lag_bytes"] > 1 << 20, "the daemon holds something")
        daemon.process.kill(signal.SIGTERM)
        assert daemon.process.wait() == 0
        program.thaw()
        program.failure("a")


# --- sudden death ---


def test_daemon_is_killed(make_daemon, make_program, server):
    daemon = make_daemon()
    program, path = make_program(daemon), new_path()
    with RawServer(lambda peer: raw.over.wait()) as raw:
        program.open("open", server.url(path))
        program.event("open")
        program.open("connecting", raw.url)
        wait_until(lambda: len(daemon.upstreams()) == 2, "both are there")
        client = daemon.client()
        channel = client.open(server.url(path))
        channel.wait(Opened)
        daemon.process.kill()
        daemon.process.wait()
        for name in ("open", "connecting"):
            cause, text = program.failure(name)
            assert cause == -errno.ECONNRESET
            assert "wsplexd" in text
        with pytest.raises(ConnectionLost):
            channel.wait(Closed)
        client.disconnect()
    program.open("later", server.url(path))
    refused = program.event("refused")
    assert refused["error"] == -errno.ECONNREFUSED
    assert daemon.socket in refused["text"]
    # The next daemon takes over the path, and the same program goes on.
    with Daemon(daemon.folder) as successor:
        program.open("again", server.url(path))
        program.event("open", name="again")
        program.close("again")
        assert program.event("close", name="again")["clean"]
        program.finish()
        successor.wait_idle()


# --- nobody there ---


def test_no_daemon(alone, folder):
    path = os.path.join(folder, "wsplex.sock")
    alone.open("a", "ws://127.0.0.1/")
    refused = alone.event("refused")
    assert refused["error"] == -errno.ENOENT
    assert path in refused["text"] and "No such file" in refused["text"]


def test_nobody_listens_any_more(alone, folder):
    path = os.path.join(folder, "wsplex.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    alone.open("a", "ws://127.0.0.1/")
    refused = alone.event("refused")
    assert refused["error"] == -errno.ECONNREFUSED
    assert path in refused["text"] and "refused" in refused["text"]


def test_every_path_is_named(folder):
    """Without --socket and $WSPLEX_SOCKET it is the user's daemon, then the machine's."""
    if os.path.exists("/run/wsplex/wsplex.sock"):
        pytest.skip("this machine has a daemon")
    with Program(env={"XDG_RUNTIME_DIR": folder, "WSPLEX_SOCKET": ""}) as program:
        program.open("a", "ws://127.0.0.1/")
        text = program.event("refused")["text"]
    assert f"{folder}/wsplex/wsplex.sock" in text
    assert "/run/wsplex/wsplex.sock" in text


@pytest.mark.parametrize(
    "url, word",
    [
        ("ftp://x/", "scheme"), ("ws://x/#part", "fragment"), ("ws://", "host"), ("//x", ""),
        ("ws://a b/", ""), ("ws://x:99999/", "port"), ("ws://[::1/", ""),
    ],
)  # fmt: skip
def test_bad_url_needs_no_daemon(alone, url, word):
    """A SyntaxError from the constructor, with no round trip."""
    alone.open("a", url.replace(" ", "%20"))
    refused = alone.event("refused")
    assert refused["error"] == -errno.EINVAL
    assert word in refused["text"].lower() and refused["text"]


def test_bad_subprotocols_need_no_daemon(alone):
    for words in (["protocol=a,b"], ["protocol=x", "protocol=x"], ["protocol="]):
        alone.open("a", "ws://127.0.0.1/", *words)
        refused = alone.event("refused")
        assert refused["error"] == -errno.EINVAL and refused["text"], words


# --- the socket ---


def start(folder, *options):
    return Process([built("wsplexd"), "--socket", os.path.join(folder, "wsplex.sock"), *options])


def test_stale_socket_is_replaced(folder):
    path = os.path.join(folder, "wsplex.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    with Daemon(folder) as daemon:
        assert daemon.request("status")["clients"] == 1


def test_live_socket_is_not_replaced(folder):
    with Daemon(folder) as daemon:
        with start(folder, "--config", daemon.config_file) as second:
            assert second.wait() == 1
            assert any(daemon.socket in line for line in second.err.all()), second.err.all()
        assert daemon.request("status")["clients"] == 1


def test_somebody_elses_socket_is_not_replaced(folder):
    """Whoever listens there, and be it not a wsplexd."""
    path = os.path.join(folder, "wsplex.sock")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        with start(folder) as process:
            assert process.wait() == 1
            assert any(path in line for line in process.err.all()), process.err.all()
        assert stat.S_ISSOCK(os.stat(path).st_mode)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_socket_is_not_replaced(folder, kind):
    path = os.path.join(folder, "wsplex.sock")
    if kind == "folder":
        os.mkdir(path)
    else:
        with open(path, "w", encoding="ascii") as file:
            file.write("precious")
    with start(folder) as process:
        assert process.wait() == 1
        assert any(path in line for line in process.err.all()), process.err.all()
    assert os.path.isdir(path) or os.path.getsize(path) == len("precious")


def test_socket_mode(make_daemon):
    daemon = make_daemon("socket-mode = 0640")
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o640
