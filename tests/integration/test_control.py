# SPDX-License-Identifier: MIT
"""What the daemon tells of itself: requests and who may see what, its log, its status; and where a user's own is."""

import contextlib
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import textwrap
import time

import pytest
from daemon import run
from process import DEADLINE, TOP, built, wait_until
from servers import new_path
from wsplex_client import Client, Failed, Opened, RequestError


def is_open_to_others(path):
    return all(os.stat(part).st_mode & 0o001 for part in [path, *pathlib.Path(path).parents])


needs_users = pytest.mark.skipif(
    os.geteuid() != 0 or not is_open_to_others(TOP) or not is_open_to_others(built("wsplexd")),
    reason="needs root, and a tree that other users may read",
)


@needs_users
def test_the_users_own_configuration_is_found(folder):
    directory = pathlib.Path(folder) / "wsplex"
    (directory / "conf.d").mkdir(parents=True)
    (directory / "conf.d" / "x.conf").write_text("nonsense = 1\n")
    environment = {"XDG_CONFIG_HOME": folder, "XDG_RUNTIME_DIR": folder}
    result = run("--check-config", env={**os.environ, **environment}, user=65534, group=65534, extra_groups=[])
    assert f"{directory}/conf.d/x.conf:1: nonsense: there is no such key" in result.stderr


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


@needs_users
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


def test_the_status_is_told_once_a_second_at_most(make_daemon, notified):
    daemon = make_daemon(env={"NOTIFY_SOCKET": notified.path})
    notified.wait("STATUS=")
    begin = time.monotonic()
    n_statuses = 0
    notified.socket.setblocking(False)
    while time.monotonic() - begin < 2.5 or n_statuses == 0:
        assert time.monotonic() - begin < DEADLINE, "the status is not told"
        daemon.request("status")
        with contextlib.suppress(BlockingIOError):
            while True:
                n_statuses += notified.socket.recv(4096).startswith(b"STATUS=")
    assert n_statuses <= time.monotonic() - begin + 1


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


def test_a_list_longer_than_the_lane_of_its_asker(make_daemon):
    """Endpoints are listed as they are at one moment, and still sent piece by piece."""
    names = [f"feed-{number:05}" for number in range(6000)]
    daemon = make_daemon("".join(f'endpoint "{name}" {{ url = "wss://feed.example/" }}\n' for name in names))
    with daemon.client() as client:
        assert [row["name"] for row in client.request("endpoints")] == names
        assert client.request("status")["you"]


def members(value, inside="options"):
    """The names of all members in a reply; those of `inside` are documented elsewhere."""
    if isinstance(value, list):
        return set().union(*(members(item) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    return set(value) | set().union(*(members(item) for key, item in value.items() if key != inside))


def test_the_manual_page_names_every_member_and_no_other(make_daemon, one_server, folder):
    endpoint = 'endpoint "feed" { url = "ws://feed.example/" connect-rate = {"1/s"} }'
    daemon = make_daemon(f'state-dir = "{folder}/state"\n{endpoint}')
    with open(os.path.join(TOP, "doc", "wsplexctl.1"), encoding="utf-8") as page:
        section = page.read().split("\n.Ss JSON\n")[1].split("\n.Sh ")[0]
    documented = set(re.findall(r"\w+", " ".join(re.findall(r"^(?:\.It |\.)Va (.*)$", section, re.M))))
    with daemon.client() as client:
        channel = client.open(one_server.url(new_path()))
        channel.wait(Opened)
        channel.subscribe("on", "off")
        client.open("ws://127.0.0.1:1/").wait(Failed)
        verbs = ("status", "upstreams", "clients", "channels", "history", "endpoints")
        replies = [client.request(verb) for verb in verbs]
        replies += [client.request("show", str(rows[0]["id"])) for rows in replies[1:5]]
    daemon.expect("upstream-failed")
    assert documented == set().union(*(members(reply) for reply in replies))


@pytest.mark.parametrize(
    "words, status, text",
    [
        (["dance"], "unknown-verb", "there is no verb dance"),
        (["show"], "bad-argument", "show takes 1 arguments, not 0"),
        (["status", "x"], "bad-argument", "status takes 0 arguments, not 1"),
        (["show", "x"], "bad-argument", "'x' is not a number"),
        (["show", "-1"], "bad-argument", "'-1' is not a number"),
        (["show", "99999"], "not-found", "nothing has the number 99999"),
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


# Options that make the daemon read a file.
FILES = ("ca-file", "ca-path", "cert-file", "key-file")


@needs_users
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
            for option in {FILES!r}:
                refused = client.open({url!r}, options={{option: "/etc/passwd"}})
                seen[option] = refused.wait(Failed).text
            print(json.dumps(seen))
        """
        seen = as_user(1234, daemon.socket, script)
        one_server.expect_connections(path, 2)
        assert [row["uid"] for row in seen["upstreams"]] == [1234]
        assert [row["uid"] for row in seen["clients"]] == [1234]
        assert [row["uid"] for row in seen["channels"]] == [1234]
        assert seen["show"] == "not-found"
        assert "clients" not in seen["status"]
        for option in FILES:
            assert seen[option].startswith(f"{option}: this daemon runs as another user"), seen
        wait_until(lambda: len(client.request("upstreams")) == 1, "what that program had is closed")
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
    """Nothing is lost of the number, however long all of it takes."""
    for _ in range(30):
        with daemon.client(greets=False) as client:
            client.send_raw(b"garbage!")
            client.wait_end()
    daemon.stop()
    texts = {name: [line["text"] for line in daemon.log() if line["name"] == name] for name in ("client-broken", "left-out")}
    left_out = [re.fullmatch("([0-9]+) more lines of client-broken", text) for text in texts["left-out"]]
    assert len(texts["client-broken"]) + sum(int(match[1]) for match in left_out) == 30
    assert all("bad-magic" in text for text in texts["client-broken"])
    for name in texts:
        daemon.forgive(name)
