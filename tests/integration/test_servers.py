# SPDX-License-Identifier: MIT
"""What servers do wrong, and how they end: each gives the events that the standard names, and one line in the log."""

import contextlib
import os
import socket
import struct
import threading

import network
import pytest
from certificates import Authority
from process import DEADLINE, free_port, wait_until
from servers import BINARY, CLOSE, PING, TEXT, RawServer, Server, frame, new_path

SOON = """
endpoint "plain" {{ url = "{plain}" connect-timeout = 300ms }}
endpoint "tls" {{ url = "{tls}" connect-timeout = 300ms }}
"""


# --- it cannot be reached ---


def test_nobody_listens(daemon, program):
    port = free_port()
    cause, text = program.fails(f"ws://127.0.0.1:{port}/")
    assert cause == "connect"
    assert f"127.0.0.1:{port}: Connection refused" in text
    daemon.expect("upstream-failed", f"connect: .*127.0.0.1:{port}: Connection refused")


def test_every_address_of_a_name_is_tried(daemon, program, one_server):
    """localhost is ::1 and 127.0.0.1, and the server listens on one of them."""
    url = one_server.url(new_path("echo")).replace("127.0.0.1", "localhost")
    program.open("a", url)
    program.event("open")
    program.text("a", "reached")
    assert program.event("message")["data"] == "reached"


class NameServer:
    """Answers queries for A and AAAA from a table, and says of all other names that they do not exist."""

    def __init__(self, table):
        self._table = table
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        try:
            self._socket.bind(("127.0.0.1", 53))
        except OSError as error:
            pytest.skip(f"127.0.0.1:53: {error}")
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        self._socket.close()

    def _run(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12 : at + 5]
        (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
        addresses = self._table.get(".".join(labels))
        records = b""
        for address in addresses or []:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if kind == (28 if family == socket.AF_INET6 else 1):
                packed = socket.inet_pton(family, address)
                records += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(packed)) + packed
        n_records = records.count(b"\xc0\x0c")
        flags = 0x8180 if addresses is not None else 0x8183  # NXDOMAIN
        return query[:2] + struct.pack(">HHHHH", flags, 1, n_records, 0, 0) + question + records


@pytest.mark.skipif(network.why_no_mounts() is not None, reason=f"no mounts: {network.why_no_mounts()}")
def test_names_are_asked_of_the_name_server(make_daemon, make_program, folder, one_server):
    """By a daemon whose resolv.conf names a server of the test's own."""
    conf = os.path.join(folder, "resolv.conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    mount = f'mount --bind {conf} /etc/resolv.conf && exec "$@"'
    with NameServer({"feed.example": ["127.0.0.1", "::1"], "empty.example": []}):
        daemon = make_daemon(command=["unshare", "-m", "sh", "-c", mount, "sh"])
        program = make_program(daemon)
        program.open("good", one_server.url(new_path()).replace("127.0.0.1", "feed.example"))
        program.event("open")
        for name in ("nobody.example", "empty.example"):
            program.open(name, f"ws://{name}/")
            cause, text = program.failure(name)
            assert cause == "resolve"
            assert name in text
    daemon.expect("upstream-failed", "resolve: .*[ny].example", n_lines=2)


# --- it does not become a WebSocket ---


def answering(answer):
    def script(peer):
        peer.read_request()
        peer.raw(answer)

    return script


REFUSALS = {
    404: "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno such\r\n",
    401: 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n',
    302: "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    200: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    503: "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\nlater",
}


@pytest.mark.parametrize("status", REFUSALS)
def test_refused(daemon, program, status):
    with RawServer(answering(REFUSALS[status])) as raw:
        cause, text = program.fails(raw.url + "/secret?token=hidden")
    assert cause == "handshake"
    assert str(status) in text
    assert program.events("a")[0]["status"] == status
    line = daemon.expect("upstream-failed", f"handshake: .*{status}")
    assert "hidden" not in line


UPGRADE = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
NONSENSE = {
    "wrong accept": (UPGRADE + "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", "Accept"),
    "no accept": (UPGRADE + "\r\n", "Accept"),
    "no upgrade": ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n", "Upgrade"),
    "not HTTP": ("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", ""),
    "noise": (bytes(range(256)) * 16, ""),
    "endless": ("HTTP/1.1 101 Fine\r\n" + "X: y\r\n" * 100000, ""),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_answer_is_nonsense(daemon, program, name):
    answer, word = NONSENSE[name]
    with RawServer(answering(answer)) as raw:
        cause, text = program.fails(raw.url)
    assert cause == "handshake" and text
    assert word in text
    daemon.expect("upstream-failed", "handshake: .*" + word)


@pytest.mark.parametrize("more", ["Sec-WebSocket-Protocol: not.asked\r\n", "Sec-WebSocket-Extensions: x-not-asked\r\n"])
def test_answer_chooses_what_was_not_offered(daemon, program, more):
    def script(peer):
        peer.read_request()
        peer.accept(more)

    with RawServer(script) as raw:
        cause, _ = program.fails(raw.url, "protocol=asked")
    assert cause == "handshake"
    daemon.expect("upstream-failed", "handshake: ")


def test_it_hangs_up_instead_of_an_answer(daemon, program):
    with RawServer(lambda peer: peer.read_request()) as raw:
        cause, text = program.fails(raw.url)
    assert cause == "handshake" and text
    daemon.expect("upstream-failed", "handshake: ")


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_it_never_says_anything(make_daemon, make_program, kind):
    """It takes the connection, and that is all: neither an answer nor a word of TLS."""
    with RawServer(lambda peer: raw.over.wait()) as raw:
        daemon = make_daemon(SOON.format(plain=raw.url, tls=raw.url.replace("ws:", "wss:")))
        cause, text = make_program(daemon).fails(f"wsplex-endpoint:{kind}")
    assert cause == "timeout"
    assert "300" in text or "0.3" in text, text
    daemon.expect("upstream-failed", f"wsplex-endpoint:{kind}: timeout: ")


# --- it breaks RFC 6455 ---

VIOLATIONS = {
    "unknown opcode": (frame(3, b"x"), 1002),
    "unknown control opcode": (frame(11), 1002),
    "reserved bit": (frame(TEXT, b"x", reserved=4), 1002),
    "masked": (frame(TEXT, b"x", mask=b"abcd"), 1002),
    "continuation of nothing": (frame(0, b"x"), 1002),
    "message within a message": (frame(TEXT, b"x", is_last=False) + frame(TEXT, b"y"), 1002),
    "control frame too long": (frame(PING, bytes(126)), 1002),
    "control frame in pieces": (frame(PING, b"x", is_last=False), 1002),
    "length not the shortest": (b"\x82\x7e\x00\x05hello", 1002),
    "length with its top bit": (b"\x82\x7f" + b"\xff" * 8, 1002),
    "not UTF-8": (frame(TEXT, b"\xc3\x28"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "UTF-8 cut off": (frame(TEXT, b"\xe2\x82"), 1007),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close with a code that cannot be": (frame(CLOSE, struct.pack(">H", 1005)), 1002),
    "close with a reason that is no text": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_it_breaks_the_protocol(daemon, program, name):
    wrong, code = VIOLATIONS[name]

    def script(peer):
        peer.upgrade()
        peer.raw(frame(TEXT, b"before") + wrong + frame(BINARY, b"behind"))
        assert peer.read_close() == code
        peer.read_end()

    with RawServer(script) as raw:
        program.open("a", raw.url)
        program.open("b", raw.url + "/2", "shared", "option=linger=0s")
        for channel in ("a", "b"):
            cause, text = program.failure(channel)
            assert cause == "protocol" and str(code) in text, text
            kinds = [event["event"] for event in program.events(channel)]
            assert kinds == ["open", "message", "error", "close"]
    daemon.expect("upstream-failed", f"protocol: .*{code}", n_lines=2)


# --- TLS ---


@pytest.fixture(scope="module")
def bad_certificates(authority, tmp_path_factory):
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "stranger")
    return {
        "unknown authority": (stranger.issue("unknown"), "issuer"),
        "expired": (authority.issue("expired", end="20200201000000Z"), "expired"),
        "not yet valid": (authority.issue("future", start="20980101000000Z"), "not valid before 2098"),
        "self-signed": (authority.self_signed("self"), "self-signed"),
        "wrong name": (authority.issue("name", names="DNS:elsewhere.example"), "127.0.0.1"),
        "wrong purpose": (authority.issue("purpose", usage="clientAuth"), "serverAuth"),
    }


@pytest.mark.parametrize(
    "name", ["unknown authority", "expired", "not yet valid", "self-signed", "wrong name", "wrong purpose"]
)
def test_certificate(daemon, program, bad_certificates, name):
    certificate, words = bad_certificates[name]

    def script(_peer):
        raise AssertionError("the daemon took the certificate")

    with RawServer(script, certificate=certificate) as raw:
        cause, text = program.fails(raw.url)
    assert cause == "tls"
    assert words in text
    daemon.expect("upstream-failed", f"tls: .*{words}")


def test_wrong_name_of_a_host(daemon, program, bad_certificates):
    """The same for a name: only those of the certificate are trusted."""
    with RawServer(lambda peer: None, certificate=bad_certificates["wrong name"][0], port=free_port()) as raw:
        cause, text = program.fails(raw.url.replace("127.0.0.1", "localhost"))
    assert cause == "tls"
    assert "localhost" in text
    daemon.expect("upstream-failed", "tls: .*localhost")


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03\x00\x7a\x02", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_tls_handshake_is_cut_short(daemon, program, answer):
    def script(peer):
        peer.socket.recv(1 << 16)
        peer.raw(answer)

    with RawServer(script) as raw:
        cause, text = program.fails(raw.url.replace("ws:", "wss:"))
    assert cause == "tls" and text
    daemon.expect("upstream-failed", "tls: ")


def test_tls_is_cut_short_in_a_message(daemon, program, certificate):
    """Without close_notify and without a Close frame: what came of the message is not given out."""

    def script(peer):
        peer.upgrade()
        peer.raw(frame(TEXT, b"whole") + frame(TEXT, b"half", is_last=False))
        with socket.socket(fileno=os.dup(peer.socket.fileno())) as below:
            below.shutdown(socket.SHUT_RDWR)

    with RawServer(script, certificate=certificate) as raw:
        program.open("a", raw.url)
        cause, text = program.failure("a")
    assert cause == "lost" and text
    assert [event.get("data") for event in program.events("a")] == [None, "whole", None, None]
    daemon.expect("upstream-failed", "lost: ")


# --- how it ends ---


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("code, reason", [(1000, ""), (1001, "going"), (1011, "oh"), (4000, "grüße €"), (3000, "x" * 123), (4999, "a\0b\0")])
def test_it_closes(daemon, program, server, scheme, code, reason):
    paths = new_path(), new_path()
    program.open("own", server.url(paths[0], scheme))
    program.open("one", server.url(paths[1], scheme), "shared")
    program.open("two", server.url(paths[1], scheme), "shared")
    for _ in range(3):
        program.event("open")
    for path in paths:
        connection = server.connection(path)
        connection.order("text", text="last")
        connection.order("close", code=code, reason=reason)
        assert connection.closed()[0] == code
    for _ in range(3):
        event = program.event("close")
        assert (event["clean"], event["code"], event["reason"]) == (True, code, reason)
    for name in ("own", "one", "two"):
        assert [event["event"] for event in program.events(name)] == ["open", "message", "close"]
    server.expect_connections(paths[1], 1)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_it_closes_and_hangs_up_at_once(daemon, program, certificate, scheme, how):
    """It does not wait for our Close, and some do not even read it: what it has said counts all the same."""

    def script(peer):
        with socket.socket(fileno=os.dup(peer.socket.fileno())) as below:
            below.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.upgrade()
            peer.raw(frame(TEXT, b"last") + frame(CLOSE, b"\x0f\xa0gone"))
            if how == "reset":
                below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with RawServer(script, certificate=certificate if scheme == "wss" else None) as raw:
        program.open("a", raw.url)
        close = program.event("close")
        assert (close["code"], close["reason"]) == (4000, "gone")
        # Where it has cut TLS off as well, ours cannot be sent, so the closing handshake is not whole.
        assert close["clean"] or how == "reset" or scheme == "wss"
        assert [event["event"] for event in program.events("a")] == ["open", "message", "close"]


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1009])
def test_it_blames_what_it_was_sent(daemon, program, server, code):
    """The close is in order, and the administrator hears of it."""
    path = new_path()
    program.open("a", server.url(path))
    server.connection(path).order("close", code=code, reason="no")
    event = program.event("close")
    assert (event["clean"], event["code"], event["reason"]) == (True, code, "no")
    daemon.expect("upstream-blamed", f"{path}: the server has closed with code {code}: ")


def test_it_closes_without_a_code(daemon, program, one_server):
    path = new_path()
    program.open("a", one_server.url(path))
    one_server.connection(path).order("close", code=0, reason="")
    event = program.event("close")
    assert (event["clean"], event["code"], event["reason"]) == (True, 1005, "")
    assert [event["event"] for event in program.events("a")] == ["open", "close"]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_it_is_killed(daemon, program, own_server, scheme):
    path = new_path()
    program.open("own", own_server.url(path + "a", scheme))
    for name in ("one", "two"):
        program.open(name, own_server.url(path + "b", scheme), "shared")
    for _ in range(3):
        program.event("open")
    own_server.connection(path + "b").order("text", text="last")
    for _ in range(2):
        program.event("message")
    own_server.kill()
    for name in ("own", "one", "two"):
        cause, text = program.failure(name)
        assert cause == "lost" and text
    daemon.expect("upstream-failed", "lost: ", n_lines=2)


def test_it_resets_the_connection(daemon, program, server):
    path = new_path()
    program.open("a", server.url(path))
    server.connection(path).order("terminate")
    cause, _ = program.failure("a")
    assert cause == "lost"
    daemon.expect("upstream-failed", "lost: ")


def test_it_does_not_answer_the_close(make_daemon, make_program):
    """The daemon gives up after close-timeout; the program's own close ends uncleanly."""

    def script(peer):
        peer.upgrade()
        assert peer.read_close() == 1000
        raw.over.wait()

    with RawServer(script) as raw:
        daemon = make_daemon(f'endpoint "deaf" {{ url = "{raw.url}" share = no close-timeout = 200ms }}')
        program = make_program(daemon)
        program.open("a", "wsplex-endpoint:deaf")
        program.event("open")
        program.close("a", 1000)
        event = program.event("close")
        assert (event["clean"], event["code"]) == (False, 1006)
        wait_until(lambda: daemon.upstreams() == [], "the upstream is given up")
    daemon.expect("upstream-failed", "timeout")


def test_another_server_takes_over(daemon, program, certificate):
    """After a server was killed, the next WebSocket to it is a new connection, shared or not."""
    path = new_path("echo")
    with Server("ws", certificate) as first:
        program.open("a", first.url(path), "shared")
        program.event("open")
        first.kill()
        program.failure("a")
    daemon.expect("upstream-failed", "lost: ")
    with Server("ws", certificate) as second:
        program.open("b", second.url(path), "shared", "option=linger=0s")
        program.event("open")
        program.text("b", "again")
        assert program.event("message")["data"] == "again"
        program.close("b")
        assert program.event("close", name="b")["clean"]
        wait_until(lambda: daemon.upstreams() == [], "no upstream is left")


def test_one_server_breaking_down_is_nothing_to_others(daemon, program, one_server):
    """A thousand messages through one upstream while another one is broken, over and over."""
    n_bad = 10
    program.open("good", one_server.url(new_path("echo"), "wss"))
    program.event("open")

    def script(peer):
        peer.upgrade()
        peer.raw(frame(3))
        assert peer.read_close() == 1002

    with RawServer(script) as raw:
        for i in range(n_bad):
            program.open(f"bad{i}", raw.url)
            for n in range(100):
                program.text("good", str(100 * i + n))
        for i in range(n_bad):
            assert program.failure(f"bad{i}")[0] == "protocol"
    last = program.event("message", data=str(100 * n_bad - 1))
    assert last["name"] == "good"
    got = [event["data"] for event in program.events("good") if event["event"] == "message"]
    assert got == [str(i) for i in range(100 * n_bad)]
    daemon.expect("upstream-failed", "protocol: ", n_lines=n_bad)
