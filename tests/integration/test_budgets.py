# SPDX-License-Identifier: MIT
"""Budgets: what the real daemon connects and sends, over crashes, restarts and troubles of its state directory."""

import os
import signal
import subprocess
import threading

import pytest
from daemon import Daemon
from process import BUILD, IS_SANITIZED, wait_until
from servers import CLOSE, TEXT, RawServer, frame
from wsplex_client import Closed, Failed, Message, Opened

NAME = "wsplex-endpoint:feed"


class Counting:
    """A server that counts what its script has seen: connections that were upgraded, and messages.

    A connection is counted before it is answered, so who has its Opened may look at once. Messages are waited for.
    """

    def __init__(self):
        self.n_connections = 0
        self.messages = []
        self.lock = threading.Lock()
        self.server = RawServer(self.script)

    def script(self, peer):
        peer.read_request()
        with self.lock:
            self.n_connections += 1
        peer.accept()
        peer.raw(frame(TEXT, b"here"))
        while (got := peer.read_frame()) is not None:
            opcode, payload = got[0] & 0xF, got[1]
            if opcode == CLOSE:
                peer.raw(frame(CLOSE, payload))
                return
            if opcode == TEXT:
                with self.lock:
                    self.messages.append(payload.decode())

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *exception):
        self.server.__exit__(*exception)

    def heard(self, n_messages):
        wait_until(lambda: len(self.messages) >= n_messages, lambda: f"{n_messages} of {self.messages}")


@pytest.fixture
def server():
    with Counting() as server:
        yield server


@pytest.fixture
def state(folder):
    return os.path.join(folder, "state")


def configuration(server, state, rates, more=""):
    return (
        f'state-dir = "{state}"\n{more}\n'
        f'endpoint "feed" {{\n    url = "{server.server.url}"\n    linger = 0\n    {rates}\n}}\n'
    )


@pytest.fixture
def life(folder, authority, server, state):
    """life(rates) is one life of a daemon with them; kill() ends it as a crash does."""
    homes = []

    def life(rates, more="", env=None):
        home = os.path.join(folder, f"life{len(homes)}")
        os.mkdir(home)
        options = ["--ca-file", authority.file]
        homes.append(Daemon(home, configuration(server, state, rates, more), options, env=env))
        return homes[-1]

    yield life
    for daemon in homes:
        daemon.process.end()


def kill(daemon):
    daemon.process.kill(signal.SIGKILL)
    daemon.process.wait()


def endpoint(daemon):
    (row,) = daemon.request("endpoints")
    return row


def used(daemon, kind):
    (row,) = [row for row in endpoint(daemon)["budgets"] if row["kind"] == kind]
    return row["used"]


def has_used(daemon, kind, n):
    """Also when it has only begun, and the ledger is yet to be read."""
    wait_until(lambda: used(daemon, kind) == n, lambda: f"{kind}: {used(daemon, kind)} of {n}")


def waiting(daemon, member, at_least=1):
    return [row for row in daemon.upstreams() if (row[member] or 0) >= at_least]


def is_waiting(daemon, member, at_least=1):
    what = lambda: f"nothing waits: {daemon.upstreams()}"  # noqa: E731
    return wait_until(lambda: waiting(daemon, member, at_least), what)[0]


def test_a_crash_loop_makes_no_more_attempts_than_allowed(life, server):
    """Killed in every life as soon as the connection stands, or as soon as it is seen to wait."""
    rates = 'connect-rate = "4 per h"'
    for i in range(7):
        daemon = life(rates)
        with daemon.client() as client:
            channel = client.open(NAME, sharing="default")
            if i < 4:
                assert channel.wait(Opened)
                channel.wait(Message)
            else:
                assert is_waiting(daemon, "connect_budget_wait_ms")["state"] == "connecting"
            kill(daemon)
    assert server.n_connections == 4
    daemon = life(rates)
    has_used(daemon, "connect", 4)
    daemon.stop()
    daemon.check_log()


def test_a_crash_loop_that_is_killed_at_any_moment(life, server):
    """Killed while attempts are under way: whatever was not seen by the server is not made good."""
    rates = 'connect-rate = "40 per h"'
    for i in range(8):
        daemon = life(rates)
        with daemon.client() as client:
            for _ in range(8):
                client.open(NAME, sharing="private" if i % 2 else "default")
            for _ in range(i):
                client.request("status")
            kill(daemon)
    daemon = life(rates)
    wait_until(lambda: used(daemon, "connect") >= server.server.n_accepted, "less is remembered than was done")
    assert server.server.n_accepted <= 40


def test_messages_are_held_to_their_rate_over_crashes(life, server):
    sent = 0
    for i in range(6):
        daemon = life('send-rate = "64 per h"')
        before = len(server.messages)
        with daemon.client() as client:
            channel = client.open(NAME, sharing="default")
            channel.wait(Opened)
            for j in range(20):
                channel.send(f"{i}.{j}")
                sent += 1
            wait_until(
                lambda: len(server.messages) == before + 20 or waiting(daemon, "send_budget_wait_ms", 60000),
                "neither sent nor waiting",
            )
            kill(daemon)
    assert sent == 120
    server.server.wait_scripts()
    # A block is one of 64, so a crash has cost one message at most.
    assert 64 - 6 <= len(server.messages) <= 64


def test_messages_wait_and_are_counted_in_buffered_amount(life, server, state):
    daemon = life('send-rate = "3 per h"')
    with daemon.client() as client:
        one, other = (client.open(NAME, sharing="default") for _ in range(2))
        one.wait(Opened)
        other.wait(Opened)
        for i in range(4):
            one.send(f"one {i}")
        server.heard(3)
        row = is_waiting(daemon, "send_budget_wait_ms")
        assert 0 < row["send_budget_wait_ms"] <= 3601000
        other.send("other 0")
        wait_until(lambda: client.request("status") and one.buffered_amount == len("one 3"), "not counted")
        assert other.buffered_amount == len("other 0")
        assert server.messages == ["one 0", "one 1", "one 2"]
        daemon.configure(configuration(server, state, 'send-rate = {"5 per h", "1000 per day"}'))
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        server.heard(5)
        assert sorted(server.messages[3:]) == ["one 3", "other 0"]
        rows = endpoint(daemon)["budgets"]
        assert [(row["kind"], row["rate"], row["limit"], row["used"]) for row in rows] == [
            ("send", "5 per h", 5, 5),
            ("send", "1000 per day", 1000, 5),
        ]
        assert all(row["next_ms"] > 0 for row in rows)
        table = daemon.ctl("endpoints", check=0).stdout.decode()
        assert "send 5 of 5 per h, send 5 of 1000 per day" in table


def test_a_stop_in_order_gives_back_what_was_reserved(life, server):
    rates = 'send-rate = "1000 per h"'
    daemon = life(rates)
    with daemon.client() as client:
        channel = client.open(NAME, sharing="default")
        channel.wait(Opened)
        for i in range(100):
            channel.send(str(i))
        server.heard(100)
        channel.close(1000)
        channel.wait(Closed)
    daemon.wait_idle()
    # The Close is a message too.
    has_used(daemon, "send", 101)
    daemon.stop()
    daemon = life(rates)
    has_used(daemon, "send", 101)


def test_a_connection_that_waits_is_seen(life, server):
    daemon = life('connect-rate = "1 per h"')
    with daemon.client() as client:
        client.open(NAME, sharing="private").wait(Failed)  # the endpoint decides it
        first = client.open(NAME, sharing="default")
        first.wait(Opened)
        first.close(1000)
        first.wait(Closed)
        second = client.open(NAME, sharing="default")
        row = is_waiting(daemon, "connect_budget_wait_ms")
        shown = daemon.request("show", str(row["id"]))
        assert shown["progress"].startswith("waits 3") and shown["progress"].endswith("s for the connection budget")
        second.close(1000)
        second.wait(Closed)
    daemon.wait_idle()
    has_used(daemon, "connect", 1)
    assert server.n_connections == 1


def test_free_urls_have_budgets_of_user_and_host(life, server):
    daemon = life("", 'free-connect-rate = "2 per h"')
    with daemon.client() as client:
        for _ in range(2):
            client.open(f"{server.server.url}/{os.urandom(4).hex()}").wait(Opened)
        client.open(f"{server.server.url}/more")
        is_waiting(daemon, "connect_budget_wait_ms")
        # An endpoint is not concerned, although its server is the same.
        client.open(NAME, sharing="default").wait(Opened)


def test_the_files_are_the_daemons_alone(life, state):
    daemon = life('connect-rate = "2 per h"')
    with daemon.client() as client:
        client.open(NAME, sharing="default").wait(Opened)
        assert os.stat(state).st_mode & 0o7777 == 0o700
        assert os.stat(os.path.join(state, "budgets")).st_mode & 0o7777 == 0o600
        with open(os.path.join(state, "budgets"), encoding="ascii") as file:
            assert file.read().splitlines()[-1].endswith(" endpoint feed connect 1")


def test_without_rates_no_state_directory(life, state):
    daemon = life("")
    with daemon.client() as client:
        client.open(NAME, sharing="default").wait(Opened)
    assert not os.path.exists(state)


def test_a_file_that_is_not_understood(life, server, state):
    os.mkdir(state)
    with open(os.path.join(state, "budgets"), "wb") as file:
        file.write(b"\0garbage")
    daemon = life('connect-rate = "2 per h"')
    daemon.expect("budget-unknown", "it is not a ledger of wsplexd; it is now budgets.unreadable")
    with daemon.client() as client:
        client.open(NAME, sharing="default")
        is_waiting(daemon, "connect_budget_wait_ms")
    with open(os.path.join(state, "budgets.unreadable"), "rb") as file:
        assert file.read() == b"\0garbage"
    assert server.server.n_accepted == 0
    daemon.check_log()


def test_what_cannot_be_written_down_is_not_done(life, server, state):
    """A file stands where the directory should; when it goes, all goes on by itself."""
    with open(state, "wb"):
        pass
    daemon = life('connect-rate = "2 per h"')
    daemon.expect("budget-stuck", "the state directory .*: Not a directory")
    with daemon.client() as client:
        channel = client.open(NAME, sharing="default")
        is_waiting(daemon, "connect_budget_wait_ms")
        assert server.server.n_accepted == 0
        os.unlink(state)
        channel.wait(Opened)
        daemon.expect("budget-works", state)
    daemon.check_log()


def test_two_daemons_do_not_share_a_directory(life, server, state):
    first = life('connect-rate = "2 per h"')
    wait_until(lambda: os.path.exists(os.path.join(state, "budgets")), "the first has not taken it")
    second = life('connect-rate = "2 per h"')
    second.expect("budget-stuck", "is another wsplexd's; each needs a state-dir of its own")
    with second.client() as client:
        channel = client.open(NAME, sharing="default")
        is_waiting(second, "connect_budget_wait_ms")
        kill(first)
        channel.wait(Opened)
    assert server.n_connections == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_full_disk(life, server, state):
    os.mkdir(state)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", state]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no mounts here")
    try:
        # Each message has a line of its own, so what is left of the ledger's last page is soon used up.
        daemon = life('send-rate = "31 per 100ms"')
        with daemon.client() as client:
            channel = client.open(NAME, sharing="default")
            channel.wait(Opened)
            filler = os.path.join(state, "filler")
            with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
                while True:
                    file.write(bytes(512))
            texts = []

            def send_one():
                texts.append(str(len(texts)))
                channel.send(texts[-1])

            def is_stuck():
                send_one()
                return any(line["name"] == "budget-stuck" for line in daemon.log())

            wait_until(is_stuck, "the disk is not full")
            daemon.expect("budget-stuck", "No space left on device")
            # More than can have been written down beforehand.
            for _ in range(50):
                send_one()
            is_waiting(daemon, "send_budget_wait_ms")
            assert len(server.messages) < len(texts)
            os.unlink(filler)
            server.heard(len(texts))
            assert server.messages == texts
            daemon.expect("budget-works", state)
        kill(daemon)
    finally:
        subprocess.run(["umount", "-l", state], check=True)


class Faults:
    """A disk that does as it is told, and a death at the worst moment; see tests/harness/disk_faults.c."""

    def __init__(self, folder):
        self._folder = os.path.join(folder, "faults")
        os.mkdir(self._folder)
        self.env = {
            "LD_PRELOAD": os.path.join(BUILD, "tests", "harness", ".libs", "disk_faults.so"),
            "DISK_FAULTS": self._folder,
        }
        if IS_SANITIZED or not os.path.exists(self.env["LD_PRELOAD"]):
            pytest.skip("nothing can be preloaded")

    def begin(self, name):
        with open(os.path.join(self._folder, name), "wb"):
            pass

    def end(self, name):
        os.unlink(os.path.join(self._folder, name))

    def hangs(self):
        """Until somebody waits for the disk."""
        wait_until(lambda: os.path.exists(os.path.join(self._folder, "hanging")), "nobody waits for the disk")


@pytest.fixture
def faults(folder):
    return Faults(folder)


@pytest.fixture
def open_server():
    """What has no budget."""
    with Counting() as server:
        yield server


def sends_and_hears(channel, server):
    """A message there, and what it is answered with: the daemon is not disturbed."""
    text = os.urandom(4).hex()
    channel.send(text)
    wait_until(lambda: text in server.messages, "no message comes")


@pytest.mark.parametrize("is_beginning", [True, False])
def test_a_disk_that_hangs_holds_up_nobody_without_a_budget(life, server, open_server, faults, is_beginning):
    if is_beginning:
        faults.begin("hang")
    more = f'endpoint "open" {{\n    url = "{open_server.server.url}"\n}}'
    daemon = life('connect-rate = "9 per h"\n    send-rate = "9 per h"', more, faults.env)
    with daemon.client() as client, daemon.client() as neighbour:
        other = neighbour.open("wsplex-endpoint:open", sharing="default")
        assert other.wait(Opened)
        channel = client.open(NAME, sharing="default")
        if is_beginning:
            is_waiting(daemon, "connect_budget_wait_ms")
        else:
            channel.wait(Opened)
            channel.send("before")
            server.heard(1)
            faults.begin("hang")
            channel.send("one")
            channel.send("two")
            is_waiting(daemon, "send_budget_wait_ms")
        faults.hangs()
        for _ in range(20):
            sends_and_hears(other, open_server)
        assert daemon.ctl("endpoints", check=0).stdout
        daemon.expect("budget-stuck", "the disk has not answered for 5 s; whatever has a budget waits")
        sends_and_hears(other, open_server)
        assert neighbour.open("wsplex-endpoint:open", sharing="default").wait(Opened)
        assert server.messages == ([] if is_beginning else ["before"])
        assert server.server.n_accepted == (0 if is_beginning else 1)
        faults.end("hang")
        if is_beginning:
            channel.wait(Opened)
            channel.send("one")
            channel.send("two")
        wait_until(lambda: server.messages[-2:] == ["one", "two"], lambda: f"heard {server.messages}")
        daemon.expect("budget-works")
        assert server.n_connections == 1
    daemon.stop()
    daemon.check_log()


@pytest.mark.parametrize("is_waited_for", [False, True])
def test_a_stop_does_not_wait_for_a_disk_that_hangs(life, server, faults, is_waited_for):
    daemon = life('connect-rate = "9 per h"', env=faults.env)
    with daemon.client() as client:
        channel = client.open(NAME, sharing="default")
        channel.wait(Opened)
        channel.close(1000)
        channel.wait(Closed)
        wait_until(lambda: not daemon.upstreams(), "the connection is not over")
        faults.begin("hang")
        if is_waited_for:
            client.open(NAME, sharing="default")
            faults.hangs()
        daemon.process.kill(signal.SIGTERM)
        assert daemon.process.wait() == 0
        faults.hangs()
    faults.end("hang")
    daemon = life('connect-rate = "9 per h"')
    # What was never made may be in the file: it was written, and then hung on its way to the disk.
    has_used(daemon, "connect", 2 if is_waited_for else 1)
    daemon.check_log()


def inode(state):
    try:
        return os.stat(os.path.join(state, "budgets")).st_ino
    except FileNotFoundError:
        return None


def test_killed_while_the_disk_hangs(life, server, state, faults):
    """What was written of an attempt that was never made counts."""
    for i in range(3):
        before = inode(state)
        daemon = life('connect-rate = "9 per h"', env=faults.env)
        # It is made anew when it has been read: what hangs then is the attempt's line.
        wait_until(lambda before=before: inode(state) != before, "the ledger is not made anew")
        has_used(daemon, "connect", i)
        faults.begin("hang")
        with daemon.client() as client:
            client.open(NAME, sharing="default")
            faults.hangs()
            kill(daemon)
        faults.end("hang")
        faults.end("hanging")
    assert server.server.n_accepted == 0
    daemon = life('connect-rate = "9 per h"')
    has_used(daemon, "connect", 3)
    daemon.check_log()


def test_killed_between_what_is_written_down_and_the_attempt(life, server, faults):
    faults.begin("connect")
    for _ in range(4):
        daemon = life('connect-rate = "4 per h"', env=faults.env)
        with daemon.client() as client:
            client.open(NAME, sharing="default")
            assert daemon.process.wait() == -signal.SIGKILL
    faults.end("connect")
    daemon = life('connect-rate = "4 per h"', env=faults.env)
    with daemon.client() as client:
        client.open(NAME, sharing="default")
        is_waiting(daemon, "connect_budget_wait_ms", 3000000)
        has_used(daemon, "connect", 4)
    assert server.server.n_accepted == 0
    daemon.stop()
    daemon.check_log()


def test_a_slow_disk_loses_nothing(life, server, faults):
    faults.begin("slow")
    daemon = life('connect-rate = "9 per h"\n    send-rate = "1000 per h"', env=faults.env)
    texts = [str(i) for i in range(60)]
    with daemon.client() as client:
        channel = client.open(NAME, sharing="default")
        for text in texts:
            channel.send(text)
        server.heard(len(texts))
        assert server.messages == texts
    daemon.stop()
    daemon.check_log()
    daemon = life('send-rate = "1000 per h"')
    wait_until(lambda: used(daemon, "send") >= len(texts), lambda: f"{used(daemon, 'send')} of {len(texts)}")


def test_the_state_directory_is_that_of_the_start(life, server, state, folder):
    daemon = life('connect-rate = "9 per h"')
    other = os.path.join(folder, "other")
    daemon.configure(configuration(server, other, 'connect-rate = "9 per h"'))
    daemon.process.kill(signal.SIGHUP)
    daemon.expect("reloaded")
    with daemon.client() as client:
        client.open(NAME, sharing="default").wait(Opened)
    with open(os.path.join(state, "budgets"), encoding="ascii") as file:
        assert file.read().splitlines()[-1].endswith(" endpoint feed connect 1")
    assert not os.path.exists(other)
    daemon.stop()
    daemon.check_log()
