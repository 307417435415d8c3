# SPDX-License-Identifier: MIT
"""wsplexctl: connect in pipes and terminals, the lists, and how it fails."""

import json
import os
import pty
import random
import re
import struct
import subprocess
import tempfile
import types

import pytest
from fake_daemon import FakeDaemon
from process import DEADLINE, Process, built, wait_until
from servers import BINARY, CLOSE, TEXT, RawServer, frame, new_path
from wsplex_client import Opened
from wsplex_protocol import Type

MIB = 1 << 20


def connect(daemon, *arguments, **options):
    return daemon.ctl("connect", *arguments, **options)


def started(daemon, *arguments, **options):
    """wsplexctl connect, under way."""
    return Process([built("wsplexctl"), "--socket", daemon.socket, "connect", *arguments], **options)


# --- a pipe on a WebSocket ---


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_lines_go_out_before_it_ends(daemon, server, scheme):
    path = new_path()
    done = connect(daemon, server.url(path, scheme), stdin=b"a\nb\n", check=0)
    assert (done.stdout, done.stderr) == (b"", b"")
    connection = server.connection(path)
    assert [event["text"] for event in connection.messages(2)] == ["a", "b"]
    assert connection.closed() == (1000, "")


PATIENT = 'endpoint "patient" {{ url = "{url}" share = no close-timeout = 5min }}'


def test_no_line_is_lost(make_daemon, server):
    """Not even with an end of stdin right behind the last one."""
    path, n_lines = new_path(), 10000
    # The server answers the close when it has read them all.
    daemon = make_daemon(PATIENT.format(url=server.url(path)))
    connect(daemon, "wsplex-endpoint:patient", stdin="".join(f"line {i}\n" for i in range(n_lines)).encode(), check=0)
    got = [event["text"] for event in server.connection(path).messages(n_lines)]
    assert got == [f"line {i}" for i in range(n_lines)]
    assert server.connection(path).closed()[0] == 1000


def test_ten_thousand_lines_come_back(make_daemon, one_server):
    """This server answers each message before it answers the close."""
    lines = "".join(f"{i} grüße\n" for i in range(10000)).encode()
    daemon = make_daemon(PATIENT.format(url=one_server.url(new_path("echo"), "wss")))
    done = connect(daemon, "wsplex-endpoint:patient", stdin=lines, check=0)
    assert done.stdout == lines


def test_a_conversation(daemon, server):
    """With a coprocess of a shell: a line goes, a line comes, and so on; each at once."""
    with started(daemon, server.url(new_path("echo"))) as ctl:
        for i in range(200):
            ctl.write(f"question {i}")
            assert ctl.out.wait(lambda line: line, "an answer", i)[1] == f"question {i}"
        ctl.close_input()
        assert ctl.wait() == 0


def test_which_lines_are_messages(daemon, server):
    """Empty ones are, and the last one without its end; a zero byte is text."""
    path = new_path()
    connect(daemon, server.url(path), stdin=b"\n\none\r\n\0\nlast", check=0)
    connection = server.connection(path)
    assert [event["text"] for event in connection.messages(5)] == ["", "", "one\r", "\0", "last"]
    path = new_path()
    connect(daemon, server.url(path), stdin=b"", check=0)
    assert server.connection(path).closed()[0] == 1000


@pytest.mark.parametrize("length", [125, 65535, 65536, MIB, 16 * MIB])
def test_long_lines(daemon, one_server, length):
    line = b"x" * (length - 3) + "€".encode() + b"\n"
    done = connect(daemon, one_server.url(new_path("echo")), stdin=line, check=0)
    assert done.stdout == line


def test_a_line_that_is_too_long(daemon, one_server):
    path = new_path()
    done = connect(daemon, one_server.url(path), stdin=b"fine\n" + b"x" * (16 * MIB + 1) + b"\nnever\n")
    assert done.returncode == 1
    assert b"line 2" in done.stderr and b"16777216" in done.stderr
    connection = one_server.connection(path)
    assert connection.event("message")["text"] == "fine"
    connection.closed()
    assert len(connection.all_messages()) == 1


def test_a_line_that_is_no_text(daemon, one_server):
    path = new_path()
    done = connect(daemon, one_server.url(path), stdin=b"fine\nca\xe9\nnever\n")
    assert done.returncode == 1
    assert b"line 2" in done.stderr and b"UTF-8" in done.stderr
    connection = one_server.connection(path)
    assert connection.event("message")["text"] == "fine"


def test_binary_both_ways(daemon, server, tmp_path):
    """Any bytes, unchanged, however they are cut."""
    data = random.Random(5).randbytes(3 * MIB + 7)
    path, file = new_path(), tmp_path / "data"
    file.write_bytes(data)
    with open(tmp_path / "out", "wb") as out, started(daemon, "--binary", server.url(path), stdout=out) as ctl:
        connection = server.connection(path)
        connection.order("file", path=str(file), binary=True)
        connection.order("text", text="and text\n")
        connection.order("file", path=str(file), binary=True)
        expected = data + b"and text\n" + data
        wait_until(lambda: os.path.getsize(out.name) == len(expected), "all of it")
        ctl.close_input()
        assert ctl.wait() == 0
    assert (tmp_path / "out").read_bytes() == expected


def test_binary_comes_back(daemon, one_server):
    data = random.Random(6).randbytes(3 * MIB + 7)
    done = connect(daemon, "--binary", one_server.url(new_path("echo")), stdin=data, check=0)
    assert done.stdout == data


@pytest.mark.parametrize("shell,words", [("<&-", b"stdin: "), (">&-", b"stdout: ")], ids=["stdin", "stdout"])
def test_closed_by_the_caller(daemon, shell, words):
    """The daemon's socket is not taken for what has been closed."""

    def script(peer):
        peer.upgrade()
        peer.raw(frame(TEXT, b"a"))
        peer.read_close()
        peer.raw(frame(CLOSE))

    with RawServer(script) as raw:
        call = [built("wsplexctl"), "--socket", daemon.socket, "connect", raw.url]
        done = subprocess.run(["sh", "-c", f'"$@" {shell}', "sh", *call],
                              input=b"", capture_output=True, timeout=DEADLINE)  # fmt: skip
    assert done.returncode == 1
    assert words in done.stderr


def test_no_input(daemon, server):
    """It receives until the server ends it, and does not touch stdin."""
    path = new_path()
    with started(daemon, "--no-input", server.url(path)) as ctl:
        connection = server.connection(path)
        connection.order("burst", count=1000, fill="x")
        connection.order("close", code=1000, reason="")
        assert ctl.wait() == 0
        assert ctl.out.all() == [f"{i} x" for i in range(1000)]


def test_two_share(daemon, server):
    path = new_path()
    with (
        started(daemon, "--shared", "-o", "linger=0", server.url(path)) as one,
        started(daemon, "-s", "-o", "linger=0", server.url(path)) as two,
    ):
        wait_until(lambda: [c["state"] for c in daemon.channels()] == ["open"] * 2, "both are open")
        server.connection(path).order("text", text="to all")
        for ctl in (one, two):
            assert ctl.out.wait(lambda line: line, "it")[1] == "to all"
            ctl.close_input()
            assert ctl.wait() == 0
    server.expect_connections(path, 1)


def test_what_it_asks_for(daemon, server):
    path = new_path()
    connect(daemon, "-p", "chat.v1", "--protocol", "chat.v2", "-H", "X-One: a: b", "--header", "X-Two:c",
            server.url(path), check=0)  # fmt: skip
    connection = server.connection(path)
    assert connection.header("sec-websocket-protocol") == ["chat.v1, chat.v2"]
    assert (connection.header("x-one"), connection.header("x-two")) == (["a: b"], ["c"])


def test_endpoint(make_daemon, one_server):
    path = new_path()
    daemon = make_daemon(f'endpoint "feed" {{ url = "{one_server.url(path)}" linger = 0 }}')
    connect(daemon, "wsplex-endpoint:feed", stdin=b"x\n", check=0)
    assert one_server.connection(path).event("message")["text"] == "x"
    done = connect(daemon, "--private", "wsplex-endpoint:feed")
    assert done.returncode == 1 and b"share: " in done.stderr


# --- how it fails ---


@pytest.mark.parametrize(
    "code, reason, status, words",
    [
        (1000, "", 0, None),
        (1000, "over", 0, None),
        (4000, "go away", 0, b"closed with 4000: go away"),
        (1011, "", 0, b"closed with 1011"),
    ],
)
def test_the_server_closes(daemon, server, code, reason, status, words):
    path = new_path()
    with started(daemon, server.url(path)) as ctl:
        server.connection(path).order("close", code=code, reason=reason)
        assert ctl.wait() == status
        said = "\n".join(ctl.err.all()).encode()
        assert (words in said) if words else said == b""


def test_the_server_dies(daemon, own_server):
    path = new_path()
    with started(daemon, own_server.url(path)) as ctl:
        own_server.connection(path).order("text", text="last")
        ctl.out.wait(lambda line: line == "last", "last")
        own_server.kill()
        assert ctl.wait() == 1
        assert any("without a Close" in line for line in ctl.err.all())
    daemon.expect("upstream-failed", "lost")


def test_what_cannot_be_reached(daemon):
    done = connect(daemon, "ws://127.0.0.1:1/")
    assert done.returncode == 1 and b"Connection refused" in done.stderr
    assert done.stdout == b""
    done = connect(daemon, "ws://127.0.0.1/#part")
    assert done.returncode == 1 and b"fragment" in done.stderr
    done = connect(daemon, "wsplex-endpoint:nobody")
    assert done.returncode == 1 and b"endpoint" in done.stderr
    daemon.expect("upstream-failed")


@pytest.mark.parametrize("words", [["status"], ["connect", "ws://127.0.0.1/"], ["--json", "channels"]])
def test_no_daemon(folder, words):
    path = f"{folder}/nobody.sock"
    done = subprocess.run([built("wsplexctl"), "--socket", path, *words], input=b"", capture_output=True,
                          timeout=DEADLINE, check=False)  # fmt: skip
    assert done.returncode == 1
    assert path.encode() in done.stderr and b"No such file" in done.stderr
    assert done.stdout == b""


def test_daemon_dies(make_daemon, one_server):
    daemon = make_daemon()
    with started(daemon, one_server.url(new_path())) as ctl:
        wait_until(lambda: [c["state"] for c in daemon.channels()] == ["open"], "it is open")
        daemon.process.kill()
        daemon.process.wait()
        assert ctl.wait() == 1
        assert ctl.err.all()


def test_reader_goes_away(daemon, one_server):
    """As in `wsplexctl connect URL | head -n 1`."""
    path = new_path()
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out, started(daemon, one_server.url(path), stdout=out) as ctl:
        connection = one_server.connection(path)
        os.close(reader)
        connection.order("burst", count=100, fill="x" * 1000)
        assert ctl.wait() != 0
        connection.closed()


def test_a_full_disk(daemon, one_server):
    """What cannot be written down is not taken from the server: it is told once, and ends."""
    path = new_path()
    with open("/dev/full", "wb") as out, started(daemon, "--no-input", one_server.url(path), stdout=out) as ctl:
        connection = one_server.connection(path)
        connection.order("burst", count=100, fill="x" * 1000)
        assert ctl.wait() == 1
        assert connection.closed() == (1000, "")
        assert ctl.err.all() == ["wsplexctl: stdout: No space left on device"]


WRONG_WORDS = [
    [], ["stauts"], ["--nonsense", "status"], ["status", "more"], ["show"], ["show", "1", "2"], ["connect"],
    ["connect", "ws://x/", "ws://y/"], ["connect", "--nonsense", "ws://x/"], ["connect", "-H", "no colon", "ws://x/"],
    ["connect", "-H", "Host: x", "ws://x/"], ["connect", "-o", "linger", "ws://x/"], ["connect", "-p"], ["--socket"],
    ["connect", "--shared", "--private", "ws://x/"],
]  # fmt: skip


@pytest.mark.parametrize("words", WRONG_WORDS, ids=" ".join)
def test_wrong_words(daemon, words):
    done = daemon.ctl(*words)
    assert done.returncode == 2, done
    assert b"usage: wsplexctl" in done.stderr and done.stdout == b""


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["status", "--help"], ["connect", "--help"]])
def test_help_needs_no_daemon(words):
    done = subprocess.run([built("wsplexctl"), *words], capture_output=True, timeout=DEADLINE, check=True)
    assert b"wsplexctl" in done.stdout and done.stderr == b""


# --- lists ---

LISTS = ["upstreams", "clients", "channels", "endpoints", "history"]


def table(text):
    """Rows of an aligned table: every column begins, or ends, at the same place in all lines."""
    lines = text.decode().splitlines()
    assert lines
    header = lines[0]
    # A title of two words has one space in it; columns are two apart.
    spans = [match.span() for match in re.finditer(r"\S+(?: \S+)*", header)]
    for line in lines[1:]:
        cells = [match.span() for match in re.finditer(r"\S+(?: \S+)*", line)]
        assert len(cells) == len(spans), (header, line)
        for (begin, end), (title_begin, title_end) in zip(cells, spans):
            assert begin == title_begin or end == title_end, (header, line)
    return [re.split(r"  +", line.strip()) for line in lines]


def test_lists_of_an_empty_daemon(daemon):
    for name in LISTS:
        rows = json.loads(daemon.ctl("--json", name, check=0).stdout)
        assert len(rows) == (name == "clients")  # wsplexctl itself
        assert len(table(daemon.ctl(name, check=0).stdout)) == 1 + len(rows)
        assert len(json.loads(daemon.ctl(name, "--json", check=0).stdout)) == len(rows)
    status = json.loads(daemon.ctl("--json", "status", check=0).stdout)
    assert (status["pid"], status["channels"], status["upstreams"]) == (daemon.pid, 0, 0)
    assert str(daemon.pid).encode() in daemon.ctl("status", check=0).stdout


def test_lists_of_a_busy_daemon(make_daemon, one_server):
    path = new_path("echo")
    url = one_server.url(path, "wss")
    daemon = make_daemon('endpoint "one" { url = "ws://127.0.0.1:1/" }\nendpoint "another" { url = "ws://[::1]:1/" }')
    with daemon.client() as client, daemon.client() as other:
        private = client.open(url)
        shared = [c.open(url + "?token=hidden", sharing="shared", options={"linger": "0"}) for c in (client, other, other)]
        for channel in (private, *shared):
            channel.wait(Opened)
        shared[0].send("x" * 100)
        for channel in shared:
            channel.messages(1)
        lists = {name: json.loads(daemon.ctl("--json", name, check=0).stdout) for name in LISTS}
        assert [len(lists[name]) for name in LISTS] == [2, 3, 4, 2, 0]
        texts = {name: daemon.ctl(name, check=0).stdout for name in LISTS}
        for name in LISTS:
            assert len(table(texts[name])) == 1 + len(lists[name])
            assert b"hidden" not in texts[name]
        by_kind = {upstream["shared"]: upstream for upstream in lists["upstreams"]}
        assert by_kind[True]["channels"] == 3 and by_kind[False]["channels"] == 1
        assert by_kind[True]["bytes_out"] == by_kind[True]["bytes_in"] == 100
        assert by_kind[True]["tls"].startswith("TLS")
        # Every id of a list can be shown, both ways, and shows at least what the list does.
        for name in ("upstreams", "clients", "channels"):
            for row in lists[name]:
                if row.get("pid") not in (None, os.getpid()):
                    continue  # the wsplexctl that asked has gone
                shown = json.loads(daemon.ctl("--json", "show", str(row["id"]), check=0).stdout)
                assert set(row) <= set(shown), (row, shown)
                assert shown["id"] == row["id"]
                text = daemon.ctl("show", str(row["id"]), check=0).stdout.decode()
                assert re.search(rf"^id: +{row['id']}$", text, re.MULTILINE), text
                assert "hidden" not in text
                labels = re.findall(r"^[^:]+:", text, re.MULTILINE)
                assert len(set(labels)) == len(labels), text


@pytest.mark.parametrize("word", ["0", "999999", "-1", "x", "", "1x", "18446744073709551616"])
def test_show_nothing(daemon, word):
    done = daemon.ctl("show", word)
    assert done.returncode == 1
    assert done.stderr and done.stdout == b""


def test_five_thousand_rows(make_daemon):
    """A reply of many frames."""
    daemon = make_daemon("max-channels = 5000")
    with RawServer(lambda peer: raw.over.wait()) as raw:
        clients = [daemon.client() for _ in range(5)]
        for client in clients:
            client.wait_hello()
            for _ in range(1000):
                client.open(raw.url, sharing="shared")
        wait_until(lambda: daemon.request("status")["channels"] == 5000, "all are there")
        rows = json.loads(daemon.ctl("--json", "channels", check=0).stdout)
        assert len(rows) == len({row["id"] for row in rows}) == 5000
        for client in clients:
            client.disconnect()
        wait_until(lambda: daemon.upstreams() == [], "it is given up")


# --- terminals ---

# What would change a terminal: CSI, OSC, a single C1 character, BEL, DEL and backspaces.
HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\x08\x7f"


def on_terminal(daemon, *arguments):
    """What wsplexctl writes to a terminal, stdout and stderr together, and its exit status."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [built("wsplexctl"), "--socket", daemon.socket, *arguments],
        stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    written = b""
    try:
        while True:
            try:
                written += os.read(master, 65536)
            except OSError:  # EIO: nobody has the other end open any more
                break
        return written, process.wait(DEADLINE)
    finally:
        os.close(master)
        process.kill()
        process.wait()


def is_harmless(written):
    own = re.sub(rb"\x1b\[[01]m", b"", written)  # wsplexctl's bold titles
    return not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", own)


def test_hostile_message_on_a_terminal(daemon):
    def script(peer):
        peer.upgrade()
        peer.raw(frame(TEXT, HOSTILE.encode()))
        peer.raw(frame(CLOSE, struct.pack(">H", 4000) + HOSTILE.encode()))
        assert peer.read_close() == 4000

    with RawServer(script) as raw:
        written, status = on_terminal(daemon, "connect", "--no-input", raw.url)
    assert status == 0
    assert is_harmless(written), written
    assert rb"\x1b[31mred" in written and b"closed with 4000: " in written


def test_bytes_on_a_terminal(daemon):
    """A terminal that is not set to UTF-8 obeys single bytes; what is whole stays as it is."""
    whole = "\u00e9\u20ac\U0001f61b".encode()

    def script(peer):
        peer.upgrade()
        peer.raw(frame(BINARY, b"\x9b2J " + whole + b" \xe2\x9b \xf0\x9f\x9b"))
        peer.raw(frame(CLOSE, struct.pack(">H", 1000)))
        assert peer.read_close() == 1000

    with RawServer(script) as raw:
        written, _ = on_terminal(daemon, "connect", "--no-input", raw.url)
    assert rb"\x9b2J " + whole + b" \xe2" + rb"\x9b" + b" \xf0" + rb"\x9f\x9b" in written


def lie(verb, text, status=0):
    """What wsplexctl shows of a daemon that answers a verb so."""

    def script(peer):
        peer.greet()
        request = peer.expect(Type.REQUEST)
        assert request.verb == verb
        peer.send(Type.REPLY, id=request.id, status=status, json=text.encode())
        peer.read()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        with FakeDaemon(path, script, timeout=DEADLINE):
            return on_terminal(types.SimpleNamespace(socket=path), verb)[0]


@pytest.mark.parametrize("verb", ["status", "metrics", "channels"])
def test_a_daemon_that_lies_to_a_terminal(verb):
    hostile = json.dumps(HOSTILE)
    row = "{%s: %s, \"url\": %s, \"openmetrics\": %s}" % ((hostile,) * 4)
    written = lie(verb, f"[{row}]" if verb == "channels" else row)
    assert b"31mred" in written and is_harmless(written), written
    written = lie(verb, f'{{"error": {hostile}}}', status=3)
    assert b"31mred" in written and is_harmless(written), written
    written = lie(verb, HOSTILE)
    assert b"not JSON" in written and is_harmless(written), written


def test_the_last_word_of_a_daemon_on_a_terminal(tmp_path):
    def script(peer):
        peer.greet()
        peer.expect(Type.REQUEST)
        peer.send(Type.ERROR, code=9, text=HOSTILE)

    path = os.path.join(tmp_path, "socket")
    with FakeDaemon(path, script, timeout=DEADLINE):
        written, status = on_terminal(types.SimpleNamespace(socket=path), "status")
    assert status == 1 and b"31mred" in written and is_harmless(written), written


def test_hostile_answer_on_a_terminal(daemon):
    """In the words of a refusal, in a subprotocol and in what is logged."""

    def script(peer):
        peer.read_request()
        peer.raw(f"HTTP/1.1 404 {HOSTILE}\r\nContent-Length: 30\r\n\r\n".encode() + HOSTILE.encode()[:30])

    with RawServer(script) as raw:
        written, status = on_terminal(daemon, "connect", raw.url)
    assert status == 1
    assert is_harmless(written), written
    assert is_harmless(daemon.expect("upstream-failed", "404|handshake").encode())


def test_hostile_words_in_a_list(daemon):
    """A URL's path may hold anything, percent-encoded; a pipe gets the same text as a terminal."""
    with RawServer(lambda peer: raw.over.wait()) as raw:
        client = daemon.client()
        client.open(raw.url + "/\x1b[31m\x9b")
        wait_until(daemon.upstreams, "it is there")
        written, status = on_terminal(daemon, "upstreams")
        assert status == 0 and is_harmless(written), written
        assert b"%1B[31m" in written
        (row,) = daemon.upstreams()
        written, status = on_terminal(daemon, "show", str(row["id"]))
        assert status == 0 and is_harmless(written), written
        client.disconnect()
        wait_until(lambda: daemon.upstreams() == [], "it is given up")


def test_binary_to_a_terminal(daemon):
    """Not even --binary writes raw bytes to a terminal."""

    def script(peer):
        peer.upgrade()
        peer.raw(frame(BINARY, bytes(range(256))) + frame(CLOSE, struct.pack(">H", 1000)))
        assert peer.read_close() == 1000

    with RawServer(script) as raw:
        written, status = on_terminal(daemon, "connect", "--binary", "--no-input", raw.url)
    assert status == 0 and is_harmless(written), written
