# SPDX-License-Identifier: MIT
"""Secrets of endpoints: they reach the server and nobody else, and do not stay in the daemon's memory."""

import base64
import json
import os
import subprocess
import threading
import urllib.parse

import pytest
from daemon import check_config
from memory import found_in
from process import DEADLINE, IS_SANITIZED, built
from proxies import leads, read_connect, read_exactly
from servers import RawServer, new_path
from wsplex_client import Closed, Failed, Interrupted, Message, Opened, Resumed

TOKEN = "tok_9f86d081 884c7d65/9a2f=ea"
KEY = "q1;w2+e3 r4=t5&y6,u7?i8"  # no word of it is long enough to be masked by itself
PASSWORD = "p4ss:w0rd-72fb"
SECRETS = {"token": TOKEN, "key": KEY, "password": PASSWORD}


def write(folder, name, value, mode=0o600):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(value)
    os.chmod(path, mode)
    return path


@pytest.fixture
def credentials(folder):
    path = os.path.join(folder, "credentials")
    os.mkdir(path, 0o700)
    for name, value in SECRETS.items():
        write(path, name, value + "\n")
    return path


def forms(*values):
    """How a value may stand in a memory."""
    words = set()
    for value in values:
        words.add(value.encode())
        words.add(urllib.parse.quote(value, safe="").encode())
        words.add(base64.b64encode(value.encode()).rstrip(b"="))
        # A piece of one is as bad; and what a user name before it makes of base64.
        words.add(value.encode()[4:])
        words.add(base64.b64encode(f"me:{value}".encode()))
    return words


def config(credentials, url, endpoint="", daemon=""):
    there = url.replace("://", "://me:%{credential:password}@")
    return f"""
        credentials-dir = "{credentials}"
        {daemon}
        endpoint "feed" {{
            url = "{there}/feed?a=%20&key=%{{credential:key}}&b=%25"
            headers = {{"X-Token: Bearer %{{credential:token}}", "X-Literal: %%{{credential:token}}"}}
            linger = 0
            {endpoint}
        }}
    """


def asks(peer):
    """Reads the request, which must say all of it."""
    peer.read_request()
    assert peer.headers["x-token"] == f"Bearer {TOKEN}"
    assert peer.headers["x-literal"] == "%{credential:token}"
    assert peer.path == f"/feed?a=%20&key={urllib.parse.quote(KEY, safe='')}&b=%25"
    basic = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert peer.headers["authorization"] == f"Basic {basic}"


def told_back(peer):
    return "".join(f"X-{name}: {value}\r\n" for name, value in peer.headers.items() if not name.startswith("sec-"))


# --- they reach the server, and go ---


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_secrets_are_in_memory_only_until_the_server_has_answered(make_daemon, certificate, credentials, scheme):
    """The same search finds them before the answer, so it can find them."""
    asked, go = threading.Event(), threading.Event()

    def script(peer):
        asks(peer)
        asked.set()
        assert go.wait(DEADLINE)
        peer.accept(told_back(peer) + f"X-Path: {peer.path}\r\n")
        peer.raw(b"\x81\x02ok")
        peer.read_close()
        peer.raw(b"\x88\x02\x03\xe8")

    with RawServer(script, certificate=certificate if scheme == "wss" else None) as raw:
        daemon = make_daemon(config(credentials, raw.url))
        words = forms(*SECRETS.values())
        for _ in range(3):
            asked.clear()
            go.clear()
            with daemon.client() as client:
                channel = client.open("wsplex-endpoint:feed", sharing="default")
                assert asked.wait(DEADLINE)
                held = found_in(daemon.pid, words)
                assert TOKEN.encode() in held and PASSWORD.encode() in held, held
                go.set()
                channel.wait(Opened)
                assert channel.wait(Message).data == "ok"
                assert found_in(daemon.pid, words) == []
                channel.close(1000)
                channel.wait(Closed)
            daemon.wait_idle()
            assert found_in(daemon.pid, words) == []
    log = "".join(daemon.process.err.all())
    assert not [value for value in SECRETS.values() if value in log]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_who_is_refused_is_told_no_secret(make_daemon, certificate, credentials, scheme):
    """The server tells back all that it was told, in the body and the head of its answer."""

    def script(peer):
        asks(peer)
        key = peer.path.split("key=")[1].split("&")[0]
        body = json.dumps([TOKEN, PASSWORD, KEY, key, peer.headers["authorization"]]).encode()
        peer.raw(f"HTTP/1.1 401 {TOKEN}\r\n{told_back(peer)}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    with RawServer(script, certificate=certificate if scheme == "wss" else None) as raw:
        daemon = make_daemon(config(credentials, raw.url))
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            failed = channel.wait(Failed)
            channel.wait(Closed)
            shown = [
                failed.text,
                failed.excerpt,
                *(daemon.ctl(*words, check=0).stdout.decode() for words in (["history"], ["--json", "history"])),
            ]
            (row,) = daemon.request("history")
            shown.append(json.dumps(daemon.request("show", str(row["id"]))))
            words = forms(*SECRETS.values())
            assert found_in(daemon.pid, words) == []
    daemon.expect("upstream-failed", "401")
    shown.append("".join(daemon.process.err.all()))
    assert failed.http_status == 401 and failed.excerpt.startswith('["***')
    for text in shown:
        assert not [word for word in words if word.decode() in text], text


def test_a_refusal_without_a_word(make_daemon, credentials):
    def script(peer):
        asks(peer)
        peer.raw("HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n")

    with RawServer(script) as raw:
        daemon = make_daemon(config(credentials, raw.url))
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            assert channel.wait(Failed).excerpt == ""
            channel.wait(Closed)
            assert found_in(daemon.pid, forms(*SECRETS.values())) == []
    daemon.expect("upstream-failed", "403")


def test_each_connection_reads_them_anew(make_daemon, credentials):
    seen = []

    def script(peer):
        peer.read_request()
        seen.append(peer.headers["x-token"])
        peer.accept()
        peer.read_close()
        peer.raw(b"\x88\x02\x03\xe8")

    with RawServer(script) as raw:
        daemon = make_daemon(config(credentials, raw.url))
        for value in (TOKEN, "rotated-0123456789", "r" * 12000):
            write(credentials, "token", value)
            with daemon.client() as client:
                channel = client.open("wsplex-endpoint:feed", sharing="default")
                channel.wait(Opened)
                channel.close(1000)
                channel.wait(Closed)
            daemon.wait_idle()
        assert seen == [f"Bearer {value}" for value in (TOKEN, "rotated-0123456789", "r" * 12000)]
        assert found_in(daemon.pid, forms(TOKEN, "rotated-0123456789") | {b"r" * 1000}) == []


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_each_reconnection_reads_them_anew(make_daemon, certificate, credentials, scheme):
    """Also the greeting's; and none of either is left."""
    values = ["first-4f1c-token", "second-77aa-token", "third-0be2-token"]
    seen, greeted, go = [], [], threading.Semaphore(0)

    def script(peer):
        peer.read_request()
        seen.append(peer.headers["x-token"])
        peer.accept(told_back(peer))
        opcode, payload = peer.read_frame()
        greeted.append(payload.decode())
        assert opcode == 0x81  # not compressed, which would leave it in the compressor's memory
        peer.raw(b"\x81\x02ok")
        assert go.acquire(timeout=DEADLINE)

    with RawServer(script, certificate=certificate if scheme == "wss" else None) as raw:
        daemon = make_daemon(
            f"""
            credentials-dir = "{credentials}"
            endpoint "feed" {{
                url = "{raw.url}"
                headers = {{"X-Token: %{{credential:token}}"}}
                greeting = {{'{{"login": "%{{credential:token}}", "fill": "{"x" * 200}"}}'}}
                persist = yes backoff-min = 10ms backoff-max = 10ms linger = 0
            }}
            """
        )
        write(credentials, "token", values[0])
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            channel.wait(Opened)
            for i in range(3):
                assert channel.wait(Message).data == "ok"
                assert found_in(daemon.pid, forms(*values)) == []
                if i < 2:
                    write(credentials, "token", values[i + 1])
                    go.release()
                    channel.wait(Interrupted)
                    channel.wait(Resumed)
            channel.close(1000)
            channel.wait(Closed)
            go.release()
    assert seen == values
    assert [json.loads(text)["login"] for text in greeted] == values
    daemon.forgive("upstream-away")
    daemon.forgive("upstream-failed")


# --- files that will not do ---


def rewrite(credentials, name="token", value="", mode=0o600):
    os.unlink(os.path.join(credentials, name))
    if value:
        write(credentials, name, value, mode)


WRONG = {
    "missing": (lambda folder: rewrite(folder), "there is no such file"),
    "readable by others": (lambda folder: os.chmod(os.path.join(folder, "token"), 0o644), "chmod 600"),
    "injecting": (lambda folder: rewrite(folder, value="a\r\nX-Evil: 1"), "one line"),
    "empty": (lambda folder: write(folder, "token", "\n"), "it is empty"),
    "blank at its end": (lambda folder: write(folder, "token", "a \n"), "header"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_will_not_do_is_named_and_not_quoted(make_daemon, credentials, name):
    """It fails whoever opens the endpoint, and is mended without a word to the daemon."""
    spoil, why = WRONG[name]

    def script(peer):
        asks(peer)
        peer.accept()
        peer.read_close()
        peer.raw(b"\x88\x02\x03\xe8")

    with RawServer(script) as raw:
        daemon = make_daemon(config(credentials, raw.url))
        spoil(credentials)
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            failed = channel.wait(Failed)
            channel.wait(Closed)
        assert why in failed.text and TOKEN not in failed.text, failed
        if name != "blank at its end":
            assert failed.cause == "credential" and f"{credentials}/token" in failed.text
        daemon.expect("upstream-failed")
        checked = check_config(daemon.config_file)
        if name != "blank at its end":
            assert checked.returncode == 1 and f"{credentials}/token" in checked.stderr and why in checked.stderr
            assert f"{daemon.config_file}:" in checked.stderr and 'endpoint "feed"' in checked.stderr
        rewrite(credentials, value=TOKEN) if name != "missing" else write(credentials, "token", TOKEN)
        assert check_config(daemon.config_file).returncode == 0
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            channel.wait(Opened)
            channel.close(1000)
            channel.wait(Closed)


def test_every_text_is_tried_beforehand(folder, credentials):
    """Each of those that name one is told, with its endpoint, its key and its line."""
    texts = (
        'url = "ws://h/?%{credential:n}"',
        'url = "ws://a:%{credential:n}@h/"',
        'url = "ws://h/" headers = {"A: b", "C: %{credential:n}"}',
        'url = "ws://h/" proxy = "socks5://a:%{credential:n}@p"',
        """url = "ws://h/" greeting = {"a", '{"%{credential:n}"}'}""",
        'url = "ws://h/" heartbeat = "%{credential:n}"',
    )
    keys = ("url", "url", "headers", "proxy", "greeting", "heartbeat")
    text = "".join(f'endpoint "e{i}" {{\n\n {text} }}\n' for i, text in enumerate(texts))
    path = write(folder, "wsplexd.conf", f'credentials-dir = "{credentials}"\n{text}')
    done = check_config(path)
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert len(told) == len(texts)
    for i, line in enumerate(told):
        assert line.startswith(f'{path}:{3 * i + 4}: endpoint "e{i}": {keys[i]}: the credential n ')
    write(credentials, "n", "now")
    done = check_config(path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_daemon_starts_without_them_and_warns(make_daemon, credentials):
    rewrite(credentials)
    daemon = make_daemon(config(credentials, "ws://127.0.0.1:1"))
    daemon.expect("credential", f"the credential token .*{credentials}/token: there is no such file")


def test_systemd_gives_them(make_daemon, folder, credentials):
    """What systemd has loaded goes before the directory."""
    loaded = os.path.join(folder, "loaded")
    os.mkdir(loaded)
    write(loaded, "token", TOKEN, 0o440)
    write(credentials, "token", "not this one")

    def script(peer):
        asks(peer)
        peer.accept()
        peer.read_close()
        peer.raw(b"\x88\x02\x03\xe8")

    with RawServer(script) as raw:
        daemon = make_daemon(config(credentials, raw.url), env={"CREDENTIALS_DIRECTORY": loaded})
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            channel.wait(Opened)
            channel.close(1000)
            channel.wait(Closed)


# --- nobody else may name them ---


def test_a_program_gets_what_it_wrote(make_daemon, one_server, credentials):
    """Its URL and headers name nothing, whatever stands in them."""
    daemon = make_daemon(f'credentials-dir = "{credentials}"')
    path = new_path("echo") + "?t=%{credential:token}&u=%{nothing"
    with daemon.client() as client:
        channel = client.open(one_server.url(path), headers=[("X-A", "%{credential:token}"), ("X-B", "%%{")])
        channel.wait(Opened)
        connection = one_server.connection(path)
        said = {name.lower(): value for name, value in connection.headers}
        assert (said["x-a"], said["x-b"]) == ("%{credential:token}", "%%{")
        channel.close(1000)
        channel.wait(Closed)


def test_a_proxy_of_a_programs_own_gets_none(make_daemon, credentials):
    said = []

    def script(peer):
        said.append(read_connect(peer))
        peer.raw("HTTP/1.1 403 no\r\n\r\n")

    with RawServer(script) as proxy:
        daemon = make_daemon(f'credentials-dir = "{credentials}"')
        own = proxy.url.replace("ws://", "http://me:%{credential:password}@")
        with daemon.client() as client:
            channel = client.open("ws://192.0.2.1/", options={"proxy": own})
            assert channel.wait(Failed).cause == "proxy"
            channel.wait(Closed)
    daemon.expect("upstream-failed")
    expected = base64.b64encode(b"me:%{credential:password}").decode()
    assert f"Proxy-Authorization: Basic {expected}" in said[0]


# --- proxies ---


def http_proxy(peer, port):
    head = read_connect(peer)
    basic = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert f"Proxy-Authorization: Basic {basic}" in head
    peer.raw(f"HTTP/1.1 200 {PASSWORD}\r\nX-Told: {basic}\r\n\r\n")
    leads(peer, port)


def socks_proxy(peer, port):
    _, n_methods = read_exactly(peer, 2)
    read_exactly(peer, n_methods)
    peer.raw(b"\5\2")
    read_exactly(peer, 1)
    user = read_exactly(peer, read_exactly(peer, 1)[0])
    password = read_exactly(peer, read_exactly(peer, 1)[0])
    assert (user, password) == (b"me", PASSWORD.encode())
    peer.raw(b"\1\0")
    assert read_exactly(peer, 4) == b"\5\1\0\1"
    read_exactly(peer, 6)
    peer.raw(b"\5\0\0\1\0\0\0\0\0\0")
    leads(peer, port)


@pytest.mark.parametrize("place", ["endpoint", "daemon"])
@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_the_password_of_a_proxy(make_daemon, one_server, credentials, kind, place):
    path = new_path("echo")
    script = http_proxy if kind == "http" else socks_proxy
    port = int(one_server.url("").rsplit(":", 1)[1])
    with RawServer(lambda peer: script(peer, port)) as proxy:
        line = "proxy = \"" + proxy.url.replace("ws://", f"{kind}://me:%{{credential:password}}@") + '"'
        daemon = make_daemon(
            f"""
            credentials-dir = "{credentials}"
            {line if place == "daemon" else ""}
            endpoint "feed" {{ url = "{one_server.url(path)}" linger = 0 {line if place == "endpoint" else ""} }}
            """
        )
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            channel.wait(Opened)
            assert found_in(daemon.pid, forms(PASSWORD)) == []
            channel.close(1000)
            channel.wait(Closed)
        write(credentials, "password", "a\nb")
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:feed", sharing="default")
            assert channel.wait(Failed).cause == "credential"
            channel.wait(Closed)
        daemon.expect("upstream-failed", "the credential password")


# --- where they may stand ---

PLACES = {
    "path": ('url = "ws://h/%{credential:a}"', 2, "in the query and in the password alone"),
    "user name": ('url = "ws://%{credential:a}:b@h/"', 2, "in the query and in the password alone"),
    "host": ('url = "ws://%{credential:a}/"', 2, "host"),
    "not closed": ('url = "ws://h/?%{credential:a"', 2, "no closing brace"),
    "other word": ('url = "ws://h/?%{secret:a}"', 2, "%{credential:NAME}"),
    "name of a header": ('url = "ws://h/"\nheaders = {"%{credential:a}: b"}', 3, "headers"),
    "bad name": ('url = "ws://h/"\nheaders = {"A: %{credential:../a}"}', 3, "headers: the name in a %{credential:NAME}"),
    "user name of a proxy": ('url = "ws://h/"\nproxy = "http://%{credential:a}@p:1"', 3, "in the password alone"),
    "greeting": ('url = "ws://h/"\ngreeting = {"a", "%{credential:a"}', 3, "greeting: a %{credential:NAME} has no"),
    "heartbeat": ('url = "ws://h/"\nheartbeat = "%{a}"', 3, "heartbeat: %{ begins the name of a credential"),
    "subprotocol": ('url = "ws://h/"\nprotocols = {"%{credential:a}"}', 3, "subprotocol"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_name_in_the_wrong_place(folder, name):
    text, line, why = PLACES[name]
    path = write(folder, "wsplexd.conf", 'endpoint "e" {\n' + text + "\n}\n")
    done = check_config(path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}:{line}: ") and why in done.stderr, done.stderr


# --- the daemon's memory is its own ---


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer reads the memory of its process")
def test_processes_of_its_user_cannot_read_it(make_daemon, folder):
    os.chmod(folder, 0o777)
    daemon = make_daemon()
    user = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups"]
    process = subprocess.Popen(
        [*user, built("wsplexd"), "--socket", f"{folder}/own.sock", "--config", daemon.config_file],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "listens" in process.stderr.readline()
        read = subprocess.run(
            [*user, "cat", f"/proc/{process.pid}/mem"], capture_output=True, timeout=DEADLINE, check=False
        )
        assert read.returncode == 1 and b"ermission" in read.stderr, read
    finally:
        process.terminate()
        process.wait(DEADLINE)
        process.stderr.close()
