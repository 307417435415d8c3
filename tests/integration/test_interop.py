# SPDX-License-Identifier: MIT
"""The same conversations with every server and reverse proxy of foreign.py that wsplex did not write.

A server that is not installed is a skip that names the package. The heavy ones, and what takes minutes, run with
$WSPLEX_LONG set: scripts/verify interop.
"""

import contextlib
import os
import time

import pytest
from daemon import Daemon
from foreign import MIB, TABLE, Foreign, lacks, missing
from process import wait_until
from servers import new_path
from test_messages import binary_of, text_of
from wsplex_client import Closed, Message, Opened

IS_LONG = bool(os.environ.get("WSPLEX_LONG"))
# In the order of the table.
ROWS = [name for name, row in TABLE.items() if IS_LONG or not row.is_heavy]
PROXIES = [name for name in ROWS if TABLE[name].behind]
# Where the length takes another form in RFC 6455, and what is large.
LENGTHS = [0, 125, 126, 65535, 65536, MIB]
LARGE = 16 * MIB
# Longer than a server waits for its pong.
HELD_SECONDS = 150 if IS_LONG else 7


class Running:
    """Each server is started when a test first asks for it, and serves all that do it no harm."""

    def __init__(self, certificate):
        self._certificate = certificate
        self._stack = contextlib.ExitStack()
        self._servers = {}

    def get(self, name):
        if name not in self._servers:
            self._servers[name] = self._stack.enter_context(Foreign(name, self._certificate))
        elif self._servers[name].has_ended():  # told by the test that it failed, and by no other
            self._servers[name].start()
        return self._servers[name]

    def end(self):
        self._stack.close()


@pytest.fixture(scope="module")
def running(certificate):
    servers = Running(certificate)
    yield servers
    servers.end()


def each(*features):
    """The servers that can do all of this, in turn."""
    able = [name for name in ROWS if not any(lacks(name, feature) for feature in features)]
    return pytest.mark.parametrize("foreign", able, indirect=True)


def installed(name):
    if absent := missing(name):
        pytest.skip(absent)
    return name


@pytest.fixture
def foreign(running, request):
    return running.get(installed(request.param))


@pytest.fixture(params=["ws", "wss"])
def scheme(request):
    return request.param


# --- messages ---


@each()
@pytest.mark.parametrize("scheme, deflate", [("ws", "no"), ("wss", "yes")])
def test_echo(daemon, foreign, scheme, deflate):
    """Text and binary of every length come back, and the connection closes in order."""
    lengths = [length for length in LENGTHS if foreign.takes(length, deflate == "yes")]
    with daemon.client() as client:
        options = {"deflate": deflate}
        channel = client.open(foreign.url(new_path("echo"), scheme), options=options)
        for length in lengths:
            kinds = (text_of,) if foreign.lacks("binary") else (text_of, binary_of)
            for data in [make(length) for make in kinds]:
                channel.send(data)
                assert channel.wait(Message).data == data, (length, type(data))
        channel.close(1000, "done")
        assert channel.wait(Closed).was_clean


@each()
def test_echo_of_the_largest(daemon, foreign):
    """What wsplex takes by default goes there and back through TLS."""
    assert foreign.takes(LARGE, deflate=False)
    data = text_of(LARGE) if foreign.lacks("binary") else binary_of(LARGE)
    with daemon.client() as client:
        channel = client.open(foreign.url(new_path("echo"), "wss"), options={"deflate": "no"})
        channel.send(data)
        assert channel.wait(Message).data == data
        channel.close()
        assert channel.wait(Closed).was_clean


@each("flood")
def test_echo_of_many(daemon, foreign, scheme):
    """Sent without waiting for any; all come back in order."""
    texts = [f"{i} {'x' * (i * 37 % 3000)}" for i in range(500)]
    with daemon.client() as client:
        channel = client.open(foreign.url(new_path("echo"), scheme))
        for text in texts:
            channel.send(text)
        assert channel.messages(len(texts)) == texts
        channel.close()
        assert channel.wait(Closed).was_clean


@each()
def test_shared_by_two_programs(daemon, make_program, foreign):
    """One upstream: what one sends comes back to both; one goes, the other stays."""
    url = foreign.url(new_path("echo"), "wss")
    programs = [make_program(daemon) for _ in range(2)]
    for program in programs:
        program.open("a", url, "shared", "option=linger=0s")
        program.event("open")
    assert len(daemon.upstreams()) == 1
    for sender, text in zip(programs, ("of one", "of two")):
        sender.text("a", text)
        for program in programs:
            assert program.event("message")["data"] == text
    programs[0].close("a", 1000)
    assert programs[0].event("close")["clean"]
    programs[1].text("a", "still there")
    assert programs[1].event("message")["data"] == "still there"
    programs[1].close("a", 1000)
    assert programs[1].event("close")["clean"]
    wait_until(lambda: daemon.upstreams() == [], "the upstream closes")


@each("subprotocol")
def test_subprotocol(daemon, foreign, scheme):
    with daemon.client() as client:
        url = foreign.url(new_path("echo"), scheme)
        for asked, given in (((), ""), (("echo.v1",), "echo.v1"), (("other", "echo.v2"), "echo.v2")):
            channel = client.open(url, protocols=asked)
            assert channel.wait(Opened).protocol == given
            channel.close()
            assert channel.wait(Closed).was_clean


# --- pings ---


@each("orders")
def test_ping_is_answered(daemon, foreign, scheme):
    with daemon.client() as client:
        channel = client.open(foreign.url(new_path("obey"), scheme))
        for data in ("ping", "x" * 125):
            channel.send(f"ping {data}")
            assert channel.wait(Message).data == f"pong {data}"
        channel.close()
        assert channel.wait(Closed).was_clean


# --- ends ---

ENDS = [(1000, ""), (1001, "going"), (1011, "oh"), (3000, "x" * 123), (4000, "grüße €")]


@each("orders")
def test_it_closes(daemon, foreign, scheme):
    for code, reason in ENDS:
        with daemon.client() as client:
            channel = client.open(foreign.url(new_path("obey"), scheme))
            channel.send(f"close {code} {reason}".rstrip())
            assert channel.wait(Closed) == Closed(True, code, reason)


@each("orders")
def test_we_close(daemon, foreign, scheme):
    """It sees the code and the reason, and the handshake is whole."""
    for code, reason in ((1000, ""), (1000, "done"), (4999, "grüße €"), (3000, "x" * 123)):
        with daemon.client() as client:
            channel = client.open(foreign.url(new_path("obey"), scheme))
            channel.wait(Opened)
            channel.close(code, reason)
            closed = channel.wait(Closed)
            # Most answer with the code that they got; aiohttp 3.8 and others with 1000.
            assert closed.was_clean and closed.code in (code, 1000)
            asker = client.open(foreign.url(new_path("obey"), scheme))

            def seen(asker=asker):
                asker.send("last")
                return asker.wait(Message).data

            expected = f"{code} {reason}".strip()
            wait_until(lambda: seen() == expected, lambda: f"{expected}, not {seen()}")
            asker.close()
            asker.wait(Closed)


@each("orders", "drop")
def test_it_drops_the_connection(daemon, program, foreign, scheme):
    """error and close, with a cause, and a line in the log."""
    program.open("a", foreign.url(new_path("obey"), scheme))
    program.event("open")
    program.text("a", "drop")
    cause, text = program.failure("a")
    assert cause == "lost" and text
    daemon.expect("upstream-failed", "lost: ")


# --- restarts ---


@pytest.fixture(params=ROWS)
def own(request, certificate):
    """One that the test may stop and kill."""
    with Foreign(installed(request.param), certificate) as server:
        yield server


def is_clean(program, name):
    """How a WebSocket has ended whose server has gone: in order, or with error and close."""
    close = program.event("close", name=name)
    kinds = [event["event"] for event in program.events(name)]
    assert kinds == (["open", "close"] if close["clean"] else ["open", "error", "close"])
    return close["clean"]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restart(daemon, program, own, how):
    """All WebSockets hear of the end at once, and a new one works when the server is there again."""
    urls = [own.url(new_path("echo"), scheme) for scheme in ("ws", "wss")]
    for i, url in enumerate(urls):
        program.open(f"own{i}", url)
        program.open(f"one{i}", url, "shared", "option=linger=0s")
        program.open(f"two{i}", url, "shared", "option=linger=0s")
    for _ in range(3 * len(urls)):
        program.event("open")
    getattr(own, how)()
    n_failed = 0
    for i in range(len(urls)):
        of_own, of_one, of_two = [is_clean(program, f"{channel}{i}") for channel in ("own", "one", "two")]
        assert of_one == of_two
        n_failed += (not of_own) + (not of_one)
    if n_failed > 0:
        daemon.expect("upstream-failed", "lost: ", n_lines=n_failed)
    own.start()
    for i, url in enumerate(urls):
        program.open(f"new{i}", url, "shared", "option=linger=0s")
        program.event("open", name=f"new{i}")
        program.text(f"new{i}", "again")
        assert program.event("message", name=f"new{i}")["data"] == "again"
        program.close(f"new{i}")
        assert program.event("close", name=f"new{i}")["clean"]
    wait_until(lambda: daemon.upstreams() == [], "the upstreams close before the server ends")


# --- idle ---


@pytest.mark.parametrize(
    "foreign", [name for name in PROXIES if not lacks(name, "silence")], indirect=True
)
def test_proxy_that_ends_what_is_silent(make_daemon, make_program, foreign):
    """It ends a connection without a byte; a ping of ours in time keeps one that is older."""
    url = foreign.url(new_path("quiet"), "wss")
    daemon = make_daemon(
        f'endpoint "silent" {{ url = "{url}" ping = 0 }}\n'
        f'endpoint "pinged" {{ url = "{url}" ping = 300ms pong-timeout = 10s }}\n'
    )
    program = make_program(daemon)
    for name in ("pinged", "silent"):
        program.open(name, f"wsplex-endpoint:{name}")
        program.event("open", name=name)
    cause, text = program.failure("silent")
    assert cause == "lost" and text
    daemon.expect("upstream-failed", "wsplex-endpoint:silent: lost: ")
    program.text("pinged", "still there")
    assert program.event("message", name="pinged")["data"] == "still there"
    program.close("pinged")
    assert program.event("close", name="pinged")["clean"]


@pytest.fixture(scope="module")
def held(running, authority, tmp_path_factory):
    """Connections since the first test that asks for them, and how many seconds they are still to be held."""
    folder = tmp_path_factory.mktemp("held")
    with Daemon(folder, options=["--ca-file", authority.file]) as daemon, daemon.client() as client:
        channels = {}
        for name in ROWS:
            paths = ["echo", "silent"] if name in PROXIES else ["echo"]
            if not missing(name):
                channels[name] = [client.open(running.get(name).url(new_path(path), "wss")) for path in paths]
                for channel in channels[name]:
                    channel.wait(Opened)
        start = time.monotonic()
        yield lambda: start + HELD_SECONDS - time.monotonic(), channels
        for channel in sum(channels.values(), []):
            channel.close()
            channel.wait(Closed)


@pytest.mark.parametrize("name", ROWS)
def test_idle(held, name):
    """The server pings, and would have ended the connection without our pongs. With scripts/verify for minutes:
    a proxy would have ended what its server leaves silent without our pings."""
    left, channels = held
    installed(name)
    time.sleep(max(0, left()))
    for channel in channels[name]:
        channel.send("still there")
        assert channel.wait(Message).data == "still there"


# --- what they are known for ---


def test_websocketd_makes_lines(daemon, running):
    """A message is lines to its program, and each line that the program writes is a message."""
    foreign = running.get(installed("websocketd"))
    with daemon.client() as client:
        channel = client.open(foreign.url(new_path("echo")))
        channel.send("one\ntwo")
        assert channel.messages(2) == ["one", "two"]
        channel.close()
        assert channel.wait(Closed).was_clean


if "tomcat" in ROWS:

    def test_tomcat_takes_8_kib(daemon, program, running, tmp_path):
        """Unless its application asks for more. The program and the log hear why, also amid a long message."""
        foreign = running.get(installed("tomcat"))
        for i, length in enumerate((8192, 8193, 16 * MIB)):
            file = tmp_path / f"data{i}"
            file.write_bytes(binary_of(length))
            program.open(f"a{i}", foreign.url(new_path("default"), "wss"))
            program.event("open", name=f"a{i}")
            program.write(f"file a{i} binary {file}")
        assert program.event("message", name="a0")["length"] == 8192
        for name in ("a1", "a2"):
            close = program.event("close", name=name)
            assert close["code"] == 1009 and "too small" in close["reason"]
        program.close("a0")
        assert program.event("close", name="a0")["clean"]
        daemon.expect("upstream-blamed", "1009: a message that it was sent is too big", n_lines=2)
