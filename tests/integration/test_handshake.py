# SPDX-License-Identifier: MIT
"""The opening handshake on the wire: what servers get, what they may answer, and who hears of a refusal.

Scripted servers answer by the byte. A refusal reaches the program's error event with status, Retry-After and the
beginning of the body; its user's wsplexctl; and of all that only the status the log.
"""

import base64
import contextlib
import email.utils
import hashlib
import json
import socket
import time

import pytest
import users
from network import why_no_ipv6
from process import DEADLINE
from program import Program
from servers import CLOSE, GUID, TEXT, RawServer, frame
from wsplex_client import Closed, Failed, Message, Opened

SECRET = "hidden-9f86d081"

def read_head(peer):
    """The request as it came: its lines."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        got = peer.socket.recv(1)
        assert got, data
        data += got
    return data.decode("latin-1").split("\r\n")[:-2]


def fields_of(lines):
    """(name, value) in the order in which they stand."""
    return [tuple(line.split(": ", 1)) for line in lines[1:]]


def value_of(lines, name):
    """The value of the one field of this name."""
    (value,) = [value for key, value in fields_of(lines) if key.lower() == name]
    return value


def accept_of(lines):
    key = value_of(lines, "sec-websocket-key").encode()
    return base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()


def close(peer):
    """The server's part of the closing handshake; it ends the connection first."""
    code = peer.read_close()
    peer.raw(frame(CLOSE, b"" if code is None else code.to_bytes(2, "big")))


def refused(channel):
    """FAILED, and CLOSED 1006 right behind it."""
    failed = channel.wait(Failed)
    assert channel.recv() == Closed(False, 1006, "")
    return failed


# --- requests ---


def request_of(daemon, url_of=lambda raw: raw.url + "/", host="127.0.0.1", **more):
    """The lines that a server gets of a client's OPEN."""
    got = []

    def script(peer):
        got.append(read_head(peer))
        peer.raw("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")

    with RawServer(script, host=host) as raw, daemon.client() as client:
        failed = refused(client.open(url_of(raw), **more))
        assert failed.http_status == 404
        port = raw.port
    daemon.expect("upstream-failed")
    return got[0], port


def test_request_as_servers_expect_it(daemon):
    lines, port = request_of(
        daemon, lambda raw: raw.url + "/a%20b/../c?d=e%0a&f", protocols=["one", "two"],
        headers=[("X-Two", "2"), ("X-One", "1")], options={"deflate": "no"},
    )  # fmt: skip
    assert lines[0] == "GET /c?d=e%0a&f HTTP/1.1"
    names = [name for name, _ in fields_of(lines)]
    # RFC 9110, section 7.2: Host first; the others in the order of RFC 6455's own example, the user's last.
    assert names == [
        "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
        "User-Agent", "X-Two", "X-One",
    ]  # fmt: skip
    assert value_of(lines, "host") == f"127.0.0.1:{port}"
    assert value_of(lines, "upgrade") == "websocket"
    assert value_of(lines, "connection") == "Upgrade"
    assert value_of(lines, "sec-websocket-version") == "13"
    assert value_of(lines, "sec-websocket-protocol") == "one, two"
    assert value_of(lines, "user-agent").startswith("wsplex/")
    assert len(base64.b64decode(value_of(lines, "sec-websocket-key"), validate=True)) == 16


@pytest.mark.skipif(why_no_ipv6() is not None, reason=f"{why_no_ipv6()}")
def test_host_of_an_ipv6_address_is_in_brackets(daemon):
    lines, port = request_of(daemon, host="::1")
    assert value_of(lines, "host") == f"[::1]:{port}"


def test_host_has_no_port_that_is_the_default(daemon):
    """Through a listener on port 80, where this test may have one."""
    got = []

    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(4096)
            got.append(data.decode())
            connection.sendall(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")

    try:
        listener = socket.create_server(("127.0.0.123", 80))
    except OSError:
        pytest.skip("port 80 is not to be had")
    with listener, daemon.client() as client:
        channel = client.open("ws://127.0.0.123:80/")
        listener.settimeout(DEADLINE)
        serve(listener)
        refused(channel)
    daemon.expect("upstream-failed")
    assert "\r\nHost: 127.0.0.123\r\n" in got[0]


def test_the_users_own_fields_take_the_place_of_ours(daemon):
    own = [("user-agent", "mine/1"), ("Origin", "https://example.com"), ("Authorization", "Bearer x")]
    lines, _ = request_of(daemon, lambda raw: raw.url.replace("//", "//user:word@") + "/", headers=own)
    for name, value in own:
        assert [field for field in fields_of(lines) if field[0].lower() == name.lower()] == [(name, value)]


BAD_HEADERS = [
    ("X-A", "b\r\nX-C: d"), ("X-A", "b\nX-C: d"), ("X-A", "b\rX-C: d"), ("X-A", "b\0c"), ("X-A", " b"), ("X-A", "b "),
    ("X-A", "\x7f"), ("X-A\r\nX-C", "d"), ("X A", "b"), ("X-A:", "b"), ("", "b"), ("X-\u00e4", "b"), ("Host", "x"),
    ("host", "x"), ("Connection", "x"), ("Upgrade", "x"), ("Sec-WebSocket-Key", "x"), ("sec-websocket-accept", "x"),
    ("Sec-WebSocket-Protocol", "x"), ("Sec-WebSocket-Extensions", "x"), ("Sec-WebSocket-Version", "8"),
    ("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Proxy-Authorization", "Basic x"), ("TE", "trailers"),
]  # fmt: skip


def test_injection_by_protocol(daemon):
    with RawServer(lambda peer: None) as raw, daemon.client() as client:
        for header in BAD_HEADERS:
            assert refused(client.open(raw.url, headers=[header])).cause == "header", header
        for protocol in ("a\r\nX-C: d", "a b", "a,b", "", "\u00e4"):
            assert refused(client.open(raw.url, protocols=[protocol])).cause == "subprotocol"
        for url in ("/\r\nX-C: d", "/a\nb", "/a b\0"):
            # What the URL standard strips or escapes cannot end a line either.
            assert "\n" not in str(client.open(f"ws://127.0.0.1:1{url}").wait(Failed).text)
        assert raw.n_accepted == 0
    daemon.expect("upstream-failed", n_lines=3)


def test_injection_by_url_is_escaped(daemon):
    lines, _ = request_of(daemon, lambda raw: raw.url + "/a\r\nX-C: d?e\r\nf g")
    assert lines[0] == "GET /aX-C:%20d?ef%20g HTTP/1.1"
    assert not [name for name, _ in fields_of(lines) if name == "X-C"]


# What wsplexctl takes apart by its first colon, with the blanks around the value that it strips.
HEADERS = [f"{name}:{value}" for name, value in BAD_HEADERS if "\0" not in value and ":" not in name and value == value.strip()]


@pytest.mark.parametrize("header", HEADERS)
def test_injection_by_library(daemon, header):
    """The function that adds the header refuses it; nothing is opened."""
    done = daemon.ctl("connect", "-H", header, "ws://127.0.0.1:1/")
    assert done.returncode == 2 and b"header" in done.stderr, done


@pytest.mark.parametrize("value", ["b\rX-C: d", "b\x01", "b\x7f"])
def test_injection_by_configuration(make_daemon, value):
    with pytest.raises(TimeoutError):
        make_daemon(f'endpoint "a" {{ url = "ws://127.0.0.1/" header = {{ "X-A: {value}" }} }}')


# --- answers that are odd ---

HEAD = "HTTP/1.1 101 Switching Protocols\r\n"
UPGRADE, CONNECTION, ACCEPT = "Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Accept: {accept}\r\n"
PLAIN = UPGRADE + CONNECTION + ACCEPT
GLUED = frame(TEXT, b"glued")

GOOD = {
    "plain": HEAD + PLAIN + "\r\n",
    "names and values in other cases": HEAD + "UPGRADE: WebSocket\r\nconnection: uPGRADE\r\nsec-websocket-ACCEPT:{accept}\r\n\r\n",
    "Connection is a list": HEAD + UPGRADE + "Connection: keep-alive, Upgrade\r\n" + ACCEPT + "\r\n",
    "Connection twice": HEAD + "Connection: keep-alive\r\n" + PLAIN + "\r\n",
    "folded": HEAD + "Upgrade:\r\n websocket\r\nConnection: keep-alive,\r\n\tUpgrade\r\n" + ACCEPT + "X: a\r\n b\r\n\r\n",
    "no phrase": "HTTP/1.1 101\r\n" + PLAIN + "\r\n",
    "line feeds": (HEAD + PLAIN + "\r\n").replace("\r\n", "\n"),
    "100 before": "HTTP/1.1 100 Continue\r\n\r\n" + HEAD + PLAIN + "\r\n",
    "103 before": "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nRetry-After: 9\r\n\r\n" * 8 + HEAD + PLAIN + "\r\n",
    "a length": HEAD + PLAIN + "Content-Length: 3\r\n\r\n",
    "a transfer coding": HEAD + PLAIN + "Transfer-Encoding: chunked\r\n\r\n",
    "giant": HEAD + "X: " + "x" * 60000 + "\r\n" + PLAIN + "\r\n",
    "many": HEAD + "X: y\r\n" * 250 + PLAIN + "\r\n",
    "extensions in two fields": HEAD + PLAIN + "Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: \r\n\r\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_odd_but_right(daemon, name):
    def script(peer):
        answer = GOOD[name].replace("{accept}", accept_of(read_head(peer)))
        peer.raw(answer.encode() + GLUED)
        close(peer)

    with RawServer(script) as raw, daemon.client() as client:
        channel = client.open(raw.url)
        channel.wait(Opened)
        assert channel.wait(Message).data == "glued"
        channel.close()
        channel.wait(Closed)


def test_answer_in_pieces_of_a_byte(daemon):
    def script(peer):
        answer = (HEAD + PLAIN + "\r\n").replace("{accept}", accept_of(read_head(peer))).encode() + GLUED
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in answer:
            peer.raw(bytes([byte]))
            time.sleep(0.001)
        close(peer)

    with RawServer(script) as raw, daemon.client() as client:
        channel = client.open(raw.url)
        assert channel.wait(Message).data == "glued"
        channel.close()
        channel.wait(Closed)


BAD = {
    "no Upgrade": (HEAD + CONNECTION + ACCEPT, "Upgrade"),
    "two Upgrades": (HEAD + UPGRADE + PLAIN, "Upgrade"),
    "Upgrade is a list": (HEAD + "Upgrade: websocket, h2c\r\n" + CONNECTION + ACCEPT, "Upgrade"),
    "no Connection": (HEAD + UPGRADE + ACCEPT, "Connection"),
    "another Connection": (HEAD + UPGRADE + "Connection: close\r\n" + ACCEPT, "Connection"),
    "no Accept": (HEAD + UPGRADE + CONNECTION, "Accept"),
    "two Accepts": (HEAD + PLAIN + ACCEPT, "Accept"),
    "another Accept": (HEAD + UPGRADE + CONNECTION + "Sec-WebSocket-Accept: x{accept}\r\n", "Accept"),
    "two subprotocols": (HEAD + PLAIN + "Sec-WebSocket-Protocol: p\r\n" * 2, "subprotocol"),
    "a list of subprotocols": (HEAD + PLAIN + "Sec-WebSocket-Protocol: p, q\r\n", "subprotocol"),
    "HTTP/1.0": (HEAD.replace("1.1", "1.0") + PLAIN, "version"),
    "HTTP/2": (HEAD.replace("1.1", "2") + PLAIN, "version"),
    "NUL": (HEAD + PLAIN + "X: a\0b\r\n", "NUL"),
    "bare CR": (HEAD + PLAIN + "X: a\rb\r\n", "CR"),
    "blank before the colon": (HEAD + PLAIN + "X : a\r\n", "token"),
    "folded from the start": (HEAD + " X: a\r\n" + PLAIN, "whitespace"),
    "too giant": (HEAD + "X: " + "x" * 70000 + "\r\n" + PLAIN, "larger"),
    "too many": (HEAD + "X: y\r\n" * 257 + PLAIN, "more fields"),
    "too many before": ("HTTP/1.1 103 x\r\n\r\n" * 9 + HEAD + PLAIN, "1xx"),
    "empty line first": ("\r\n" + HEAD + PLAIN, "status line"),
    "a status of two digits": ("HTTP/1.1 99 x\r\n" + PLAIN, "status line"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong(daemon, name):
    answer, word = BAD[name]

    def script(peer):
        peer.raw(answer.replace("{accept}", accept_of(read_head(peer))) + "\r\n")

    with RawServer(script) as raw, daemon.client() as client:
        failed = refused(client.open(raw.url, protocols=["p", "q"] if "subprotocol" in name else []))
    assert failed.cause == "handshake"
    assert word in failed.text, failed.text
    assert (failed.retry_after, failed.excerpt) == (0, "")
    assert failed.text in daemon.expect("upstream-failed", "handshake: ")


# --- refusals ---

BODY = '{"error": "' + SECRET + '"}'
PHRASES = {
    301: "redirects", 302: "redirects", 307: "redirects", 308: "redirects", 400: "malformed", 401: "credentials",
    403: "allow", 404: "nothing at this path", 426: "version", 429: "too many", 500: "", 503: "not available",
}  # fmt: skip


def in_120_s(after):
    """A date, that many seconds later than it was asked for."""
    time.sleep(after)
    return email.utils.formatdate(time.time() + 120, usegmt=True)


def refusal(status, body, *fields):
    lines = [f"HTTP/1.1 {status} Some Phrase", "Location: ws://127.0.0.1:1/" + SECRET, *fields]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def refusing(answer):
    def script(peer):
        read_head(peer)
        peer.raw(answer() if callable(answer) else answer)

    return script


def failed_id(daemon):
    (row,) = daemon.request("history")
    return row["id"]


@pytest.mark.parametrize("status", PHRASES)
def test_every_status_reaches_program_log_and_ctl(daemon, make_program, status):
    answer = refusal(status, BODY, f"Content-Length: {len(BODY)}", "Retry-After: 120")
    with RawServer(refusing(answer)) as raw:
        program = make_program(daemon)
        program.open("a", raw.url + "/path?" + SECRET)
        cause, text = program.failure("a")
        port = raw.port
    error = program.events("a")[0]
    assert (cause, error["status"], error["retry_after"], error["excerpt"]) == ("handshake", status, 120, BODY)
    assert str(status) in text and PHRASES[status] in text and "120 s" in text
    line = daemon.expect("upstream-failed", f"handshake: .*{status}.*120 s")
    assert SECRET not in "".join(daemon.process.err.all()), line
    row = json.loads(daemon.ctl("--json", "history", check=0).stdout)[0]
    assert (row["http_status"], row["retry_after_ms"], row["cause"]) == (status, 120000, "handshake")
    assert row["url"] == f"ws://127.0.0.1:{port}/path" and "excerpt" not in row
    shown = json.loads(daemon.ctl("--json", "show", str(row["id"]), check=0).stdout)
    assert (shown["kind"], shown["state"], shown["excerpt"]) == ("upstream", "ended", BODY)
    assert {key: shown[key] for key in row} == {**row, "ended_ms": shown["ended_ms"]}
    text = daemon.ctl("show", str(row["id"]), check=0).stdout.decode()
    assert BODY in text and str(status) in text
    assert str(status).encode() in daemon.ctl("history", check=0).stdout


@pytest.mark.parametrize(
    "field, seconds",
    [
        ("Retry-After: 7", {7}),
        ("Retry-After: 0", {0}),
        ("retry-after:  00007\t", {7}),
        ("Retry-After: 99999999999999999999", {2**32 - 1}),
        # How long the answer is under way is nobody's promise; how long it takes to be given does not count.
        (lambda: f"Retry-After: {in_120_s(after=2)}", set(range(120 - DEADLINE, 121))),
        ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sunday, 06-Nov-94 08:51:37 GMT", {120}),
        ("Date: Sun Nov  6 08:49:37 1994\r\nRetry-After: Sun Nov  6 08:49:39 1994", {2}),
        ("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", {0}),
        ("Retry-After: soon", {0}),
        ("Retry-After: -1", {0}),
        ("Retry-After: 7\r\nRetry-After: 8", {0}),
        ("X: y", {0}),
    ],
)
def test_retry_after(daemon, field, seconds):
    def answer():
        return refusal(503, "", "Content-Length: 0", field() if callable(field) else field)

    with RawServer(refusing(answer)) as raw, daemon.client() as client:
        failed = refused(client.open(raw.url))
    assert failed.retry_after in seconds
    assert (f"wait {failed.retry_after} s" in failed.text) == (failed.retry_after > 0)
    assert failed.text in daemon.expect("upstream-failed")


BODIES = {
    "length": (["Content-Length: 5"], "helloHTTP/1.1 200 OK\r\n\r\n", "hello"),
    "length twice": (["Content-Length: 5", "Content-Length: 5"], "hello", "hello"),
    "lengths that differ": (["Content-Length: 5", "Content-Length: 4"], "hello", ""),
    "chunks": (["Transfer-Encoding: chunked"], "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", "hello"),
    "chunks that break": (["Transfer-Encoding: chunked"], "2\r\nhe\r\nxyz", "he"),
    "until close": ([], "hello", "hello"),
    "compressed": (["Content-Encoding: gzip", "Content-Length: 5"], "hello", ""),
    "none": (["Content-Length: 0"], "", ""),
    "long": (["Content-Length: 100000"], "x" * 100000, "x" * 1024),
    "long chunks": (["Transfer-Encoding: chunked"], ("400\r\n" + "é" * 512 + "\r\n") * 100, "é" * 512),
    "long, of three bytes each": ([], "€" * 1000, "€" * 341),
    "controls": ([], "a\tb\r\n\x1b[2J\x00\x7f", "a\tb\r\n\x1b[2J\ufffd\x7f"),
    "not UTF-8": ([], b"caf\xe9 \xff\xf0\x9f\x99", "caf\ufffd \ufffd"),
}


@pytest.mark.parametrize("name", BODIES)
def test_excerpt(daemon, name):
    fields, body, excerpt = BODIES[name]
    body = body.encode() if isinstance(body, str) else body

    def script(peer):
        read_head(peer)
        # In one piece: what comes late is not waited for. Neither is the end of a long one.
        with contextlib.suppress(OSError):
            peer.raw(refusal(403, "", *fields).encode() + body)

    with RawServer(script) as raw, daemon.client() as client:
        failed = refused(client.open(raw.url))
    assert (failed.http_status, failed.excerpt) == (403, excerpt)
    daemon.expect("upstream-failed")
    assert daemon.request("show", str(failed_id(daemon)))["excerpt"] == excerpt


def test_a_body_that_never_ends_delays_little(daemon):
    def script(peer):
        read_head(peer)
        peer.raw(refusal(500, "1\r\nx\r\n", "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            while not raw.over.wait(0.05):
                peer.raw("1\r\nx\r\n")

    with RawServer(script) as raw, daemon.client() as client:
        begin = time.monotonic()
        failed = refused(client.open(raw.url))
        took = time.monotonic() - begin
    assert 0.4 < took < DEADLINE, took
    assert set(failed.excerpt) == {"x"}
    daemon.expect("upstream-failed", "500")


def test_what_a_server_says_is_no_command_to_a_terminal(daemon):
    body = "\x1b]0;owned\x07\x1b[31m red \x9b2J \u009b2J \u202egpj.exe\u2066 \x7f\b\r\nnext".encode()
    with RawServer(refusing(refusal(403, "").encode() + body)) as raw:
        done = daemon.ctl("connect", raw.url)
        assert done.returncode == 1
        daemon.expect("upstream-failed")
        shown = [done.stderr] + [
            daemon.ctl(*words, check=0).stdout
            for words in (["show", str(failed_id(daemon))], ["--json", "show", str(failed_id(daemon))], ["history"])
        ]
    for text in shown:
        text = text.decode()
        assert not [c for c in text if ord(c) < 0x20 and c not in "\n" or 0x7F <= ord(c) < 0xA0], text
        assert not set(text) & set("\u202e\u2066")
    assert "the server says: " in shown[0].decode() and r"\x1b[31m red " in shown[0].decode()
    excerpt = json.loads(shown[2])["excerpt"]
    assert "\x1b]0;owned\x07" in excerpt and "\u009b2J \u202egpj.exe\u2066 \x7f\b\r\nnext" in excerpt


@pytest.mark.skipif(users.why_not_programs() is not None, reason=f"no other users: {users.why_not_programs()}")
def test_nobody_but_the_owner_is_shown_what_a_server_said(make_daemon):
    daemon = make_daemon("socket-mode = 0666\nadmin-group = 4321\n")
    answer = refusal(401, BODY, f"Content-Length: {len(BODY)}")
    with RawServer(refusing(answer)) as raw, Program(daemon.socket, prefix=users.words(1234)) as program:
        program.open("a", raw.url)
        program.failure("a")
        assert program.events("a")[0]["excerpt"] == BODY
        program.finish()
    daemon.expect("upstream-failed", "401")
    (row,) = daemon.request("history")
    number = str(row["id"])
    # The owner
    shown = json.loads(daemon.ctl("--json", "show", number, prefix=users.words(1234), check=0).stdout)
    assert shown["excerpt"] == BODY
    assert len(json.loads(daemon.ctl("--json", "history", prefix=users.words(1234), check=0).stdout)) == 1
    # Another user
    assert json.loads(daemon.ctl("--json", "history", prefix=users.words(1235), check=0).stdout) == []
    done = daemon.ctl("--json", "show", number, prefix=users.words(1235))
    assert (done.returncode, done.stdout) == (1, b"")
    # Root and the admin group see that it failed, and with which status.
    for prefix in ([], users.words(4321)):
        for words in (["show", number], ["--json", "show", number], ["history"], ["--json", "history"]):
            text = daemon.ctl(*words, prefix=prefix, check=0).stdout.decode()
            assert "401" in text and SECRET not in text and "excerpt" not in text
    assert SECRET not in "".join(daemon.process.err.all())


def test_history_is_of_failures_and_bounded(daemon, one_server):
    with daemon.client() as client:
        for _ in range(20):
            refused(client.open("ws://127.0.0.1:1/"))
        channel = client.open(one_server.url("/echo/history"))
        channel.wait(Opened)
        channel.close()
        channel.wait(Closed)
        rows = client.request("history")
        assert len(rows) == 16
        assert {(row["cause"], row["http_status"], row["retry_after_ms"]) for row in rows} == {("connect", None, None)}
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        assert client.request("show", str(rows[0]["id"]))["excerpt"] == ""
    daemon.expect("upstream-failed", n_lines=20)


# --- credentials ---


def checking(name, value):
    """A server that lets in who knows the secret, and tells everybody else what it got."""

    def script(peer):
        lines = read_head(peer)
        got = [field_value for key, field_value in fields_of(lines) if key.lower() == name]
        if got == [value]:
            peer.raw((HEAD + PLAIN + "\r\n").replace("{accept}", accept_of(lines)))
            close(peer)
        else:
            body = f"not {got}"
            peer.raw(refusal(401, body, f"Content-Length: {len(body)}", 'WWW-Authenticate: Basic realm="x"'))

    return script


def basic(text):
    return "Basic " + base64.b64encode(text).decode()


CREDENTIALS = {
    "basic": ("authorization", basic(f"user:{SECRET}".encode()), f"user:{SECRET}@", []),
    "basic, escaped": ("authorization", basic(f"us er:{SECRET}:é@".encode()), f"us%20er:{SECRET}%3A%C3%A9%40@", []),
    "basic, no password": ("authorization", basic(f"{SECRET}:".encode()), f"{SECRET}@", []),
    "basic, no user": ("authorization", basic(f":{SECRET}".encode()), f":{SECRET}@", []),
    "cookie": ("cookie", f"session={SECRET}; b=c", "", [("Cookie", f"session={SECRET}; b=c")]),
    "bearer": ("authorization", f"Bearer {SECRET}", "", [("Authorization", f"Bearer {SECRET}")]),
}


@pytest.mark.parametrize("is_right", [True, False])
@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials(daemon, name, is_right):
    field, value, userinfo, headers = CREDENTIALS[name]
    shown = []
    with RawServer(checking(field, value if is_right else "another")) as raw, daemon.client() as client:
        channel = client.open(raw.url.replace("//", "//" + userinfo) + "/path?token=" + SECRET, headers=headers)
        if is_right:
            channel.wait(Opened)
            for row in client.request("upstreams") + client.request("channels"):
                shown.append(json.dumps(client.request("show", str(row["id"]))))
            channel.close()
            channel.wait(Closed)
        else:
            failed = refused(channel)
            assert failed.http_status == 401
            # That is between the program and its server, which has just told it back.
            assert value in failed.excerpt or name.startswith("basic")
            assert SECRET not in failed.text and value not in failed.text
            daemon.expect("upstream-failed", "401")
            (row,) = client.request("history")
            shown.append(json.dumps(row))
    for what in ("upstreams", "channels", "clients", "history", "endpoints", "status"):
        shown += [daemon.ctl(what, check=0).stdout.decode(), daemon.ctl("--json", what, check=0).stdout.decode()]
    for text in shown + daemon.process.err.all():
        assert SECRET not in text and value not in text, text


def test_an_endpoints_secrets_are_not_told_back(make_daemon):
    """Not even by a server that puts the request into its answer."""
    secrets = [f"Bearer {SECRET}-1", f"{SECRET}-2", f"{SECRET}-3/4", f"{SECRET}-5", f"{SECRET}-6"]

    def script(peer):
        lines = read_head(peer)
        user, password = base64.b64decode(value_of(lines, "x-basic").split(" ")[1]).decode().split(":")
        body = "\n".join([*lines, f"query {SECRET}-3/4", user, password, "and this is the reason"])
        peer.raw(refusal(401, body, f"Content-Length: {len(body)}"))

    with RawServer(script) as raw:
        url = raw.url.replace("//", f"//{secrets[3]}:{secrets[4]}@") + f"/{SECRET}-7?token={SECRET}-3%2F4"
        both = basic(f"{secrets[3]}:{secrets[4]}".encode())
        headers = [f"Authorization: {secrets[0]}", f"Cookie: a={secrets[1]}; b=c", f"X-Basic: {both}"]
        listed = ", ".join(f'"{header}"' for header in headers)
        daemon = make_daemon(f'endpoint "feed" {{ url = "{url}" headers = {{ {listed} }} }}')
        with daemon.client() as client:
            failed = refused(client.open("wsplex-endpoint:feed", sharing="default"))
            shown = client.request("show", str(client.request("history")[0]["id"]))
    daemon.expect("upstream-failed", "wsplex-endpoint:feed: handshake: .*401")
    assert shown["excerpt"] == failed.excerpt
    assert "and this is the reason" in failed.excerpt and "GET ***" in failed.excerpt
    assert "Authorization: Bearer ***" in failed.excerpt
    assert SECRET not in failed.excerpt and both.split(" ")[1].rstrip("=") not in failed.excerpt
