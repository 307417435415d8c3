# SPDX-License-Identifier: MIT
"""Getting there, in a network namespace: addresses that refuse or swallow (RFC 8305), and names."""

import contextlib
import shutil
import time

import pytest
import users
from network import (
    A,
    IPV4,
    IPV4_LOST,
    IPV4_SILENT,
    IPV4_TOO,
    IPV6,
    IPV6_LOST,
    IPV6_SILENT,
    IPV6_TOO,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    NameServer,
    Network,
    why_not,
)
from process import DEADLINE, TICK, wait_until
from servers import CLOSE, RawServer, frame
from wsplex_client import Closed, Failed, Opened

WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no network namespaces: {WHY_NOT}")
needs_dnsmasq = pytest.mark.skipif(
    shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") is None or users.why_not() is not None,
    reason=f"needs dnsmasq (package dnsmasq-base), which changes its groups: {users.why_not() or 'it may'}",
)

NAME = "feed.example"
PORT = 4711
ATTEMPT_DELAY = 0.25  # RFC 8305, section 8


def script(peer):
    peer.upgrade()
    peer.read_close()
    peer.raw(frame(CLOSE))


@pytest.fixture
def network(folder):
    with Network(folder) as network:
        yield network


@pytest.fixture
def serve(network):
    """serve(address, ...) listens on these, all on one port."""
    with contextlib.ExitStack() as stack:

        def serve(*addresses):
            for address in addresses:
                stack.enter_context(network.inside(lambda address=address: RawServer(script, address, port=PORT)))

        yield serve


@pytest.fixture
def name_server(network):
    """name_server(address, answer) is a NameServer there."""
    with contextlib.ExitStack() as stack:
        yield lambda address, answer: stack.enter_context(network.inside(lambda: NameServer(address, answer)))


@pytest.fixture
def start(make_daemon, network):
    """start(connect_timeout) starts the daemon there, with an endpoint for each name that is dialled."""

    def start(timeout="20s", name=NAME):
        config = f'endpoint "a" {{ url = "ws://{name}:{PORT}/" connect-timeout = {timeout} share = no }}'
        return make_daemon(config, command=network.command)

    return start


def shown(address):
    return f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"


def reach(daemon, url="wsplex-endpoint:a"):
    """The address that is reached, and the seconds that it took."""
    begin = time.monotonic()
    with daemon.client() as client:
        channel = client.open(url)
        channel.wait(Opened)
        seconds = time.monotonic() - begin
        (upstream,) = daemon.upstreams()
        channel.close(1000)
    daemon.wait_idle()
    return upstream["address"], seconds


def fail(daemon, url="wsplex-endpoint:a"):
    """Cause and text."""
    with daemon.client() as client:
        failed = client.open(url).wait(Failed)
    daemon.expect("upstream-failed")
    return failed.cause, failed.text


def expect_progress(daemon, text, url="wsplex-endpoint:a"):
    """A connection that does not come about gets so far."""
    seen = set()

    def is_there():
        seen.update(daemon.request("show", str(row["id"]))["progress"] for row in daemon.upstreams())
        return any(progress.startswith(text) for progress in seen)

    with daemon.client() as client:
        channel = client.open(url)
        wait_until(is_there, lambda: f"{text} in {seen}")
        channel.close()
        channel.wait(Closed)


# --- the race ---


def test_of_two_families_ipv6_is_first(network, serve, start):
    network.hosts({NAME: [IPV4, IPV6]})
    serve(IPV4, IPV6)
    assert reach(start())[0] == shown(IPV6)


@pytest.mark.parametrize(
    "addresses, n_delays",
    [
        ([IPV6_SILENT, IPV4], 1),
        ([IPV6_SILENT, IPV4_SILENT, IPV4], 2),
        ([IPV4_SILENT, IPV4], 1),
        ([IPV6_TOO, IPV4], 0),  # refuses
        ([IPV6_LOST, IPV4], 0),  # there is no way
        ([IPV4_LOST, IPV4_TOO, IPV4], 0),
    ],
)
def test_next_address_has_its_turn(network, serve, start, addresses, n_delays):
    """250 ms after one that swallows, at once after one that refuses or cannot be reached."""
    good = [address for address in addresses if address in (IPV4, IPV6)]
    network.hosts({NAME: addresses})
    serve(*good)
    address, seconds = reach(start())
    assert address == shown(good[0])
    assert n_delays * (ATTEMPT_DELAY - TICK) <= seconds < DEADLINE


def test_late_answer_of_the_first_address_does_not_matter(network, serve, start):
    """Whoever answers first wins, and the others are let go: nothing is left of them."""
    network.hosts({NAME: [IPV6_SILENT, IPV4]})
    serve(IPV4)
    daemon = start()
    for _ in range(3):
        assert reach(daemon)[0] == shown(IPV4)


def test_what_each_address_answered_is_told(network, start):
    network.hosts({NAME: [IPV6_TOO, IPV4_LOST, IPV4_TOO]})
    cause, text = fail(start())
    assert cause == "connect"
    assert text.startswith(f"cannot connect to {NAME}; ")
    for part in (f"{shown(IPV6_TOO)}: Connection refused", f"{shown(IPV4_LOST)}: Network is unreachable",
                 f"{shown(IPV4_TOO)}: Connection refused"):  # fmt: skip
        assert part in text


def test_deadline_tells_who_has_not_answered(network, start):
    network.hosts({NAME: [IPV6_TOO, IPV4_SILENT]})
    cause, text = fail(start("1s"))
    assert cause == "timeout"
    assert text == (
        f"not open after 1000 ms: connecting; {shown(IPV6_TOO)}: Connection refused; "
        f"{shown(IPV4_SILENT)}: no answer yet"
    )


@pytest.mark.parametrize("route", ["blackhole", "unreachable", "prohibit"])
def test_routes_that_lead_nowhere(network, serve, start, route):
    network.run("ip", "route", "add", route, f"{IPV4_LOST}/32")
    network.hosts({NAME: [IPV4_LOST, IPV4]})
    serve(IPV4)
    assert reach(start())[0] == shown(IPV4)


def test_waiting_at_one_address_does_not_keep_from_the_other(network, serve, start):
    """RFC 6455, section 4.1, and RFC 8305 together: who waits for somebody's opening tries the next address meanwhile."""
    network.hosts({NAME: [IPV6, IPV4]})
    serve(IPV4)
    with network.inside(lambda: RawServer(lambda peer: held.over.wait(), IPV6, port=PORT)) as held:
        daemon = start()
        with daemon.client() as client:
            first = client.open(f"ws://[{IPV6}]:{PORT}/")  # takes the place, and never opens
            second = client.open("wsplex-endpoint:a")
            second.wait(Opened)
            addresses = [row["address"] for row in daemon.upstreams() if row["state"] == "open"]
            assert addresses == [shown(IPV4)]
            held.expect_accepted(1)
            for channel in (first, second):
                channel.close(1000)
        daemon.wait_idle()


# --- names ---


def both(a, aaaa):
    """Answers of a name server for NAME."""
    return lambda name, kind, is_tcp: NXDOMAIN if name != NAME else a if kind == A else aaaa


@needs_dnsmasq
@pytest.mark.parametrize("address", [IPV4, IPV6])
@pytest.mark.parametrize("name", ["server.corp.example", "server", "alias.corp.example", "deep.alias.corp.example"])
def test_names_of_dnsmasq(network, serve, start, name, address):
    """A and AAAA, whichever comes first, the search domain, one alias and a chain of two."""
    network.resolv_conf("127.0.0.1", more="search lab.example corp.example\n")
    serve(address)
    with network.dnsmasq(f"--host-record=server.corp.example,{IPV4},{IPV6}",
                         "--cname=alias.corp.example,server.corp.example",
                         "--cname=deep.alias.corp.example,alias.corp.example", "--local=/example/"):  # fmt: skip
        assert reach(start(name=name))[0] == shown(address)


@needs_dnsmasq
def test_answer_that_does_not_fit_a_datagram(network, serve, start):
    """dnsmasq truncates a hundred addresses; the last ones of sixteen that are kept would never be reached in time."""
    network.resolv_conf("127.0.0.1")
    serve(IPV4)
    records = [f"--host-record={NAME},{IPV4}"]
    records += [f"--address=/many.example/192.0.2.{i}" for i in range(100, 200)]
    with network.dnsmasq(*records):
        daemon = start(name="many.example")
        expect_progress(daemon, "connecting; 192.0.2.")
        assert reach(daemon, f"ws://{NAME}:{PORT}/")[0] == shown(IPV4)


def test_truncated_answers_are_asked_for_again_by_tcp(network, serve, start, name_server):
    def answer(name, kind, is_tcp):
        return "truncated" if not is_tcp else [IPV4] if kind == A else []

    network.resolv_conf(IPV4_TOO)
    asked = name_server(IPV4_TOO, answer).questions
    serve(IPV4)
    assert reach(start())[0] == shown(IPV4)
    assert {(NAME, A, False), (NAME, A, True)} <= set(asked)


def test_name_server_that_is_dead_gives_way_to_the_next(network, serve, start, name_server):
    network.resolv_conf(IPV4_SILENT, IPV4_TOO)
    name_server(IPV4_TOO, both([IPV4], []))
    serve(IPV4)
    assert reach(start())[0] == shown(IPV4)


@pytest.mark.parametrize("code", [SERVFAIL, REFUSED])
def test_name_server_that_fails_gives_way_to_the_next(network, serve, start, name_server, code):
    network.resolv_conf(IPV4_TOO, IPV6_TOO)
    name_server(IPV4_TOO, lambda *_: code)
    name_server(IPV6_TOO, both([IPV4], []))
    serve(IPV4)
    assert reach(start())[0] == shown(IPV4)


@pytest.mark.parametrize(
    "a, aaaa, expected", [([IPV4], None, IPV4), (None, [IPV6], IPV6), ([IPV4], NXDOMAIN, IPV4), ([IPV4], SERVFAIL, IPV4)]
)
def test_one_family_is_not_answered(network, serve, start, name_server, a, aaaa, expected):
    """Nobody waits for it: for IPv6 50 ms, for IPv4 not at all (RFC 8305, section 3)."""
    network.resolv_conf(IPV4_TOO)
    name_server(IPV4_TOO, both(a, aaaa))
    serve(IPV4, IPV6)
    address, seconds = reach(start())
    # Where it waits for the name server it does so for 14 s.
    assert (address, seconds < 14) == (shown(expected), True), seconds


@pytest.mark.parametrize(
    "answer, why", [(NXDOMAIN, "no such name"), ([], "the name has no address"),
                    (SERVFAIL, "no name server gives an answer"), (REFUSED, "no name server gives an answer")]
)  # fmt: skip
def test_names_that_do_not_lead_anywhere(network, start, name_server, answer, why):
    network.resolv_conf(IPV4_TOO)
    name_server(IPV4_TOO, lambda *_: answer)
    cause, text = fail(start())
    assert (cause, text) == ("resolve", f"{NAME} cannot be resolved: {why}")


@pytest.mark.parametrize("servers", [[IPV4_SILENT], [IPV4_TOO]])
def test_name_servers_that_never_answer_have_the_deadline(network, start, name_server, servers):
    """One that swallows, and one that takes the question and says nothing."""
    network.resolv_conf(*servers)
    name_server(IPV4_TOO, lambda *_: None)
    cause, text = fail(start("500ms"))
    assert (cause, text) == ("timeout", f"not open after 500 ms: asking for the addresses of {NAME}")


def test_hosts_file_goes_before_the_name_servers(network, serve, start, name_server):
    network.resolv_conf(IPV4_TOO)
    asked = name_server(IPV4_TOO, both([IPV4_SILENT], [IPV6_SILENT])).questions
    network.hosts({NAME: [IPV4]})
    serve(IPV4)
    daemon = start()
    assert (reach(daemon)[0], asked) == (shown(IPV4), [])
    # It is looked at each time.
    network.hosts({NAME: [IPV4_TOO]})
    assert fail(daemon)[0] == "connect"


def test_resolv_conf_that_changes_is_read_again(network, serve, start, name_server):
    network.resolv_conf(IPV4_TOO)
    name_server(IPV4_TOO, both([IPV4], []))
    name_server(IPV6_TOO, both([], [IPV6]))
    serve(IPV4, IPV6)
    daemon = start()
    assert reach(daemon)[0] == shown(IPV4)
    network.resolv_conf(IPV6_TOO)
    assert reach(daemon)[0] == shown(IPV6)
    # A machine without network, as a laptop on its way.
    network.resolv_conf()
    assert fail(daemon)[0] == "resolve"
    network.resolv_conf(IPV4_TOO)
    assert reach(daemon)[0] == shown(IPV4)


def test_addresses_are_tried_in_the_order_of_rfc_6724(network, start, name_server):
    """Rule 1: an address that no way leads to comes last, wherever the name server put it. Rule 9: of the others, the
    one that has more bits in common with its source comes first."""
    near, far = "2001:db8::12", "2001:db8:8000::12"
    network.run("ip", "address", "add", f"{near}/64", "dev", "d0", "nodad")
    network.run("ip", "route", "add", "2001:db8:8000::/48", "dev", "d0")
    network.resolv_conf(IPV4_TOO)
    name_server(IPV4_TOO, both([], [IPV6_LOST, far, near]))
    expect_progress(
        start(),
        f"connecting; {shown(near)}: Connection refused; {shown(far)}: no answer yet; "
        f"{shown(IPV6_LOST)}: Network is unreachable",
    )
