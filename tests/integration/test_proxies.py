# SPDX-License-Identifier: MIT
"""Through proxies: tinyproxy and microsocks, and proxies by script for what those do not do; which proxy is taken."""

import os
import re
import threading

import network
import pytest
import users
from network import why_no_ipv6
from process import DEADLINE, free_port, wait_until
from program import Program
from proxies import Microsocks, Tinyproxy, leads, read_connect, read_exactly, read_socks
from servers import RawServer, new_path
from wsplex_client import Closed, Failed, Opened

# The first will do on most machines for a script that has to answer before it falls silent.
PATIENCE_MS = (300, 3000, 20000)
USER = "aladdin:open%20sesame"


@pytest.fixture(scope="module")
def proxies(tmp_path_factory):
    """One of each kind, with and without credentials, for tests that do them no harm."""
    folder = tmp_path_factory.mktemp("proxies")
    password = "aladdin:opensesame"
    running = {
        "http": Tinyproxy(folder),
        "http-auth": Tinyproxy(folder, password),
        "socks5": Microsocks(),
        "socks5-auth": Microsocks(password),
    }
    yield running
    for proxy in running.values():
        proxy.end()


def proxied(proxies, kind):
    """(proxy, the URL to give for it); socks5h is microsocks as well."""
    proxy = proxies[kind.replace("5h", "5")]
    return proxy, proxy.url.replace("socks5:", kind.split("-")[0] + ":")


def option(proxy):
    return f"option=proxy={proxy}"


# --- real ones ---


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("kind", ["http", "http-auth", "socks5", "socks5-auth", "socks5h", "socks5h-auth"])
def test_a_proxy_leads_to_the_server(daemon, program, server, proxies, kind, scheme, tmp_path):
    """What the daemon resolves reaches the proxy as an address, what it does not as a name."""
    proxy, url = proxied(proxies, kind)
    target = server.url(new_path("echo"), scheme).replace("127.0.0.1", "localhost")
    port = re.search(r":(\d+)/", target)[1]
    (tmp_path / "long").write_bytes(os.urandom(200000))
    program.open("a", target, option(url))
    assert program.event()["event"] == "open"
    program.text("a", "hello")
    assert program.event("message")["data"] == "hello"
    program.write(f"file a binary {tmp_path / 'long'}")
    with open(program.event("message")["file"], "rb") as file:
        assert file.read() == (tmp_path / "long").read_bytes()
    (row,) = daemon.upstreams()
    assert row["address"] == proxy.name
    assert daemon.request("show", str(row["id"]))["proxy"] == f"{kind.split('-')[0]}://{proxy.name}"
    assert bool(row["tls"]) == (scheme == "wss")
    daemon.expect("upstream-open", f"{target} through the proxy {proxy.name}")
    name = "localhost" if kind.startswith(("http", "socks5h")) else "127.0.0.1"
    proxy.expect(f"{name}:{port}")
    program.close("a", 1000)
    assert program.event("close")["clean"]


@pytest.mark.parametrize("kind, address", [("http", "::1"), ("socks5", "::1"), ("socks5h", "::1"), ("socks5h", "127.0.0.1")])
def test_a_proxy_leads_to_an_address(daemon, program, one_server, proxies, kind, address):
    if address == "::1" and why_no_ipv6():
        pytest.skip(why_no_ipv6())
    _, url = proxied(proxies, kind)
    program.open("a", one_server.url(new_path("echo"), "wss", address), option(url))
    program.event("open")
    program.text("a", "hello")
    assert program.event("message")["data"] == "hello"
    assert len(daemon.upstreams()) == 1


@pytest.mark.parametrize(
    "kind, user, words",
    [
        ("http-auth", "", "answered 407: it wants credentials"),
        ("http-auth", "aladdin:wrong@", "answered 401: it does not take the credentials"),
        ("socks5-auth", "", "cannot be used: it wants credentials"),
        ("socks5-auth", "aladdin:wrong@", "cannot be used: it does not take the credentials"),
        ("socks5h-auth", "aladdin:wrong@", "cannot be used: it does not take the credentials"),
    ],
)
def test_a_proxy_refuses_the_credentials(daemon, program, one_server, proxies, kind, user, words):
    proxy, _ = proxied(proxies, kind)
    path = new_path()
    cause, text = program.fails(one_server.url(path), option(f"{kind.split('-')[0]}://{user}{proxy.name}"))
    assert (cause, text) == ("proxy", f"the proxy {proxy.name} {words}")
    one_server.expect_connections(path, 0)
    line = daemon.expect("upstream-failed", "proxy: ")
    assert text in line and "wrong" not in line


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
def test_the_server_is_down(daemon, program, proxies, kind):
    """What cannot be reached from the proxy is told as the proxy tells it."""
    _, url = proxied(proxies, kind)
    cause, text = program.fails(f"ws://127.0.0.1:{free_port()}/", option(url))
    assert cause == "proxy"
    assert re.search(r"the proxy 127\.0\.0\.1:\d+ answered \d+", text), text
    daemon.expect("upstream-failed", "proxy: ")


def test_the_proxy_is_down(daemon, program, one_server):
    port = free_port()
    cause, text = program.fails(one_server.url(new_path()), option(f"http://127.0.0.1:{port}"))
    assert cause == "connect"
    assert text.startswith(f"the proxy 127.0.0.1:{port} cannot be reached: "), text
    assert text.endswith("Connection refused"), text
    daemon.expect("upstream-failed", "connect: ")


def test_the_certificate_is_the_servers(daemon, program, authority, proxies):
    """TLS is with the server, whatever the proxy says: a wrong name is found through the tunnel too."""
    certificate = authority.issue("far", names="DNS:far.example")
    with RawServer(lambda peer: None, certificate=certificate) as raw:
        cause, text = program.fails(raw.url, option(proxies["http"].url))
    assert cause == "tls" and "127.0.0.1" in text
    daemon.expect("upstream-failed", "tls: ")


# --- by script: HTTP ---


@pytest.mark.parametrize(
    "answer, words",
    [
        (b"HTTP/1.1 403 Filtered\r\nContent-Length: 9\r\n\r\nforbidden", "answered 403: it does not allow a tunnel there"),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", "answered 502: it could not reach the server"),
        (b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n", "answered 407: it wants credentials in another way than Basic"),
        (b"HTTP/1.1 301 x\r\nLocation: /\r\n\r\n", "answered 301: that is no answer to CONNECT"),
        (b"SSH-2.0-OpenSSH\r\n", "cannot be used: the first line is not an HTTP status line"),
        (b"\x15\x03\x01\x00\x02\x02\x16\n", "cannot be used: the HTTP head has a NUL or a CR that ends no line"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000, "cannot be used: the HTTP head is larger than the limit"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", "hung up before it had answered"),
        (b"", "hung up before it had answered"),
    ],
)
def test_http_proxy_misbehaves(daemon, program, answer, words):
    def script(peer):
        read_connect(peer)
        peer.raw(answer)

    with RawServer(script) as proxy:
        cause, text = program.fails("wss://far.example/", option(f"127.0.0.1:{proxy.port}"))
    assert (cause, text) == ("proxy", f"the proxy 127.0.0.1:{proxy.port} {words}")
    daemon.expect("upstream-failed", "proxy: ")


def test_http_status_of_the_proxy_is_told(daemon):
    def script(peer):
        read_connect(peer)
        peer.raw("HTTP/1.1 403 x\r\n\r\n")

    with RawServer(script) as proxy, daemon.client() as client:
        channel = client.open("ws://far.example/", options={"proxy": f"127.0.0.1:{proxy.port}"})
        failed = channel.wait(Failed)
        assert (failed.cause, failed.http_status) == ("proxy", 403)
        assert channel.wait(Closed) == Closed(False, 1006, "")
    daemon.expect("upstream-failed", "proxy: ")


def test_http_request(daemon, program):
    """Host and port as asked for, credentials decoded, and nothing of the program's own headers."""
    seen = []

    def script(peer):
        seen.append(read_connect(peer))

    with RawServer(script) as proxy:
        program.fails("wss://far.example/secret?q", option(f"http://{USER}@127.0.0.1:{proxy.port}/"), "header=X-Mine:1")
    assert seen[0][:2] == ["CONNECT far.example:443 HTTP/1.1", "Host: far.example:443"]
    assert re.fullmatch(r"User-Agent: wsplex/\S+", seen[0][2])
    assert seen[0][3:] == ["Proxy-Authorization: Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
    daemon.expect("upstream-failed", "proxy: ")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_answer_comes_byte_by_byte(daemon, program, one_server, scheme):
    """Interim answers too; what follows belongs to the tunnel."""
    target = one_server.url(new_path("echo"), scheme)

    def script(peer):
        read_connect(peer)
        for byte in b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Connection established\r\nContent-Length: 5\r\n\r\n":
            peer.raw(bytes([byte]))
        leads(peer, int(re.search(r":(\d+)/", target)[1]))

    with RawServer(script) as proxy:
        program.open("a", target, option(f"127.0.0.1:{proxy.port}"))
        program.event("open")
        program.text("a", "hello")
        assert program.event("message")["data"] == "hello"
        program.close("a")
        program.event("close")
    assert daemon.upstreams() == []


@pytest.mark.parametrize("size", [1, 5000])
def test_bytes_behind_the_answer_are_the_servers(daemon, program, size):
    """In one packet with it: an answer to the upgrade that has not been asked for yet."""
    early = b"HTTP/1.1 404 Not Found\r\nX: " + b"x" * size + b"\r\n\r\n"

    def script(peer):
        read_connect(peer)
        peer.raw(b"HTTP/1.1 200 OK\r\n\r\n" + early)
        raw_end(peer)

    with RawServer(script) as proxy:
        cause, text = program.fails("ws://far.example/", option(f"127.0.0.1:{proxy.port}"))
    assert cause == "handshake"
    assert "404" in text
    daemon.expect("upstream-failed", "handshake: ")


def raw_end(peer):
    while peer.socket.recv(1 << 16):
        pass


@pytest.mark.parametrize("n_bytes", [0, 10])
def test_proxy_hangs(make_daemon, make_program, n_bytes):
    """The deadline says how far it came, and through whom."""

    def script(peer):
        read_connect(peer)
        peer.raw(b"HTTP/1.1 200 OK"[:n_bytes])
        proxy.over.wait()

    with RawServer(script) as proxy:
        daemon = make_daemon(
            f'endpoint "far" {{ url = "ws://far.example" proxy = "127.0.0.1:{proxy.port}" connect-timeout = 300ms }}'
        )
        cause, text = make_program(daemon).fails("wsplex-endpoint:far")
    assert (cause, text) == ("timeout", f"not open after 300 ms: the proxy 127.0.0.1:{proxy.port} has not answered")
    daemon.expect("upstream-failed", "timeout: ")


@pytest.mark.parametrize(
    "scheme, words",
    [
        ("ws", "far.example has not answered the upgrade request through the proxy"),
        ("wss", "in the TLS handshake with far.example through the proxy"),
    ],
)
def test_server_behind_the_proxy_hangs(make_daemon, make_program, scheme, words):
    def script(peer):
        read_connect(peer)
        peer.raw("HTTP/1.1 200 OK\r\n\r\n")
        proxy.over.wait()

    with RawServer(script) as proxy:
        daemon = make_daemon(
            "".join(
                f'endpoint "far{ms}" {{ url = "{scheme}://far.example" proxy = "127.0.0.1:{proxy.port}" '
                f"connect-timeout = {ms}ms }}\n"
                for ms in PATIENCE_MS
            )
        )
        program = make_program(daemon)
        for ms in PATIENCE_MS:
            program.open(f"a{ms}", f"wsplex-endpoint:far{ms}")
            cause, text = program.failure(f"a{ms}")
            if text == f"not open after {ms} ms: {words} 127.0.0.1:{proxy.port}":
                break
    assert cause == "timeout" and words in text
    daemon.forgive("upstream-failed")


def test_given_up_while_the_proxy_thinks(daemon, program):
    reached = threading.Event()

    def script(peer):
        read_connect(peer)
        reached.set()
        raw_end(peer)

    with RawServer(script) as proxy:
        program.open("a", "wss://far.example/", option(f"127.0.0.1:{proxy.port}"))
        assert reached.wait(DEADLINE)
        program.close("a")
        assert not program.event("close")["clean"]
    wait_until(lambda: daemon.upstreams() == [], "the upstream is gone")


def test_one_at_a_time_to_a_name_behind_a_proxy(daemon, program, one_server):
    """RFC 6455, section 4.1: a name that the proxy resolves counts as an address does; others go on."""
    lock = threading.Lock()
    open_now, most = {}, {}
    n_each = 4

    def script(peer):
        host = read_connect(peer)[0].split(" ")[1]
        with lock:
            open_now[host] = open_now.get(host, 0) + 1
            most[host] = max(most.get(host, 0), open_now[host])
        # Time for the others to be wrong in.
        proxy.over.wait(0.05)
        with lock:
            open_now[host] -= 1
        peer.raw("HTTP/1.1 200 OK\r\n\r\n")
        leads(peer, int(re.search(r":(\d+)/", one_server.url("/"))[1]))

    with RawServer(script) as proxy:
        for i in range(n_each):
            for host in ("one.example", "two.example"):
                program.open(f"{host}{i}", f"ws://{host}:81{new_path()}", option(f"127.0.0.1:{proxy.port}"))
        for _ in range(2 * n_each):
            program.event("open")
        assert most == {"one.example:81": 1, "two.example:81": 1}
        for i in range(n_each):
            for host in ("one.example", "two.example"):
                program.close(f"{host}{i}")
                program.event("close", name=f"{host}{i}")
    assert proxy.n_accepted == 2 * n_each
    assert daemon.upstreams() == []


# --- by script: SOCKS5 ---


@pytest.mark.parametrize(
    "reply, words",
    [
        (b"\5\1\0\1" + bytes(6), "answered 1: it failed, and does not say why"),
        (b"\5\2\0\1" + bytes(6), "answered 2: its rules do not allow this connection"),
        (b"\5\3\0\1" + bytes(6), "answered 3: it cannot reach the server's network"),
        (b"\5\4", "answered 4: it cannot reach the server's host"),
        (b"\5\5\0\1" + bytes(6), "answered 5: the server refused its connection"),
        (b"\5\6\0\1" + bytes(6), "answered 6: the way from it to the server is too long or did not answer"),
        (b"\5\7\0\1" + bytes(6), "answered 7: it does not know the command CONNECT"),
        (b"\5\10\0\1" + bytes(6), "answered 8: it does not know this kind of address"),
        (b"\5\xfe\0\1" + bytes(6), "answered 254: that is no reply code of SOCKS5"),
        (b"\5\0\0\7" + bytes(6), "cannot be used: its answer is not SOCKS5"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "cannot be used: its answer is not SOCKS5"),
        (b"\5\0\0\1\0", "hung up before it had answered"),
        (b"", "hung up before it had answered"),
    ],
)
def test_socks_proxy_misbehaves(daemon, program, reply, words):
    def script(peer):
        assert read_socks(peer) == ("far.example", 443)
        peer.raw(reply)

    with RawServer(script) as proxy:
        cause, text = program.fails("wss://far.example/", option(f"socks5h://127.0.0.1:{proxy.port}"))
    assert (cause, text) == ("proxy", f"the proxy 127.0.0.1:{proxy.port} {words}")
    daemon.expect("upstream-failed", "proxy: ")


@pytest.mark.parametrize(
    "answer, words",
    [
        (b"\5\xff", "it wants credentials in another way than user name and password"),
        (b"\5\1", "its answer is not SOCKS5"),
        (b"\4\x5a", "its answer is not SOCKS5"),
    ],
)
def test_socks_proxy_takes_no_method(daemon, program, answer, words):
    def script(peer):
        assert read_exactly(peer, 4) == b"\5\2\0\2"
        peer.raw(answer)

    with RawServer(script) as proxy:
        url = f"socks5h://{USER}@127.0.0.1:{proxy.port}"
        cause, text = program.fails("wss://far.example/", option(url))
    assert (cause, text) == ("proxy", f"the proxy 127.0.0.1:{proxy.port} cannot be used: {words}")
    daemon.expect("upstream-failed", "proxy: ")


@pytest.fixture
def daemon_with_hosts(make_daemon, folder):
    """It sees an /etc/hosts of its own, in which two.example is 2001:db8::1 and 127.0.0.1."""
    if why_not := network.why_no_mounts():
        pytest.skip(why_not)
    hosts = os.path.join(folder, "hosts")
    with open(hosts, "w", encoding="ascii") as file:
        file.write("127.0.0.1 localhost two.example\n2001:db8::1 two.example\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return make_daemon(command=["unshare", "-m", "sh", "-c", script, hosts])


def test_every_address_is_tried_through_socks5(daemon_with_hosts, make_program, one_server):
    """What the proxy cannot reach is followed by the next."""
    program = make_program(daemon_with_hosts)
    asked = []
    port = int(re.search(r":(\d+)/", one_server.url("/"))[1])

    def script(peer):
        host, _ = read_socks(peer)
        asked.append(host)
        if ":" in host:
            peer.raw(b"\5\4\0\1" + bytes(6))
            return
        peer.raw(b"\5\0\0\3\3abc\0\1")
        leads(peer, port)

    with RawServer(script) as proxy:
        program.open("a", f"ws://two.example:{port}{new_path('echo')}", option(f"socks5://127.0.0.1:{proxy.port}"))
        program.event("open")
        program.text("a", "hello")
        assert program.event("message")["data"] == "hello"
        program.close("a")
        program.event("close")
    assert asked == ["2001:db8::1", "127.0.0.1"]
    assert daemon_with_hosts.upstreams() == []


def test_no_address_can_be_reached_through_socks5(daemon_with_hosts, make_program):
    def script(peer):
        read_socks(peer)
        peer.raw(b"\5\3")

    with RawServer(script) as proxy:
        program = make_program(daemon_with_hosts)
        cause, text = program.fails("ws://two.example:81/", option(f"socks5://127.0.0.1:{proxy.port}"))
    assert proxy.n_accepted == 2
    assert cause == "proxy"
    assert text == f"the proxy 127.0.0.1:{proxy.port} answered 3 for 127.0.0.1:81: it cannot reach the server's network"
    daemon_with_hosts.expect("upstream-failed", "proxy: ")


def test_socks5_resolves_here_and_socks5h_does_not(daemon, program):
    with RawServer(lambda peer: None) as proxy:
        cause, text = program.fails("ws://nowhere.invalid/", option(f"socks5://127.0.0.1:{proxy.port}"))
        assert (cause, proxy.n_accepted) == ("resolve", 0)
        assert "nowhere.invalid cannot be resolved" in text
        cause, _ = fails_again(program, "ws://nowhere.invalid/", option(f"socks5h://127.0.0.1:{proxy.port}"))
        assert (cause, proxy.n_accepted) == ("proxy", 1)
    daemon.expect("upstream-failed", n_lines=2)


def fails_again(program, url, *words):
    program.open("b", url, *words)
    return program.failure("b")


@pytest.mark.parametrize("kind, is_told", [("socks5h", True), ("http", False)])
def test_name_of_256_bytes(daemon, program, kind, is_told):
    """SOCKS5 has no room for it and says so; HTTP has."""
    host = ".".join(["a" * 63] * 4) + "." + "b"
    with RawServer(lambda peer: None) as proxy:
        cause, text = program.fails(f"ws://{host[-256:]}/", option(f"{kind}://127.0.0.1:{proxy.port}"))
    assert cause == "proxy"
    assert ("255 bytes" in text) == is_told
    daemon.expect("upstream-failed", "proxy: ")


# --- which one ---


def decides(daemon, url, options=()):
    """Whether a WebSocket to the URL comes to the proxy that the test runs, or anywhere else."""
    with daemon.client() as client:
        channel = client.open(url, options=options)
        failed = channel.wait(Failed)
        channel.wait(Closed)
    daemon.n_decided = getattr(daemon, "n_decided", 0) + 1
    daemon.expect("upstream-failed", n_lines=daemon.n_decided)
    return "it does not allow a tunnel there" in failed.text


@pytest.fixture(scope="module")
def refusing():
    """A proxy that says no, so that one sees who asked it."""

    def script(peer):
        read_connect(peer)
        peer.raw("HTTP/1.1 403 x\r\n\r\n")

    with RawServer(script) as proxy:
        yield f"127.0.0.1:{proxy.port}"


@pytest.mark.parametrize(
    "names, is_for_ws, is_for_wss",
    [
        (["https_proxy"], True, True),
        (["HTTPS_PROXY"], True, True),
        (["http_proxy"], True, False),
        (["HTTP_PROXY"], True, False),
        (["all_proxy"], True, True),
        (["ALL_PROXY"], True, True),
        (["ws_proxy"], True, False),
        (["wss_proxy"], False, True),
        (["WSS_PROXY"], False, True),
        (["ftp_proxy"], False, False),
        (["HTTP_PROXY", "REQUEST_METHOD"], False, False),
    ],
)
def test_environment(make_daemon, refusing, names, is_for_ws, is_for_wss):
    daemon = make_daemon(env={name: refusing for name in names})
    for scheme, is_for in (("ws", is_for_ws), ("wss", is_for_wss)):
        assert decides(daemon, f"{scheme}://nowhere.invalid/") == is_for, scheme


@pytest.mark.parametrize(
    "wrong, scheme",
    [("all_proxy", "wss"), ("http_proxy", "ws"), ("HTTPS_PROXY", "wss"), ("http_proxy", "wss")],
)
def test_environment_has_an_order(make_daemon, refusing, nobody, wrong, scheme):
    """https_proxy before http_proxy and all_proxy, small letters before capitals, for both schemes."""
    daemon = make_daemon(env={wrong: nobody, "https_proxy": refusing})
    assert decides(daemon, f"{scheme}://nowhere.invalid/")


def test_environment_that_is_empty_is_not_there(make_daemon, refusing):
    daemon = make_daemon(env={"https_proxy": "", "HTTPS_PROXY": "", "all_proxy": refusing, "no_proxy": ""})
    assert decides(daemon, "wss://nowhere.invalid/")


def test_environment_that_is_wrong_is_told(make_daemon):
    """Never silently the straight way; and the password stays where it is."""
    daemon = make_daemon(env={"all_proxy": "socks://aladdin:sesame@127.0.0.1:1"})
    with daemon.client() as client:
        failed = client.open("ws://127.0.0.1:9/").wait(Failed)
        assert failed.cause == "proxy"
        assert failed.text == "all_proxy: begin with http://, socks5:// or socks5h://, or write none"
        # What says so goes another way.
        failed = client.open("ws://127.0.0.1:9/", options={"proxy": "none"}).wait(Failed)
        assert failed.cause == "connect"
    daemon.expect("upstream-failed")


CONFIG = """
proxy = "{daemon}"
endpoint "same" {{ url = "ws://same.invalid" }}
endpoint "none" {{ url = "ws://none.invalid" proxy = "none" }}
endpoint "other" {{ url = "ws://other.invalid" proxy = "http://{other}" }}
endpoint "except" {{ url = "ws://except.invalid" no-proxy = ".invalid" }}
endpoint "both" {{ url = "ws://both.invalid" proxy = "http://{other}" no-proxy = "both.invalid" }}
no-proxy = "other.invalid, 192.0.2.0/24"
"""


@pytest.fixture
def nobody():
    """A place where nobody listens."""
    return f"127.0.0.1:{free_port()}"


def test_configuration(make_daemon, refusing, nobody):
    """The endpoint's, then the daemon's, then the environment's; exceptions from there or nearer."""
    daemon = make_daemon(
        CONFIG.format(daemon=refusing, other=nobody), env={"all_proxy": nobody, "no_proxy": "*"}
    )
    taken = {}
    for name in ("same", "none", "other", "except", "both"):
        with daemon.client() as client:
            failed = client.open(f"wsplex-endpoint:{name}", sharing="default").wait(Failed)
        taken[name] = failed.text.split(" ")[2] if failed.text.startswith("the proxy") else failed.cause
    daemon.n_decided = len(taken)
    assert taken == {
        "same": refusing,
        "none": "resolve",
        # The daemon's exceptions are from the daemon's proxy.
        "other": nobody,
        "except": "resolve",
        "both": "resolve",
    }
    # A free URL has the daemon's, unless the program, which has the same uid, says otherwise.
    assert decides(daemon, "ws://free.invalid/")
    assert not decides(daemon, "ws://other.invalid/")
    assert not decides(daemon, "ws://free.invalid/", {"proxy": "none"})
    assert not decides(daemon, "ws://free.invalid/", {"no-proxy": "free.invalid"})
    assert decides(daemon, "ws://other.invalid/", {"no-proxy": ""})
    assert decides(daemon, "ws://other.invalid/", {"proxy": refusing})


def test_environment_has_exceptions(make_daemon, refusing, nobody):
    daemon = make_daemon(env={"all_proxy": refusing, "NO_PROXY": "a.invalid .b.invalid,127.0.0.0/8,[::1]"})
    assert not decides(daemon, "ws://a.invalid/")
    assert not decides(daemon, "ws://x.a.invalid/")
    assert not decides(daemon, "ws://b.invalid/")
    assert not decides(daemon, f"ws://{nobody}/")
    assert not decides(daemon, f"ws://[::1]:{nobody.split(':')[1]}/")
    assert decides(daemon, "ws://xa.invalid/")
    assert decides(daemon, "ws://192.0.2.1/")
    assert decides(daemon, "ws://localhost/")


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("proxy", "https://127.0.0.1:1", "reached over TLS is not supported"),
        ("proxy", "socks4://127.0.0.1:1", "begin with http://"),
        ("proxy", "", "the value is empty"),
        ("proxy", "http://h/path", "a proxy has no path"),
        ("proxy", "http://u:p%0a@h", "control characters"),
        ("proxy", "socks5://" + "u" * 256 + "@h", "more than 255 bytes"),
        ("no-proxy", "10.0.0.0/33", '"10.0.0.0/33" is no host'),
    ],
)
def test_values_that_are_none(daemon, name, value, words):
    with daemon.client() as client:
        failed = client.open("ws://127.0.0.1/", options={name: value}).wait(Failed)
    assert failed.cause == "option"
    assert failed.text.startswith(f"{name}: ") and words in failed.text, failed.text
    assert "p%0a" not in failed.text


def test_who_differs_in_the_proxy_does_not_share(daemon, one_server, proxies):
    path = new_path()
    ways = ({}, {"proxy": "none"}, {"proxy": proxies["http"].url}, {"proxy": proxies["socks5"].url})
    with daemon.client() as client:
        for options in ways:
            for _ in range(2):
                client.open(one_server.url(path), sharing="shared", options=options).wait(Opened)
        # No proxy is no proxy, whoever said so.
        one_server.expect_connections(path, len(ways) - 1)


@pytest.mark.skipif(users.why_not_programs() is not None, reason=f"no other users: {users.why_not_programs()}")
@pytest.mark.parametrize("name, value", [("proxy", "http://127.0.0.1:1"), ("proxy", "none"), ("proxy", "?"), ("no-proxy", "*")])
def test_nobody_leads_anothers_daemon_elsewhere(make_daemon, one_server, refusing, name, value):
    """On a daemon of another user the configuration alone decides, for an endpoint or in general."""
    daemon = make_daemon(f'socket-mode = 0666 proxy = "{refusing}"')
    path = new_path()
    with Program(daemon.socket, prefix=users.words(12345)) as program:
        cause, text = program.fails(one_server.url(path), f"option={name}={value}")
        assert cause == "option"
        assert text.startswith(f"{name}: this daemon runs as another user"), text
        cause, text = fails_again(program, one_server.url(path))
        assert cause == "proxy" and refusing in text
    one_server.expect_connections(path, 0)
    daemon.expect("upstream-failed", "proxy: ")


def test_nobody_leads_an_endpoint_through_another_proxy(make_daemon, one_server):
    daemon = make_daemon(f'endpoint "feed" {{ url = "{one_server.url(new_path())}" }}')
    with daemon.client() as client:
        for name in ("proxy", "no-proxy"):
            failed = client.open("wsplex-endpoint:feed", sharing="default", options={name: "none"}).wait(Failed)
            assert failed.cause == "conflict"
            assert failed.text.startswith(f"{name}: "), failed.text


def test_credentials_of_a_proxy_do_not_get_out(make_daemon, make_program, one_server, proxies):
    """Neither in a list nor in a log nor to the program, whether it works or fails."""
    right = proxies["http-auth"].url
    secret = right.split("//")[1].split("@")[0].split(":")[1]
    daemon = make_daemon(
        f"""
        endpoint "good" {{ url = "{one_server.url(new_path())}" proxy = "{right}" }}
        endpoint "bad" {{ url = "{one_server.url(new_path())}" proxy = "{right.replace(secret, "wrong" + secret)}" }}
        """,
        log_level="debug",
    )
    program = make_program(daemon)
    program.open("a", "wsplex-endpoint:good")
    program.event("open")
    program.open("b", "wsplex-endpoint:bad")
    program.failure("b")
    shown = []
    for what in ("status", "upstreams", "clients", "channels", "endpoints"):
        for words in ([what], ["--json", what]):
            shown.append(daemon.ctl(*words, check=0).stdout.decode())
    for row in daemon.upstreams() + daemon.channels():
        for words in (["show"], ["--json", "show"]):
            shown.append(daemon.ctl(*words, str(row["id"]), check=0).stdout.decode())
    assert any(proxies["http-auth"].name in text for text in shown)
    shown += program.out.all() + daemon.process.err.all()
    for text in shown:
        assert secret not in text and "YWxhZGRpbj" not in text, text
    daemon.expect("upstream-failed", "proxy: .* 401: it does not take the credentials")
