# SPDX-License-Identifier: MIT
"""Command line, configuration, endpoints, reloads, the socket, and what the daemon tells of itself."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import textwrap
import time

import pytest
from process import DEADLINE, TOP, built, wait_until
from servers import new_path
from wsplex_client import Client, Closed, Failed, Message, Opened, RequestError

TOKEN = "Bearer 3f9a1c"


def run(*arguments, **options):
    return subprocess.run(
        [built("wsplexd"), *arguments], capture_output=True, text=True, timeout=DEADLINE, check=False, **options
    )


# --- the command line ---


def test_help_and_version():
    result = run("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for option in ("socket", "ca-file", "log-level", "config", "check-config", "help", "version"):
        assert f"--{option}" in result.stdout
    assert run("--version").stdout.startswith("wsplexd ")


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--sokcet=x"], "unrecognized option '--sokcet=x'"),
        (["--log-level=loud"], 'wsplexd: --log-level: "loud" is not one of error|warning|notice|info|debug'),
        (["--ca-file=/nowhere"], "wsplexd: --ca-file: /nowhere cannot be read: No such file or directory"),
        (["socket"], "wsplexd: socket: wsplexd takes no arguments but options"),
    ],
)
def test_a_wrong_command_line(arguments, text):
    result = run(*arguments)
    assert result.returncode == 2
    assert text in result.stderr


def test_check_config(tmp_path):
    file = tmp_path / "c.conf"
    file.write_text('endpoint a { url = "ws://a" }\n')
    result = run("--check-config", f"--config={file}")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{file}: the configuration is valid; endpoints: 1\n"
    file.write_text("\nlog-level = 7\n")
    result = run("--check-config", f"--config={file}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f'{file}:2: log-level: "7" is not one of error|warning|notice|info|debug\n'


@pytest.mark.skipif(os.geteuid() != 0, reason="needs several users")
def test_the_users_own_configuration_is_found(folder):
    directory = pathlib.Path(folder) / "wsplex"
    (directory / "conf.d").mkdir(parents=True)
    (directory / "conf.d" / "x.conf").write_text("nonsense = 1\n")
    environment = {"XDG_CONFIG_HOME": folder, "XDG_RUNTIME_DIR": folder}
    result = run("--check-config", env={**os.environ, **environment}, user=65534, group=65534, extra_groups=[])
    assert f"{directory}/conf.d/x.conf:1: nonsense: there is no such key" in result.stderr


def test_a_daemon_with_a_bad_configuration_does_not_start(tmp_path):
    file = tmp_path / "c.conf"
    file.write_text("nonsense = 1\n")
    result = run(f"--config={file}", f"--socket={tmp_path}/s")
    assert result.returncode == 1
    assert f"{file}:1: nonsense: there is no such key outside of an endpoint [configuration]" in result.stderr


# --- endpoints ---


class Secret:
    """A daemon with two endpoints of one server."""

    def __init__(self, make_daemon, server):
        self.server = server
        self.shared_path = new_path("echo") + "?token=geheim"
        self.alone_path = new_path("echo")
        self.daemon = make_daemon(
            textwrap.dedent(
                f"""
                endpoint quotes {{
                    url = "{server.url(self.shared_path)}"
                    protocols = {{"chat.v2", "chat.v1"}}
                    headers = {{"Authorization: {TOKEN}"}}
                }}
                endpoint alone {{ url = "{server.url(self.alone_path)}" share = no }}
                """
            )
        )

    def wait_connections(self, path, count):
        wait_until(lambda: self.server.n_connections(path) >= count, f"{count} connections")
        assert self.server.n_connections(path) == count


@pytest.fixture(name="secret")
def fixture_secret(make_daemon, one_server):
    return Secret(make_daemon, one_server)


def test_an_endpoint_brings_what_it_holds(secret):
    with secret.daemon.client() as one, secret.daemon.client() as two:
        for client in (one, two):
            channel = client.open("wsplex-endpoint:quotes", sharing="default")
            channel.wait(Opened)
            channel.send("x")
            channel.wait(Message)
        secret.wait_connections(secret.shared_path, 1)
        connection = secret.server.connection(secret.shared_path)
        headers = {name.lower(): value for name, value in connection.headers}
        assert headers["authorization"] == TOKEN
        offered = headers["sec-websocket-protocol"]
        assert offered.replace(" ", "") == "chat.v2,chat.v1"
        # Nobody gets to see it, not even root, and it is in no log.
        for words in (["status"], ["upstreams"], ["clients"], ["channels"], ["endpoints"]):
            shown = json.dumps(one.request(*words))
            assert TOKEN not in shown
            assert "geheim" not in shown
        for row in one.request("upstreams"):
            assert row["url"] == "wsplex-endpoint:quotes"
            assert "geheim" not in json.dumps(one.request("show", str(row["id"])))
    log = "\n".join(line.group() for line in secret.daemon.log())
    assert "geheim" not in log
    assert TOKEN not in log


def test_an_endpoint_may_be_private(secret):
    with secret.daemon.client() as client:
        for _ in range(2):
            client.open("wsplex-endpoint:alone", sharing="default").wait(Opened)
        secret.wait_connections(secret.alone_path, 2)


def test_a_listed_subprotocol_may_be_chosen(secret):
    with secret.daemon.client() as client:
        channel = client.open("wsplex-endpoint:quotes", protocols=["chat.v1"], sharing="shared")
        assert channel.wait(Opened).protocol == "chat.v1"


@pytest.mark.parametrize(
    "name, cause, text, wishes",
    [
        ("quotes", "conflict", "protocols: v3 is not one of those", {"protocols": ["chat.v1", "v3"]}),
        ("quotes", "conflict", "headers: ", {"headers": {"Accept": "x"}}),
        ("quotes", "conflict", "ca-file: ", {"options": {"ca-file": "/etc/passwd"}}),
        ("quotes", "conflict", "linger: ", {"options": {"linger": "5s"}}),
        ("quotes", "conflict", "share: ", {"sharing": "private"}),
        ("alone", "conflict", "share: ", {"sharing": "shared"}),
        ("alone", "conflict", "protocols: chat.v1 is not", {"protocols": ["chat.v1"]}),
        ("nowhere", "no-endpoint", "the configuration has no endpoint", {}),
        ("", "no-endpoint", "the configuration has no endpoint", {}),
    ],
)
def test_nothing_else_may_be_chosen(secret, name, cause, text, wishes):
    wishes.setdefault("sharing", "default")
    with secret.daemon.client() as client:
        channel = client.open(f"wsplex-endpoint:{name}", **wishes)
        failed = channel.wait(Failed)
        assert failed.cause == cause
        assert failed.text.startswith(text)
        assert channel.wait(Closed) == Closed(False, 1006, "")
    assert secret.daemon.upstreams() == []


@pytest.mark.parametrize(
    "cause, text, wishes",
    [
        ("option", "lingre: there is no such option; did you mean linger?", {"options": {"lingre": "5s"}}),
        ("option", 'linger: "5" is not understood', {"options": {"linger": "5"}}),
        ("option", "linger: it is given twice", {"options": [("linger", "5s"), ("linger", "5s")]}),
        ("option", "share: only the configuration", {"options": {"share": "yes"}}),
        ("option", "url: it is no option", {"options": {"url": "ws://x"}}),
        ("option", "slow-consumer: block would let", {"options": {"slow-consumer": "block"}, "sharing": "shared"}),
        ("option", "ca-file: /nowhere cannot be read", {"options": {"ca-file": "/nowhere"}}),
        ("header", "headers: Host is written", {"headers": {"Host": "x"}}),
        ("header", "headers: the value of X", {"headers": {"X": "a\r\nY: b"}}),
        ("header", "headers: a name", {"headers": {"": "a"}}),
        ("subprotocol", 'protocols: "a b" is not', {"protocols": ["a b"]}),
        ("subprotocol", "protocols: a stands there twice", {"protocols": ["a", "b", "a"]}),
    ],
)
def test_what_a_program_may_not_ask_for(daemon, one_server, cause, text, wishes):
    with daemon.client() as client:
        channel = client.open(one_server.url(new_path()), **wishes)
        failed = channel.wait(Failed)
        assert (failed.cause, failed.text[: len(text)]) == (cause, text)
        channel.wait(Closed)
    assert daemon.upstreams() == []


# --- reloading ---


def test_a_reload_holds_for_what_opens_from_then_on(make_daemon, one_server):
    old, new = new_path("echo"), new_path("echo")
    daemon = make_daemon(f'endpoint e {{ url = "{one_server.url(old)}" }}\n')
    with daemon.client() as client:
        first = client.open("wsplex-endpoint:e", sharing="default")
        first.wait(Opened)
        daemon.configure(f'endpoint e {{ url = "{one_server.url(new)}" linger = 2s }}\n')
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        client.open("wsplex-endpoint:e", sharing="default").wait(Opened)
        assert one_server.connection(new)
        first.send("still here")
        assert first.wait(Message).data == "still here"
        daemon.configure("nonsense = 1\n")
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("not-reloaded")
        daemon.expect("configuration", ":1: nonsense: ")
        client.open("wsplex-endpoint:e", sharing="default").wait(Opened)
        assert one_server.n_connections(new) == 1


# --- the socket ---


def test_mode_of_the_socket(make_daemon):
    daemon = make_daemon("socket-mode = 0600\nsocket-group = 12\n")
    status = os.stat(daemon.socket)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_gid == 12


def fails_to_start(path, text):
    result = run(f"--socket={path}")
    assert result.returncode == 1
    assert text in result.stderr


def test_a_live_socket_is_never_taken(daemon):
    fails_to_start(daemon.socket, "another wsplexd owns this socket")
    assert daemon.request("status")


def test_a_strangers_socket_is_never_taken(tmp_path):
    path = os.fspath(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(path)
        stranger.listen()
        fails_to_start(path, "somebody answers on this socket")
    assert os.path.exists(path)


def test_a_file_is_never_taken_for_a_socket(tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    fails_to_start(path, "is there and not a socket")
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long(tmp_path):
    fails_to_start(tmp_path / ("x" * 100), "a socket's path has at most 107 bytes")


def test_a_stale_socket_is_replaced(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(os.fspath(path))
    with started(f"--socket={path}") as process:
        with Client(os.fspath(path)) as client:
            assert client.request("status")["pid"] == process.pid
    assert sorted(os.listdir(tmp_path)) == []


@contextlib.contextmanager
def started(*arguments, **options):
    """A daemon that the fixtures would not start like this; it must end with 0."""
    with subprocess.Popen(
        [built("wsplexd"), *arguments], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, **options
    ) as process:
        try:
            line = process.stderr.readline()
            assert "[started]" in line
            yield process
        finally:
            process.terminate()
            status = process.wait(DEADLINE)
    assert status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs several users")
def test_the_runtime_directory_is_made(folder):
    """As another user, because root's daemon is the machine's."""
    os.chown(folder, 65534, 65534)
    path = os.path.join(folder, "wsplex", "wsplex.sock")
    environment = {"XDG_RUNTIME_DIR": folder, "HOME": "/nonexistent"}
    with started(env=environment, user=65534, group=65534, extra_groups=[]):
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with Client(path) as client:
            assert client.request("status")["you"]["uid"] == 0
    assert not os.path.exists(path)


# --- the service manager ---


class Notified:
    """A notify socket of the test's own."""

    def __init__(self, path):
        self.path = os.fspath(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(DEADLINE)
        self.lines = []

    def wait(self, prefix):
        while True:
            for line in self.lines:
                if line.startswith(prefix):
                    self.lines.remove(line)
                    return line
            self.lines += self.socket.recv(4096).decode().splitlines()


@pytest.fixture(name="notified")
def fixture_notified(tmp_path):
    notified = Notified(tmp_path / "notify")
    yield notified
    notified.socket.close()


def test_what_the_service_manager_is_told(make_daemon, notified, one_server):
    daemon = make_daemon(env={"NOTIFY_SOCKET": notified.path})
    assert notified.wait("READY=1")
    assert notified.wait("STATUS=0 upstreams, 0 channels, 0 clients")
    with daemon.client() as client:
        client.open(one_server.url(new_path())).wait(Opened)
        assert notified.wait("STATUS=1 upstreams, 1 channels, 1 clients")
        daemon.process.kill(signal.SIGHUP)
        assert notified.wait("RELOADING=1")
        assert notified.wait("MONOTONIC_USEC=")
        assert notified.wait("READY=1")
        daemon.process.kill(signal.SIGTERM)
        assert notified.wait("STOPPING=1")
        client.wait_end()
    assert daemon.process.wait() == 0


def test_the_status_is_told_once_a_second_at_most(make_daemon, notified):
    daemon = make_daemon(env={"NOTIFY_SOCKET": notified.path})
    notified.wait("STATUS=")
    begin = time.monotonic()
    while time.monotonic() - begin < 2.5:
        daemon.request("status")
    notified.socket.settimeout(0.1)
    n_statuses = 0
    try:
        while True:
            n_statuses += notified.socket.recv(4096).startswith(b"STATUS=")
    except TimeoutError:
        pass
    assert 1 <= n_statuses <= 3


def test_the_watchdog_is_told_in_time(make_daemon, notified):
    make_daemon(env={"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "200000"})
    begin = time.monotonic()
    for _ in range(5):
        notified.wait("WATCHDOG=1")
    assert time.monotonic() - begin < 2


def test_socket_activation(tmp_path):
    path = os.fspath(tmp_path / "a.sock")
    log = tmp_path / "log"
    with open(log, "wb") as to:
        process = subprocess.Popen(
            ["systemd-socket-activate", "-l", path, built("wsplexd"), "--socket=/nonexistent/x"], stderr=to
        )
    try:
        wait_until(lambda: os.path.exists(path), "systemd-socket-activate's socket")
        with Client(path) as client:
            assert client.request("status")
        assert "listens on the socket that it was given" in log.read_text()
    finally:
        process.terminate()
        assert process.wait(DEADLINE) == 0
    assert os.path.exists(path)  # it is not the daemon's to remove


# --- control ---


def test_lists_and_show(daemon, one_server):
    path = new_path()
    with daemon.client() as client:
        shared = client.open(one_server.url(path + "?secret"), sharing="shared")
        shared.wait(Opened)
        private = client.open(one_server.url(path), options={"queue": "1MiB"})
        private.wait(Opened)
        upstreams, channels, clients = (client.request(verb) for verb in ("upstreams", "channels", "clients"))
        assert [(row["shared"], row["state"], row["channels"]) for row in upstreams] == [
            (True, "open", 1),
            (False, "open", 1),
        ]
        assert upstreams[0]["url"] == one_server.url(path)
        assert [row["upstream"] for row in channels] == [row["id"] for row in upstreams]
        assert [row["pid"] for row in clients] == [os.getpid()]
        for kind, rows in (("upstream", upstreams), ("channel", channels), ("client", clients)):
            for row in rows:
                shown = client.request("show", str(row["id"]))
                assert shown["kind"] == kind
                assert {key: shown[key] for key in ("id", "state")} == {key: row[key] for key in ("id", "state")}
        assert client.request("show", str(channels[1]["id"]))["queue_bytes"] == 1 << 20
        assert client.request("endpoints") == []


@pytest.mark.parametrize(
    "words, status, text",
    [
        (["dance"], "unknown-verb", "there is no verb dance"),
        (["show"], "bad-argument", "show takes 1 arguments, not 0"),
        (["status", "x"], "bad-argument", "status takes 0 arguments, not 1"),
        (["show", "x"], "bad-argument", "x: "),
        (["show", "-1"], "bad-argument", "-1: "),
        (["show", "99999"], "not-found", "99999: "),
        (["ä" * 40], "unknown-verb", "there is no verb "),
    ],
)
def test_bad_requests(daemon, words, status, text):
    with daemon.client() as client:
        with pytest.raises(RequestError) as refused:
            client.request(*words)
        assert refused.value.name == status
        assert refused.value.text.startswith(text)
        assert client.request("status")


def test_long_lists_come_in_pieces_and_whole(make_daemon, one_server):
    daemon = make_daemon(log_level="notice")
    url = one_server.url(new_path() + "/" + "x" * 200)
    with daemon.client() as client:
        for _ in range(1500):
            client.open(url, sharing="shared")
        rows = client.request("channels")
        assert len(rows) == 1500
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        assert len({row["id"] for row in rows}) == 1500
        shown = client.request("show", str(client.request("clients")[0]["id"]))
        assert len(shown["channel_ids"]) == 1500


def as_user(uid, path, script, *arguments):
    """What a script prints as JSON when another user runs it with `client` connected."""
    code = (
        f"import sys, json; sys.path.insert(0, {os.path.join(TOP, 'tests', 'harness')!r})\n"
        f"from wsplex_client import *\nclient = Client({path!r}, timeout={DEADLINE})\n" + textwrap.dedent(script)
    )
    result = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", code, *arguments], user=uid, group=uid, extra_groups=[],
        capture_output=True, text=True, timeout=2 * DEADLINE, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs several users")
def test_users_neither_meet_nor_see_each_other(make_daemon, one_server):
    daemon = make_daemon("socket-mode = 0666\nadmin-group = 4321\n")
    path = new_path()
    url = one_server.url(path)
    with daemon.client() as client:
        channel = client.open(url, sharing="shared")
        channel.wait(Opened)
        (root_upstream,) = client.request("upstreams")
        script = f"""
            channel = client.open({url!r}, sharing="shared", options={{"linger": "0"}})
            channel.wait(Opened)
            seen = {{verb: client.request(verb) for verb in ("status", "upstreams", "clients", "channels")}}
            try:
                client.request("show", "{root_upstream['id']}")
            except RequestError as error:
                seen["show"] = error.name
            refused = client.open({url!r}, options={{"ca-file": "/etc/passwd"}})
            seen["ca-file"] = refused.wait(Failed).text
            print(json.dumps(seen))
        """
        seen = as_user(1234, daemon.socket, script)
        wait_until(lambda: one_server.n_connections(path) == 2, "two connections")
        assert [row["uid"] for row in seen["upstreams"]] == [1234]
        assert [row["uid"] for row in seen["clients"]] == [1234]
        assert [row["uid"] for row in seen["channels"]] == [1234]
        assert seen["show"] == "not-found"
        assert "clients" not in seen["status"]
        assert seen["ca-file"].startswith("ca-file: this daemon runs as another user")
        script = 'print(json.dumps([row["uid"] for row in client.request("upstreams")]))'
        assert as_user(1234, daemon.socket, script) == []
        assert as_user(4321, daemon.socket, script) == [0]


def test_the_journal_gets_levels_and_no_time(tmp_path):
    """As systemd tells that stderr is its own: by device and inode."""
    log = tmp_path / "journal"
    with open(log, "wb") as to:
        status = os.fstat(to.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        path = tmp_path / "w.sock"
        process = subprocess.Popen([built("wsplexd"), f"--socket={path}"], stderr=to, env=environment)
    wait_until(lambda: "[started]" in log.read_text(), "started")
    process.terminate()
    assert process.wait(DEADLINE) == 0
    assert [line[:3] for line in log.read_text().splitlines()] == ["<5>"] * 3


def test_what_comes_too_often_is_counted(daemon):
    for _ in range(30):
        with daemon.client(greets=False) as client:
            client.send_raw(b"garbage!")
            client.wait_end()
    daemon.stop()
    daemon.expect("client-broken", "bad-magic", n_lines=20)
    daemon.expect("left-out", "^10 more lines of client-broken$")
