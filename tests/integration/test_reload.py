# SPDX-License-Identifier: MIT
"""A configuration that changes under programs that are connected: since when each option holds."""

import contextlib
import os
import re
import signal
import socket

import pytest
from process import TOP, wait_until
from servers import CLOSE, PING, TEXT, RawServer, frame
from wsplex_client import ChannelEnded, Closed, Failed, Interrupted, Message, Opened, Resumed, Unsent

SOON = "persist = yes backoff-min = 1ms backoff-max = 20ms"


class Feed:
    """A server that hears everything, and can cut what is open."""

    def __init__(self):
        self.peers = []
        self.heard = []  # (number of the connection, opcode, payload)

    def __call__(self, peer):
        self.peers.append(peer)
        number = len(self.peers)
        peer.upgrade()
        peer.raw(frame(TEXT, b"connection %d" % number))
        while (got := peer.read_frame()) is not None:
            self.heard.append((number, got[0] & 0x0F, got[1].decode(errors="replace")))
            if got[0] & 0x0F == CLOSE:
                peer.raw(frame(CLOSE, got[1]))
                break
        with contextlib.suppress(OSError):
            peer.socket.shutdown(socket.SHUT_RDWR)

    def cut(self):
        for peer in list(self.peers):
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)

    def texts(self, number):
        return [text for n, opcode, text in self.heard if n == number and opcode == TEXT]


@pytest.fixture
def feed():
    story = Feed()
    with RawServer(story) as server:
        story.url = server.url
        yield story


def endpoint(feed, more="", name="feed", url=None, soon=SOON):
    linger = "" if "linger" in more or "share" in more else "linger = 0"
    return f'endpoint "{name}" {{ url = "{url or feed.url + "/" + name}" {soon} {linger} {more} }}\n'


def opens(client, name="feed"):
    channel = client.open(f"wsplex-endpoint:{name}", sharing="default")
    channel.wait(Message)
    return channel


def reload(daemon, config):
    daemon.n_reloads = getattr(daemon, "n_reloads", 0) + 1
    daemon.configure(config)
    daemon.process.kill(signal.SIGHUP)
    daemon.expect("reloaded", n_lines=daemon.n_reloads)


# What stands before and after; TLS's options mean nothing without TLS, and are left to the last test.
CHANGES = {
    "protocols": ("", 'protocols = {"v2"}'),
    "headers": ('headers = {"A: b"}', 'headers = {"A: c"}'),
    "proxy": ("proxy = none", ""),
    "no-proxy": ('no-proxy = "a.example"', 'no-proxy = "b.example"'),
    "allow": ("", 'allow = {"127.0.0.1"}'),
    "deny": ('deny = {"10.0.0.0/8"}', ""),
    "max-message": ("max-message = 1MiB", "max-message = 2MiB"),
    "deflate": ("", "deflate = no"),
    "deflate-context-takeover": ("", "deflate-context-takeover = no"),
    "deflate-window-bits": ("", "deflate-window-bits = 10"),
    "users": ("", 'users = {"0: open send receive"}'),
    "groups": ("", 'groups = {"0: open send receive"}'),
    "share": ("", "share = no"),
    "linger": ("linger = 0", "linger = 2s"),
    "slow-consumer": ("", "slow-consumer = drop-oldest"),
    "allow-slow-consumer": ("", "allow-slow-consumer = {disconnect}"),
    "queue": ("queue = 1MiB", "queue = 2MiB"),
    "queue-messages": ("", "queue-messages = 7"),
    "conflate-key": ("slow-consumer = conflate", "slow-consumer = conflate conflate-key = 'prefix:1'"),
    "replay": ("replay = 1", "replay = 2"),
    "replay-bytes": ("replay = 1 replay-bytes = 1MiB", "replay = 1 replay-bytes = 2MiB"),
    "block-timeout": ("slow-consumer = block", "slow-consumer = block block-timeout = 1min"),
    "connect-timeout": ("", "connect-timeout = 20s"),
    "close-timeout": ("", "close-timeout = 6s"),
    "route-replies": ("", "route-replies = yes"),
    "route-member": ("route-replies = yes", "route-replies = yes route-member = req"),
    "route-timeout": ("route-replies = yes", "route-replies = yes route-timeout = 7s"),
    "route-pending": ("route-replies = yes", "route-replies = yes route-pending = 7"),
    "ping": ("", "ping = 10s"),
    "pong-timeout": ("", "pong-timeout = 30s"),
    "greeting": ("", 'greeting = {"hello"}'),
    "greeting-interval": ("", "greeting-interval = 1ms"),
    "heartbeat": ("", 'heartbeat = "beat"'),
    "heartbeat-interval": ('heartbeat = "beat"', 'heartbeat = "beat" heartbeat-interval = 30s'),
    "heartbeat-answer": ('heartbeat = "beat"', 'heartbeat = "beat" heartbeat-answer = "x"'),
    "heartbeat-timeout": (
        'heartbeat = "beat" heartbeat-answer = "x"',
        'heartbeat = "beat" heartbeat-answer = "x" heartbeat-timeout = 30s',
    ),
    "heartbeat-request": (
        'heartbeat-request = "a" heartbeat-reply = "b"',
        'heartbeat-request = "x" heartbeat-reply = "b"',
    ),
    "heartbeat-reply": (
        'heartbeat-request = "a" heartbeat-reply = "b"',
        'heartbeat-request = "a" heartbeat-reply = "y"',
    ),
    "autostart": ("", "autostart = yes"),
    "min-uptime": ("", "min-uptime = 1s"),
    "rotate": ("", "rotate = 24h"),
    "offline": ("", "offline = refuse"),
    "final-codes": ("", "final-codes = {4000}"),
    "tcp-keepalive": ("", "tcp-keepalive = 2min"),
    "tcp-user-timeout": ("", "tcp-user-timeout = 2min"),
    "connect-rate": ('connect-rate = "900 per second"', 'connect-rate = "1000 per second"'),
    "send-rate": ('send-rate = "900 per second"', 'send-rate = "1000 per second"'),
}
OTHERWISE = {"url", "persist", "backoff-min", "backoff-max"}  # each has a test of its own, or stands in all of them
OF_TLS = {"ca-file", "ca-path", "cert-file", "key-file", "pin", "insecure-tls"}


def classes():
    """Of each option of an endpoint, as its row has it."""
    with open(os.path.join(TOP, "daemon", "options.def"), encoding="utf-8") as file:
        rows = re.findall(r'^ENDPOINT_OPTION\("([a-z-]+)", \w+, \w+, (\w+),', file.read(), re.MULTILINE)
    return dict(rows)


def test_only_what_is_anew_does_not_come_back(feed, make_daemon, folder):
    """One endpoint for each option, which one reload changes. Then the server cuts them all."""
    rows = classes()
    assert set(CHANGES) | OTHERWISE | OF_TLS == set(rows)
    before, after = (
        f'state-dir = "{folder}/state"\n' + "".join(endpoint(feed, texts[i], name) for name, texts in CHANGES.items())
        for i in (0, 1)
    )
    daemon = make_daemon(before)
    daemon.forgive("upstream-away")
    for name in ("upstream-failed", "left-out"):
        daemon.forgive(name)
    with daemon.client() as client:
        channels = {name: opens(client, name) for name in CHANGES}
        assert len(feed.peers) == len(CHANGES)
        reload(daemon, after)
        feed.cut()
        comes_back = {}
        for name, channel in channels.items():
            try:
                channel.wait(Resumed)
                comes_back[name] = True
            except ChannelEnded:
                comes_back[name] = False
        reload(daemon, "")
    assert comes_back == {name: rows[name] != "ANEW" for name in CHANGES}


def test_pings_begin_at_once(feed, make_daemon):
    daemon = make_daemon(endpoint(feed, "ping = 0"))
    daemon.forgive("upstream-away")
    with daemon.client() as client:
        channel = opens(client)
        reload(daemon, endpoint(feed, "ping = 50ms"))
        wait_until(lambda: any(opcode == PING for _, opcode, _ in feed.heard), lambda: feed.heard)
        # Nothing answers them, and the next reload says how long that may take.
        reload(daemon, endpoint(feed, "ping = 50ms pong-timeout = 100ms"))
        assert channel.wait(Interrupted).cause == "lost"


def test_a_renewal_is_planned_at_once(feed, make_daemon):
    daemon = make_daemon(endpoint(feed))
    daemon.forgive("upstream-away")
    with daemon.client() as client:
        channel = opens(client)
        reload(daemon, endpoint(feed, "rotate = 100ms"))
        assert channel.wait(Interrupted).cause == "planned"
        channel.wait(Resumed)


def test_a_code_is_final_at_once(feed, make_daemon):
    daemon = make_daemon(endpoint(feed))
    with daemon.client() as client:
        channel = opens(client)
        reload(daemon, endpoint(feed, "final-codes = {4000}"))
        feed.peers[0].raw(frame(CLOSE, b"\x0f\xa0"))
        assert channel.wait(Closed).code == 4000


def test_persistence_is_given_and_taken_at_once(feed, make_daemon, folder):
    """It need not be there when a program comes; and who waits is let go when it goes."""
    state = f'state-dir = "{folder}/state"\n'
    plain = state + endpoint(feed, 'connect-rate = "100 per second"', soon="")
    daemon = make_daemon(plain)
    daemon.forgive("upstream-away")
    with daemon.client() as client:
        channel = opens(client)
        reload(daemon, state + endpoint(feed, 'connect-rate = "100 per second"'))
        feed.cut()
        channel.wait(Resumed)
        # Away for as long as anybody looks.
        reload(daemon, state + endpoint(feed, 'connect-rate = "1 per day"'))
        feed.cut()
        channel.wait(Interrupted)
        reload(daemon, plain)
        assert channel.wait(Failed).cause == "cancelled"


def test_what_waits_is_refused_at_once(feed, make_daemon, folder):
    state, away = f'state-dir = "{folder}/state"\n', 'connect-rate = "1 per day"'
    daemon = make_daemon(state + endpoint(feed, away))
    daemon.forgive("upstream-away")
    with daemon.client() as client:
        channel = opens(client)
        feed.cut()
        channel.wait(Interrupted)
        channel.send("waits")
        reload(daemon, state + endpoint(feed, f"{away} offline = refuse"))
        assert channel.wait(Unsent).messages == 1


def test_greeting_and_heartbeat_come_with_the_next_connection(feed, make_daemon):
    """Not in the midst of one: it has been greeted."""
    daemon = make_daemon(endpoint(feed, 'greeting = {"old"}'))
    daemon.forgive("upstream-away")
    with daemon.client() as client:
        channel = opens(client)
        wait_until(lambda: feed.texts(1) == ["old"], lambda: feed.heard)
        new = 'greeting = {"new", "newer"} greeting-interval = 1ms heartbeat = "beat" heartbeat-interval = 100ms'
        reload(daemon, endpoint(feed, new))
        # And what comes after it in another reload goes with it.
        reload(daemon, endpoint(feed, f"{new} ping = 20s"))
        channel.send("last")
        wait_until(lambda: feed.texts(1)[-1] == "last", lambda: feed.heard)
        assert feed.texts(1) == ["old", "last"]
        feed.cut()
        channel.wait(Resumed)
        wait_until(lambda: feed.texts(2)[:4] == ["new", "newer", "beat", "beat"], lambda: feed.heard)


def test_each_program_has_what_held_when_it_came(feed, make_daemon):
    daemon = make_daemon(endpoint(feed, "queue = 1MiB"))
    with daemon.client() as client:
        opens(client)
        reload(daemon, endpoint(feed, "queue = 2MiB slow-consumer = drop-oldest"))
        client.open("wsplex-endpoint:feed", sharing="default").wait(Opened)
        assert len(feed.peers) == 1
        shown = [daemon.request("show", str(row["id"])) for row in daemon.channels()]
        assert [(row["queue_bytes"], row["slow_consumer"]) for row in shown] == [
            (1 << 20, "disconnect"), (2 << 20, "drop-oldest"),
        ]  # fmt: skip


def test_less_is_kept_at_once(feed, make_daemon):
    """And no more than that is replayed to who comes then."""
    daemon = make_daemon(endpoint(feed, "replay = 10"))
    with daemon.client() as client:
        channel = opens(client)
        for i in range(5):
            feed.peers[0].raw(frame(TEXT, b"%d" % i))
            channel.wait(Message)
        reload(daemon, endpoint(feed, "replay = 2"))
        late = client.open("wsplex-endpoint:feed", sharing="default")
        assert [late.wait(Message).data for _ in range(2)] == ["3", "4"]
        reload(daemon, endpoint(feed, "replay = 3"))
        later = client.open("wsplex-endpoint:feed", sharing="default")
        assert [later.wait(Message).data for _ in range(2)] == ["3", "4"]


def test_who_comes_after_a_change_does_not_meet_those_before(feed, make_daemon):
    """Both go on, each on its own; the old one to its end."""
    daemon = make_daemon(endpoint(feed))
    daemon.forgive("upstream-away")
    daemon.forgive("upstream-failed")
    with daemon.client() as client:
        old = opens(client)
        reload(daemon, endpoint(feed, url=feed.url + "/new"))
        new = client.open("wsplex-endpoint:feed", sharing="default")
        assert new.wait(Message).data == "connection 2"
        feed.cut()
        with pytest.raises(ChannelEnded):
            old.wait(Resumed)
        new.wait(Resumed)
