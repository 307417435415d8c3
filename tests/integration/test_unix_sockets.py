# SPDX-License-Identifier: MIT
"""ws+unix: WebSocket servers on Unix sockets of this machine."""

import contextlib
import os
import socket
import threading

import pytest
import users
from daemon import Daemon
from process import DEADLINE, wait_until
from program import Program
from proxies import leads
from servers import CLOSE, TEXT, Peer, frame, new_path
from wsplex_client import Closed, Failed, Opened

WHY_NOT_USERS = users.why_not_programs()
needs_users = pytest.mark.skipif(WHY_NOT_USERS is not None, reason=f"no other users: {WHY_NOT_USERS}")
SOMEBODY = users.words(12345)


@contextlib.contextmanager
def doors(server, folder, scheme):
    """A Unix socket that leads to one of the servers of the harness, which is real but listens on TCP."""
    path = os.path.join(folder, f"{scheme} door%.sock")
    port = int(server.url("", scheme).split(":")[-1])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen()

        def lead_all():
            with contextlib.suppress(OSError):
                while True:
                    peer = Peer(listener.accept()[0])
                    threading.Thread(target=leads, args=(peer, port), daemon=True).start()

        threading.Thread(target=lead_all, daemon=True).start()
        yield f"{scheme}+unix:" + path.replace("%", "%25").replace(" ", "%20")
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("sharing", ["private", "shared"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_server_on_a_socket(daemon, program, server, folder, scheme, sharing):
    path = new_path("echo") + "?x=1"
    with doors(server, folder, scheme) as door:
        url = f"{door}:{path}"
        program.open("a", url, sharing, "option=linger=0s" if sharing == "shared" else "private")
        event = program.event()
        assert (event["event"], event["url"]) == ("open", url)
        connection = server.connection(path)
        assert connection.header("host") == ["localhost"]
        program.text("a", "hello")
        assert program.event("message")["data"] == "hello"
        (row,) = daemon.upstreams()
        assert row["url"] == url.split("?")[0]
        assert row["address"] == f"unix:{folder}/{scheme} door%.sock"
        assert bool(row["tls"]) == (scheme == "wss")
        program.close("a", 1000)
        assert program.event("close")["clean"]
        wait_until(lambda: daemon.upstreams() == [], "the connection is closed")


def test_the_request_path_may_be_left_out(daemon, program, server, folder):
    with doors(server, folder, "ws") as door:
        for name, url in (("a", door), ("b", door.replace("unix:/", "unix:///"))):
            program.open(name, url)
            assert program.event("open", name=name)["url"] == url
    assert len(daemon.upstreams()) == 2


def test_programs_share_a_socket(daemon, server, folder):
    path = new_path()
    with doors(server, folder, "ws") as door, daemon.client() as client:
        for url in (f"{door}:{path}", f"{door}:{path}", f"{door}:{path}?other"):
            client.open(url, sharing="shared").wait(Opened)
        server.expect_connections(path, 1)
        assert sorted(row["channels"] for row in daemon.upstreams()) == [1, 2]


def test_an_endpoint_may_be_a_socket(make_daemon, make_program, one_server, folder):
    with doors(one_server, folder, "ws") as door:
        daemon = make_daemon(f"""endpoint "app" {{ url = "{door}:{new_path("echo")}?token=hidden" }}""")
        program = make_program(daemon)
        program.open("a", "wsplex-endpoint:app")
        program.event("open")
        program.text("a", "hello")
        assert program.event("message")["data"] == "hello"
        (endpoint,) = daemon.request("endpoints")
        assert endpoint["origin"] == f"unix:{folder}/ws door%.sock"


# --- what can be wrong ---


def test_no_socket(daemon, program, folder):
    cause, text = program.fails(f"ws+unix:{folder}/none.sock")
    assert (cause, text) == ("connect", f"cannot connect to {folder}/none.sock: there is no such socket")
    daemon.expect("upstream-failed", "connect: ")


def test_nobody_listens(daemon, program, folder):
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(f"{folder}/left.sock")
    cause, text = program.fails(f"ws+unix:{folder}/left.sock")
    assert (cause, text) == ("connect", f"cannot connect to {folder}/left.sock: nobody listens on this socket")
    daemon.expect("upstream-failed", "connect: ")


def test_it_is_no_socket(daemon, program, folder):
    with open(f"{folder}/file", "w", encoding="ascii"):
        pass
    cause, _ = program.fails(f"ws+unix:{folder}/file")
    assert cause == "connect"
    daemon.expect("upstream-failed", "connect: ")


def test_it_is_a_socket_of_datagrams(daemon, program, folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(f"{folder}/datagrams.sock")
        cause, text = program.fails(f"ws+unix:{folder}/datagrams.sock")
    assert cause == "connect" and "it is not a stream socket" in text
    daemon.expect("upstream-failed", "connect: ")


@needs_users
def test_the_daemon_may_not_use_it(folder):
    home = os.path.join(folder, "home")
    os.mkdir(home)
    os.chown(home, 12345, 12345)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/roots.sock")
        os.chmod(f"{folder}/roots.sock", 0o600)
        listener.listen()
        with Daemon(home, command=SOMEBODY) as daemon:
            with Program(daemon.socket, prefix=SOMEBODY) as program:
                cause, text = program.fails(f"ws+unix:{folder}/roots.sock")
            assert (cause, text) == ("connect", f"cannot connect to {folder}/roots.sock: this daemon's user may not use it")
            daemon.expect("upstream-failed", "connect: ")


@needs_users
def test_nobody_has_anothers_daemon_open_a_socket(make_daemon, one_server, folder):
    """What is there is not even looked at; an endpoint may be there for all."""
    with doors(one_server, folder, "ws") as door:
        config = f"""socket-mode = 0666 endpoint "app" {{ url = "{door}:{new_path()}" }}"""
        daemon = make_daemon(config)
        with Program(daemon.socket, prefix=SOMEBODY) as program:
            for name, url in (("a", door), ("b", f"ws+unix:{folder}/none")):
                program.open(name, url)
                cause, text = program.failure(name)
                assert cause == "access"
                assert text.startswith("this daemon runs as another user and opens no Unix socket"), text
            program.open("c", "wsplex-endpoint:app")
            program.event("open", name="c")


@pytest.mark.parametrize("url", ["ws+unix:relative.sock", "ws+unix:/a%00b", "ws+unix:/a:b", "ws+unix:/a#f"])
def test_urls_that_are_none(daemon, url):
    with daemon.client() as client:
        channel = client.open(url)
        assert channel.wait(Failed).cause == "url"
        assert channel.wait(Closed) == Closed(False, 1006, "")


def test_a_server_with_its_hands_full_is_waited_for(daemon, program, folder):
    """Its queue is full, then it is not."""
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(f"{folder}/busy.sock")
        listener.listen(0)
        fillers = 0
        with contextlib.suppress(BlockingIOError):
            while fillers < 64:
                filler = stack.enter_context(socket.socket(socket.AF_UNIX))
                filler.setblocking(False)
                filler.connect(f"{folder}/busy.sock")
                fillers += 1
        assert 0 < fillers < 64
        program.open("a", f"ws+unix:{folder}/busy.sock")
        wait_until(lambda: len(daemon.upstreams()) == 1, "the daemon tries")

        def serve():
            for _ in range(fillers):
                listener.accept()[0].close()
            with listener.accept()[0] as connection:
                connection.settimeout(DEADLINE)
                peer = Peer(connection)
                peer.upgrade()
                peer.raw(frame(TEXT, b"at last"))
                peer.read_close()
                peer.raw(frame(CLOSE, b"\x03\xe8"))

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        program.event("open")
        assert program.event("message")["data"] == "at last"
        program.close("a", 1000)
        program.event("close")
        server.join(DEADLINE)
    wait_until(lambda: daemon.upstreams() == [], "the connection is closed")


def test_the_deadline_says_how_far_it_came(make_daemon, make_program, folder):
    path = f"{folder}/full.sock"
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(path)
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                filler = stack.enter_context(socket.socket(socket.AF_UNIX))
                filler.setblocking(False)
                filler.connect(path)
        daemon = make_daemon(f'endpoint "full" {{ url = "ws+unix:{path}" connect-timeout = 300ms }}')
        cause, text = make_program(daemon).fails("wsplex-endpoint:full")
    assert cause == "timeout"
    assert text == f"not open after 300 ms: waiting until the server at {path} accepts the connection"
    daemon.expect("upstream-failed", "timeout: ")
