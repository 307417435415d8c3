# SPDX-License-Identifier: MIT
"""Persistent endpoints: what a program sees of servers that cut, refuse, restart and change."""

import contextlib
import json
import signal
import socket
import struct
import threading
import time

import pytest
from process import DEADLINE, TICK, free_port, wait_until
from servers import CLOSE, KINDS, TEXT, RawServer, Server, frame, new_path
from wsplex_client import ChannelEnded, Closed, Failed, Gap, Interrupted, Message, Opened, Resumed, Unsent

SOON = "backoff-min = 1ms backoff-max = 20ms linger = 0"


def endpoint(url, more="", name="feed"):
    return f'endpoint "{name}" {{ url = "{url}" persist = yes {SOON} {more} }}\n'


def opens(client, name="feed"):
    return client.open(f"wsplex-endpoint:{name}", sharing="default")


def hang_up(peer):
    """As a machine that is switched off, if it were polite: no Close."""
    with contextlib.suppress(OSError):
        peer.socket.shutdown(socket.SHUT_RDWR)


class Story:
    """A scripted server whose connections are told one after the other what they do; the last goes on for all others.

    Where the story waits for the test, it goes on with next().
    """

    def __init__(self, *acts):
        self.acts = acts
        self.times = []
        self.heard = []
        self._next = threading.Event()

    def __call__(self, peer):
        self.times.append(time.monotonic())
        act = self.acts[min(len(self.times), len(self.acts)) - 1]
        act(self, peer)

    def next(self):
        self._next.set()

    def wait(self):
        assert self._next.wait(DEADLINE)
        self._next.clear()


def greeting(story):
    """Which connection it is. With the answer, so that it is as old as the connection."""
    return frame(TEXT, b"connection %d" % len(story.times))


def stays(story, peer):
    """Tells which connection it is, and hears what comes to the end."""
    peer.upgrade(greeting(story))
    while (got := peer.read_frame()) is not None:
        if got[0] == 0x80 | CLOSE:
            peer.raw(frame(CLOSE, got[1]))
            hang_up(peer)
            return
        story.heard.append(got[1].decode())


def waits(story, peer):
    story.wait()
    stays(story, peer)


def cuts(story, peer):
    peer.upgrade(greeting(story))
    story.heard.append(peer.read_frame()[1].decode())
    hang_up(peer)


def closes(code):
    def act(_story, peer):
        peer.upgrade()
        peer.raw(frame(CLOSE, struct.pack(">H", code) + b"restart"))
        peer.read_frame()
        hang_up(peer)

    return act


def refuses(status, more=""):
    def act(_story, peer):
        peer.read_request()
        peer.raw(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{more}\r\n")
        hang_up(peer)

    return act


def test_a_cut_is_told_and_mended(make_daemon):
    """Two programs on one connection; what they send while it is away arrives, once."""

    def cuts_when_both_are_there(story, peer):
        story.wait()
        cuts(story, peer)

    story = Story(cuts_when_both_are_there, refuses(502), refuses(503), stays)
    with RawServer(story) as server:
        daemon = make_daemon(endpoint(server.url))
        with daemon.client() as one, daemon.client() as two:
            a, b = opens(one), opens(two)
            wait_until(lambda: len(daemon.channels()) == 2, daemon.channels)
            story.next()
            for channel in (a, b):
                assert channel.wait(Message).data == "connection 1"
            epoch = a.epoch
            a.send("cut me")
            for channel in (a, b):
                assert channel.wait(Interrupted).cause == "lost"
                channel.send("meanwhile")
                gap = channel.wait(Gap)
                assert (gap.reason, gap.count) == ("reconnected", None)
                channel.wait(Resumed)
                assert channel.wait(Message).data == "connection 4"
            assert a.epoch == b.epoch != epoch
            wait_until(lambda: story.heard == ["cut me", "meanwhile", "meanwhile"], lambda: story.heard)
            a.close()
            b.close()
        daemon.expect("upstream-away", "lost: .*; next attempt in")
        daemon.expect("upstream-attempt", "502|503", 2)
        daemon.expect("upstream-back", "at attempt 3")
        daemon.wait_idle()


@pytest.mark.parametrize("code", [1000, 1001, 1012, 4003])
def test_a_close_that_heals(make_daemon, code):
    with RawServer(Story(closes(code), stays)) as server:
        daemon = make_daemon(endpoint(server.url))
        with daemon.client() as client:
            channel = opens(client)
            interrupted = channel.wait(Interrupted)
            assert interrupted.cause == "server-closed"
            assert f"{code}: restart" in interrupted.text
            channel.wait(Resumed)
        daemon.expect("upstream-away", f"closed with code {code};")
        daemon.expect("upstream-back")
        daemon.wait_idle()


@pytest.mark.parametrize("code, more", [(1008, ""), (4012, 'final-codes = {"4010-4014"}')])
def test_a_close_that_is_final(make_daemon, code, more):
    with RawServer(Story(closes(code))) as server:
        daemon = make_daemon(endpoint(server.url, more))
        with daemon.client() as client:
            channel = opens(client)
            while not isinstance(event := channel.recv(), Closed):
                assert not isinstance(event, (Interrupted, Failed)), event
            assert (event.code, event.reason, event.was_clean) == (code, "restart", True)
        daemon.wait_idle()
        assert server.n_accepted == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_that_is_final(make_daemon, status):
    """First attempts and further ones alike."""
    with RawServer(Story(refuses(status))) as server, RawServer(Story(cuts, refuses(status))) as later:
        daemon = make_daemon(endpoint(server.url) + endpoint(later.url, name="later"))
        with daemon.client() as client:
            channel, other = opens(client), opens(client, "later")
            failed = channel.wait(Failed)
            assert (failed.cause, failed.http_status) == ("handshake", status)
            other.wait(Message)
            other.send("cut me")
            other.wait(Interrupted)
            failed = other.wait(Failed)
            assert (failed.cause, failed.http_status) == ("handshake", status)
            assert other.wait(Closed).code == 1006
        daemon.expect("upstream-away")
        daemon.expect("upstream-failed", str(status), 2)
        daemon.wait_idle()
        assert (server.n_accepted, later.n_accepted) == (1, 2)


def test_retry_after_is_waited_for(make_daemon):
    """A first connection that is refused is tried again, not before the time that the server names."""
    story = Story(refuses(503, "Retry-After: 1\r\n"), refuses(403, "Retry-After: 1\r\n"), waits)
    with RawServer(story) as server:
        daemon = make_daemon(endpoint(server.url))
        with daemon.client() as client:
            channel = opens(client)
            wait_until(lambda: any(row["attempts_failed"] for row in daemon.upstreams()), daemon.upstreams)
            (row,) = daemon.upstreams()
            assert row["state"] == "connecting" and ("503" in row["failure"] or "403" in row["failure"]), row
            shown = daemon.request("show", str(row["id"]))
            assert shown["http_status"] in (503, 403) and shown["persistent"] is True
            story.next()
            assert channel.wait(Message).data == "connection 3"
        assert min(story.times[i + 1] - story.times[i] for i in range(2)) >= 1 - TICK
        daemon.expect("upstream-away", "503")
        daemon.expect("upstream-attempt", "403")
        daemon.expect("upstream-back")
        daemon.wait_idle()


def test_refused_sends_are_told(make_daemon):
    """offline = refuse: what is sent while the server is away is reported, and never arrives."""
    story = Story(cuts, waits)
    with RawServer(story) as server:
        daemon = make_daemon(endpoint(server.url, "offline = refuse"))
        with daemon.client() as client:
            channel = opens(client)
            channel.wait(Message)
            channel.send("cut me")
            channel.wait(Interrupted)
            channel.send("never")
            channel.send(b"mind")
            while (unsent := channel.wait(Unsent)).messages < 2:
                pass
            assert unsent.bytes == 9 and channel.buffered_amount == 0
            story.next()
            channel.wait(Resumed)
            channel.send("after")
            wait_until(lambda: story.heard == ["cut me", "after"], lambda: story.heard)
        daemon.expect("upstream-away")
        daemon.expect("upstream-back")
        daemon.wait_idle()


def test_it_is_renewed_as_planned(make_daemon):
    story = Story(stays)
    with RawServer(story) as server:
        daemon = make_daemon(endpoint(server.url, "rotate = 200ms"))
        with daemon.client() as client:
            channel = opens(client)
            for n in range(1, 4):
                assert channel.wait(Message).data == f"connection {n}"
                assert channel.wait(Interrupted).cause == "planned"
                channel.wait(Gap)
                channel.wait(Resumed)
        daemon.wait_idle()  # and its log has nothing to complain about


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_restarted(make_daemon, certificate, kind):
    """Servers that are not ours are killed, and started again at the same place, while programs hold on."""
    path = new_path("echo")
    place = {"wss 127.0.0.1": free_port()}
    with Server(kind, certificate, ports=place) as server:
        daemon = make_daemon(endpoint(server.url(path, "wss")))
        with daemon.client() as client:
            channel = opens(client)
            channel.send("one")
            assert channel.wait(Message).data == "one"
            server.kill(signal.SIGKILL)
            channel.wait(Interrupted)
            channel.send("two")
            with Server(kind, certificate, ports=place):
                channel.wait(Resumed)
                assert channel.wait(Message).data == "two"
                channel.close()
                channel.wait(Closed)
                wait_until(lambda: not daemon.upstreams(), daemon.upstreams)
    daemon.expect("upstream-away")
    daemon.forgive("left-out")  # of many attempts
    daemon.expect("upstream-back")
    daemon.wait_idle()


def test_a_certificate_that_becomes_bad_is_final_until_a_reload(make_daemon, authority, certificate):
    """autostart, so that somebody is there to try again: not before SIGHUP."""
    bad = authority.issue("moved", names="DNS:elsewhere.example")
    story, port = Story(stays), free_port()
    with RawServer(story, certificate=certificate, port=port) as server:
        daemon = make_daemon(endpoint(server.url, "autostart = yes", name="auto"))
        with daemon.client() as client:
            opens(client, "auto").wait(Opened)
        server.go_away()
    with RawServer(story, certificate=bad, port=port) as server:
        daemon.expect("upstream-failed", "certificate is not for")
        n_accepted = server.n_accepted
        assert daemon.upstreams() == []
        (row,) = daemon.request("endpoints")
        assert "certificate is not for" in row["ended"] and row["ended"].endswith("; a reload begins it anew")
        assert row["ended"] in daemon.ctl("endpoints").stdout.decode()
    with RawServer(story, certificate=certificate, port=port) as server:
        assert n_accepted >= 1 and server.n_accepted == 0
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        wait_until(lambda: [row["state"] for row in daemon.upstreams()] == ["open"], daemon.upstreams)
        assert "ended" not in daemon.request("endpoints")[0]
        daemon.configure("")
        daemon.process.kill(signal.SIGHUP)
        wait_until(lambda: daemon.upstreams() == [], daemon.upstreams)
    daemon.forgive("upstream-away")
    daemon.forgive("left-out")


# --- autostart and reloads ---


def reload(daemon, config, n_reloads):
    daemon.configure(config)
    daemon.process.kill(signal.SIGHUP)
    daemon.expect("reloaded", n_lines=n_reloads)


def states(daemon):
    return {row["url"].split(":")[1]: (row["state"], row["id"]) for row in daemon.upstreams()}


def auto(url, name="auto", more=""):
    return endpoint(url, f"autostart = yes {more}", name)


def test_autostart_and_reload(make_daemon):
    """It is there before any program; a reload touches only what has changed."""
    story = Story(stays)
    with RawServer(story) as server:
        both = auto(server.url + "/a", "a") + auto(server.url + "/b", "b")
        daemon = make_daemon(both)
        wait_until(lambda: len(states(daemon)) == 2 and {s for s, _ in states(daemon).values()} == {"open"}, "both")
        before = states(daemon)
        reload(daemon, both, 1)
        assert states(daemon) == before
        assert server.n_accepted == 2

        # a has got another greeting, b stays.
        with daemon.client() as client:
            channel = opens(client, "b")
            channel.wait(Opened)
            reload(daemon, auto(server.url + "/a", "a", 'greeting = {"new"}') + auto(server.url + "/b", "b"), 2)
            wait_until(lambda: story.heard == ["new"], lambda: story.heard)
            after = states(daemon)
            assert after["b"] == before["b"] and after["a"] != before["a"]

            # Both go: b only when its program has left.
            reload(daemon, "", 3)
            wait_until(lambda: set(states(daemon)) == {"b"}, lambda: states(daemon))
            channel.send("still there")
            wait_until(lambda: "still there" in story.heard, lambda: story.heard)
        wait_until(lambda: daemon.upstreams() == [], daemon.upstreams)


def test_what_has_changed_does_not_come_back_as_it_was(make_daemon):
    """Its program is told, and finds the new one."""
    story, other = Story(cuts, stays), Story(stays)
    with RawServer(story) as server, RawServer(other) as moved:
        daemon = make_daemon(endpoint(server.url))
        with daemon.client() as client:
            channel = opens(client)
            channel.wait(Message)
            reload(daemon, endpoint(moved.url), 1)
            channel.send("cut me")
            with pytest.raises(ChannelEnded):
                channel.wait(Interrupted)
            again = opens(client)
            assert again.wait(Message).data == "connection 1"
        assert (server.n_accepted, moved.n_accepted) == (1, 1)
        daemon.expect("upstream-failed")
        daemon.wait_idle()


def test_what_is_begun_by_itself_and_has_changed_begins_anew_when_it_is_lost(make_daemon):
    """Not before: its program is on it. And with nobody who asks for it."""
    with RawServer(Story(cuts, stays)) as server, RawServer(Story(stays)) as moved:
        daemon = make_daemon(auto(server.url))
        with daemon.client() as client:
            channel = opens(client, "auto")
            channel.wait(Opened)
            reload(daemon, auto(moved.url), 1)
            assert [state for state, _ in states(daemon).values()] == ["open"] and moved.n_accepted == 0
            channel.send("cut me")
            with pytest.raises(ChannelEnded):
                channel.wait(Interrupted)
        wait_until(lambda: [state for state, _ in states(daemon).values()] == ["open"], daemon.upstreams)
        assert (server.n_accepted, moved.n_accepted) == (1, 1)
        daemon.expect("upstream-failed")
        reload(daemon, "", 2)
        daemon.wait_idle()


def test_a_reload_ends_the_wait_for_a_place_that_is_left(make_daemon):
    with RawServer(Story(refuses(503, "Retry-After: 3000\r\n"))) as server, RawServer(Story(stays)) as moved:
        daemon = make_daemon(auto(server.url))
        with daemon.client() as client:
            channel = opens(client, "auto")
            wait_until(lambda: any(row["next_attempt_ms"] for row in daemon.upstreams()), daemon.upstreams)
            reload(daemon, auto(moved.url), 1)
            failed = channel.wait(Failed)
            assert failed.cause == "cancelled" and "changed" in failed.text
            opens(client, "auto").wait(Opened)
        daemon.expect("upstream-away", "503")
        reload(daemon, "", 2)
        daemon.wait_idle()


# --- what people see ---


def test_ctl_shows_what_is_awaited(make_daemon):
    with RawServer(Story(cuts, refuses(503, "Retry-After: 3000\r\n"))) as server:
        daemon = make_daemon(endpoint(server.url))
        with daemon.client() as client:
            channel = opens(client)
            channel.wait(Message)
            channel.send("cut me")
            channel.wait(Interrupted)
            wait_until(lambda: any(row["attempts_failed"] for row in daemon.upstreams()), daemon.upstreams)
            (row,) = json.loads(daemon.ctl("upstreams", "--json", check=0).stdout)
            assert row["state"] == "reconnecting" and row["interruptions"] == 1
            assert 3000000 - 1000 * DEADLINE < row["next_attempt_ms"] <= 3001000
            text = daemon.ctl("show", str(row["id"]), check=0).stdout.decode()
            assert "reconnecting" in text and "503" in text
            assert b"reconnecting" in daemon.ctl("upstreams", check=0).stdout
            channel.close()
            while not isinstance(event := channel.recv(), Closed):
                pass
            assert event.was_clean
        daemon.expect("upstream-away")
        daemon.wait_idle()
