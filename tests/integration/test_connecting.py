# SPDX-License-Identifier: MIT
"""How connections come about and stay: a user opens one at a time to an address and port (RFC 6455, section 4.1);
silent servers are pinged."""

import contextlib
import os
import shutil
import subprocess
import threading
import time

import pytest
from network import why_no_ipv6
from process import DEADLINE, wait_until
from program import Program
from servers import CLOSE, PING, PONG, RawServer, frame
from wsplex_client import Failed, Opened

IS_ROOT = os.geteuid() == 0 and shutil.which("setpriv") is not None


class Porter:
    """The script of a RawServer: takes a little time for each upgrade, and writes down who comes and in which company."""

    def __init__(self, seconds=0.01):
        self._seconds = seconds
        self.server = None
        self.go_on = threading.Event()  # nobody is answered before
        self.go_on.set()
        self.paths = []
        self.n_half_open = []

    def __call__(self, peer):
        peer.read_request()
        self.paths.append(peer.path)
        assert self.go_on.wait(DEADLINE)
        time.sleep(self._seconds)
        # Counted before the answer leaves: who gets it may let the next one begin at once.
        self.n_half_open.append(self.server.n_accepted - len(self.n_half_open))
        peer.accept()
        peer.read_close()
        peer.raw(frame(CLOSE))


@contextlib.contextmanager
def serve(script, host, certificate=None):
    with RawServer(script, host, certificate) as server:
        script.server = server
        yield server


def user(uid):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if IS_ROOT else []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_one_at_a_time(make_daemon, certificate, scheme, host):
    """Many WebSockets of several programs of a user: all of them open, and never two at once."""
    if host == "::1" and why_no_ipv6():
        pytest.skip(why_no_ipv6())
    daemon = make_daemon("socket-mode = 0666")
    porter, n_programs, n_each = Porter(), 4, 12
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serve(porter, host, certificate if scheme == "wss" else None))
        programs = [stack.enter_context(Program(daemon.socket, prefix=user(10000)))
                    for _ in range(n_programs)]  # fmt: skip
        for program in programs:
            for i in range(n_each):
                program.open(str(i), server.url + "/")
        for program in programs:
            for i in range(n_each):
                program.event("open", name=str(i))
        assert server.n_accepted == n_programs * n_each
        assert porter.n_half_open == [1] * (n_programs * n_each)
        for program in programs:
            program.finish()
        daemon.wait_idle()


@pytest.mark.skipif(not IS_ROOT, reason="needs root and setpriv")
def test_users_do_not_wait_for_each_other(make_daemon):
    """Whoever has a server keep silent holds up nobody else, and nobody learns that he is there."""
    daemon = make_daemon("socket-mode = 0666")
    porter, n_crowd = Porter(), 20
    porter.go_on.clear()
    with contextlib.ExitStack() as stack:
        stack.enter_context(serve(porter, "127.0.0.1"))
        crowd, one = (stack.enter_context(Program(daemon.socket, prefix=user(uid))) for uid in (10000, 10001))
        for i in range(n_crowd):
            crowd.open(str(i), porter.server.url + "/crowd")
        wait_until(lambda: len(daemon.upstreams()) == n_crowd, "the crowd waits")
        wait_until(lambda: porter.server.n_accepted == 1, "the first of them connects")
        one.open("a", porter.server.url + "/one")
        wait_until(lambda: porter.server.n_accepted == 2, "the other one connects")
        porter.go_on.set()
        for i in range(n_crowd):
            crowd.event("open", name=str(i))
        one.event("open")
        crowd.finish()
        one.finish()
        daemon.wait_idle()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_who_waits_in_vain_is_told_for_what(make_daemon, scheme):
    """A server that accepts and says nothing, neither in TLS nor to an upgrade."""
    with RawServer(lambda peer: server.over.wait()) as server:
        place = f"127.0.0.1:{server.port}"
        daemon = make_daemon(
            f"""endpoint "hasty" {{ url = "{scheme}://{place}/" connect-timeout = 100ms share = no }}
                endpoint "patient" {{ url = "{scheme}://{place}/" connect-timeout = 1h share = no }}"""
        )
        with daemon.client() as client:
            first = client.open("wsplex-endpoint:patient")
            wait_until(lambda: server.n_accepted == 1, "the first one connects")
            second = client.open("wsplex-endpoint:patient")
            number = str(wait_until(lambda: daemon.upstreams()[1:], "the second one waits")[0]["id"])
            what = f"waiting for another connection to {place} to open"
            wait_until(lambda: daemon.request("show", number)["progress"] == what, "it is shown")
            failed = client.open("wsplex-endpoint:hasty").wait(Failed)
            assert failed.cause == "timeout"
            assert failed.text.endswith(f"ms: {what}"), failed.text
            # Nothing came of it to the server, and the first one has not been touched.
            assert (server.n_accepted, first.state) == (1, "connecting")
            # Who gives up lets the next one go on.
            first.close()
            wait_until(lambda: server.n_accepted == 2, "the second one connects")
            second.close()
        daemon.wait_idle()
    daemon.forgive("upstream-failed")


def test_other_addresses_and_ports_do_not_wait(daemon, one_server):
    with RawServer(lambda peer: server.over.wait(), "0.0.0.0") as server:
        with daemon.client() as client:
            held = [client.open(f"ws://127.0.0.{i}:{server.port}/") for i in (1, 2, 3)]
            wait_until(lambda: server.n_accepted == 3, "all connect")
            client.open(one_server.url("/echo")).wait(Opened)
            for channel in held:
                channel.close()
        daemon.wait_idle()


# --- silence ---


def test_silent_server_is_pinged_and_its_round_trip_told(make_daemon, make_program):
    pings = []

    def script(peer):
        peer.upgrade()
        while (got := peer.read_frame())[0] == 0x80 | PING:
            pings.append(got[1])
            time.sleep(0.05)
            peer.raw(frame(PONG, got[1]))
        assert got[0] == 0x80 | CLOSE
        peer.raw(frame(CLOSE))

    with RawServer(script) as server:
        daemon = make_daemon(f'endpoint "a" {{ url = "{server.url}/" ping = 100ms pong-timeout = 10s }}')
        program = make_program(daemon)
        program.open("a", "wsplex-endpoint:a")
        program.event("open")
        number = str(daemon.upstreams()[0]["id"])

        def round_trip():
            return daemon.request("show", number)["round_trip_ms"]

        wait_until(lambda: len(pings) >= 3 and round_trip() is not None, "three pings")
        assert 50 <= round_trip() < 10000
        assert len(set(pings[:3])) == 3
        program.finish()


def test_server_that_goes_on_being_silent_is_given_up(make_daemon, make_program):
    def script(peer):
        peer.upgrade()
        assert peer.read_frame()[0] == 0x80 | PING
        peer.read_end()

    with RawServer(script) as server:
        daemon = make_daemon(f'endpoint "a" {{ url = "{server.url}/" ping = 100ms pong-timeout = 100ms }}')
        program = make_program(daemon)
        program.open("a", "wsplex-endpoint:a")
        program.event("open")
        cause, text = program.failure("a")
        assert cause == "lost"
        assert text == "the server is silent, and for 100 ms not a word after a ping either (pong-timeout)"
        daemon.expect("upstream-failed", "not a word after a ping")


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss (package iproute2)")
@pytest.mark.parametrize("options, expected", [("", True), ("tcp-keepalive = 0", False)])
def test_the_kernel_watches_too(own_server, make_daemon, make_program, options, expected):
    daemon = make_daemon(f'endpoint "a" {{ url = "{own_server.url("/echo")}" {options} }}')
    program = make_program(daemon)
    program.open("a", "wsplex-endpoint:a")
    program.event("open")
    port = daemon.upstreams()[0]["address"].rsplit(":", 1)[1]
    said = subprocess.run(["ss", "-Htno", "dst", f"127.0.0.1:{port}"], capture_output=True, check=True, text=True).stdout
    (line,) = said.splitlines()  # nobody else is connected to that server
    assert ("timer:(keepalive" in line) == expected, line
