# SPDX-License-Identifier: MIT
"""Where URLs may lead: the rules of the daemon and of endpoints, in a network whose names are the test's to give."""

import contextlib
import re
import signal

import pytest
from network import IPV4, IPV6, NXDOMAIN, A, NameServer, Network, why_not
from proxies import Microsocks, Tinyproxy
from servers import CLOSE, TEXT, RawServer, frame
from wsplex_client import Closed, Failed, Message, Opened

WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no network namespaces: {WHY_NOT}")

NAME = "feed.example"
PORT = 4711
# Addresses of the namespace's own that are public everywhere else.
PUBLIC, PUBLIC_V6 = "93.184.215.14", "2606:2800:21f::14"
MAPPED = "::ffff:127.0.0.1"
DEFAULT = "by default, the URLs of programs lead to public addresses only"


def script(peer):
    peer.upgrade()
    peer.raw(frame(TEXT, b"here"))
    peer.read_close()
    peer.raw(frame(CLOSE))


@pytest.fixture
def network(folder):
    with Network(folder) as network:
        network.run("ip", "address", "add", f"{PUBLIC}/32", "dev", "d0")
        network.run("ip", "address", "add", f"{PUBLIC_V6}/128", "dev", "d0", "nodad")
        yield network


@pytest.fixture
def serve(network):
    """serve(address, ...) listens on these, all on one port; servers by address."""
    with contextlib.ExitStack() as stack:

        def serve(*addresses, run=script):
            return {
                address: stack.enter_context(network.inside(lambda address=address: RawServer(run, address, port=PORT)))
                for address in addresses
            }

        yield serve


@pytest.fixture
def names(network):
    """names(answer) answers for every name by script, and returns the questions that were asked."""
    with contextlib.ExitStack() as stack:

        def names(answer):
            network.resolv_conf("127.0.0.1")
            return stack.enter_context(network.inside(lambda: NameServer("127.0.0.1", answer))).questions

        yield names


@pytest.fixture
def start(make_daemon, network):
    """start(config) starts a daemon there that allows what a machine's does by default."""
    return lambda config="", **more: make_daemon(config, command=network.command, free=None, **more)


def reach(daemon, url):
    """The address that is reached."""
    with daemon.client() as client:
        channel = client.open(url, sharing="default" if url.startswith("wsplex") else "private")
        channel.wait(Opened)
        (upstream,) = daemon.upstreams()
        channel.close(1000)
        channel.wait(Closed)
    daemon.wait_idle()
    return upstream["address"].rsplit(":", 1)[0].strip("[]")


def refused(daemon, url, **more):
    """The text of the refusal, which is one of a rule, and tells no address of a name."""
    with daemon.client() as client:
        failed = client.open(url, **more).wait(Failed)
    daemon.forgive("upstream-failed")
    assert failed.cause == "destination", failed
    if not url.startswith("wsplex-endpoint:"):
        assert "the daemon's rules let nobody connect there" in failed.text
    for address in ("127.0.0.1", "::1", "10.0.0", PUBLIC):
        assert "example" not in url or address not in failed.text, failed.text
    return failed.text


def test_public_addresses_only_by_default(network, serve, start):
    """On a machine's daemon, whoever asks and however the address is written."""
    servers = serve("0.0.0.0", "::1", IPV6, PUBLIC_V6)
    network.hosts({NAME: [PUBLIC], "six.example": [PUBLIC_V6], "near.example": ["127.0.0.1"], "lab.example": [IPV6]})
    daemon = start(f'endpoint "near" {{ url = "ws://127.0.0.1:{PORT}/" linger = 0 }}')
    assert reach(daemon, f"ws://{NAME}:{PORT}/") == PUBLIC
    assert reach(daemon, f"ws://{PUBLIC}:{PORT}/") == PUBLIC
    assert reach(daemon, f"ws://six.example:{PORT}/") == PUBLIC_V6
    accepted = {address: server.n_accepted for address, server in servers.items()}
    for host in ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "0", "127.255.0.1", IPV4, "localhost",
                 "near.example", "lab.example", "[::1]", "[::]", f"[{MAPPED}]", "[::ffff:7f00:1]", "[::ffff:0:0]",
                 f"[{IPV6}]", "[64:ff9b::127.0.0.1]", "[::127.0.0.1]"):  # fmt: skip
        for sharing in ("private", "shared"):
            assert DEFAULT in refused(daemon, f"ws://{host}:{PORT}/", sharing=sharing), host
    # Nobody was even knocked at.
    assert {address: server.n_accepted for address, server in servers.items()} == accepted
    # An endpoint is the administrator's.
    assert reach(daemon, "wsplex-endpoint:near") == "127.0.0.1"


@pytest.mark.parametrize("near", ["127.0.0.1", "0.0.0.0", "10.0.0.7", "169.254.169.254", "192.168.0.1"])
def test_a_name_server_that_changes_its_mind(network, serve, names, start, near):
    """DNS rebinding: each connection is held to the address that it is made to."""
    answers = [[PUBLIC], [near], [PUBLIC], [near], [near]]
    servers = serve("0.0.0.0")

    def answer(_name, kind, _is_tcp):
        return answers[0] if kind == A else []

    names(answer)
    daemon = start()
    n_reached = 0
    while answers:
        if answers[0] == [PUBLIC]:
            assert reach(daemon, f"ws://{NAME}:{PORT}/") == PUBLIC
            n_reached += 1
        else:
            refused(daemon, f"ws://{NAME}:{PORT}/")
        answers.pop(0)
    assert servers["0.0.0.0"].n_accepted == n_reached == 2


def test_of_several_addresses_only_those_allowed_are_tried(network, serve, names, start):
    """Whatever stands first, in either family, and also when the allowed one fails: then that is what is told."""
    near, far = ["127.0.0.1", "10.0.0.1", "127.0.0.2"], [MAPPED, IPV6, "::1", "64:ff9b::7f00:1"]
    servers = serve("0.0.0.0", IPV6, "::1")
    names(lambda name, kind, _: near + [PUBLIC] * (name == NAME) if kind == A else far)
    daemon = start()
    for _ in range(3):
        assert reach(daemon, f"ws://{NAME}:{PORT}/") == PUBLIC
    refused(daemon, f"ws://none.example:{PORT}/")
    with daemon.client() as client:
        failed = client.open(f"ws://{NAME}:{PORT + 1}/").wait(Failed)
    daemon.forgive("upstream-failed")
    assert failed.cause == "connect"
    assert failed.text == f"cannot connect to {NAME}; {PUBLIC}:{PORT + 1}: Connection refused"
    assert servers["0.0.0.0"].n_accepted == 3
    assert servers[IPV6].n_accepted == servers["::1"].n_accepted == 0


def test_what_a_rule_forbids_by_its_name_is_not_even_asked_for(network, names, start, serve):
    serve(PUBLIC)
    questions = names(lambda name, kind, _: NXDOMAIN if name == "gone.example" else [PUBLIC] if kind == A else [])
    daemon = start(f"""allow = {{"*.example:{PORT}", "{NAME}:{PORT + 1}"}}
                       deny = {{"*.ads.example", "bad.example"}}""")
    assert reach(daemon, f"ws://{NAME}:{PORT}/") == PUBLIC
    for host, port in [("bad.example", PORT), ("bad.example.", PORT), ("BAD.Example", PORT), ("x.ads.example", PORT),
                       ("another.example", PORT + 1), ("feed.other", PORT), (PUBLIC, PORT)]:  # fmt: skip
        assert DEFAULT not in refused(daemon, f"ws://{host}:{port}/")
    # A name that may lead somewhere and leads nowhere is no matter of rules.
    with daemon.client() as client:
        assert client.open(f"ws://gone.example:{PORT}/").wait(Failed).cause == "resolve"
    assert {name for name, _kind, _is_tcp in questions} == {NAME, "gone.example"}
    daemon.forgive("upstream-failed")


def test_a_name_that_is_allowed_allows_no_address(network, serve, names, start):
    where = {"one.corp.example": "127.0.0.1", "two.corp.example": IPV4, "three.corp.example": PUBLIC}
    servers = serve("0.0.0.0")
    names(lambda name, kind, _: [where[name]] if kind == A else [])
    daemon = start('allow = {"*.corp.example 192.0.2.0/24", "*.corp.example", "localhost"}')
    network.hosts({"localhost": ["127.0.0.1"]})
    refused(daemon, f"ws://one.corp.example:{PORT}/")
    assert reach(daemon, f"ws://two.corp.example:{PORT}/") == IPV4
    assert reach(daemon, f"ws://three.corp.example:{PORT}/") == PUBLIC
    assert reach(daemon, f"ws://localhost:{PORT}/") == "127.0.0.1"
    refused(daemon, f"ws://127.0.0.1:{PORT}/")
    refused(daemon, f"ws://{IPV4}:{PORT}/")
    assert servers["0.0.0.0"].n_accepted == 3


def test_an_endpoint_may_have_rules_of_its_own(network, serve, names, start):
    serve("0.0.0.0")
    answers = [[PUBLIC]]
    names(lambda _name, kind, _: answers[0] if kind == A else [])
    daemon = start(f"""endpoint "held" {{ url = "ws://{NAME}:{PORT}/" deny = {{"loopback", "private"}} linger = 0 }}
                       endpoint "free" {{ url = "ws://{NAME}:{PORT}/" linger = 0 }}""")
    assert reach(daemon, "wsplex-endpoint:held") == PUBLIC
    answers[0] = ["127.0.0.1"]
    text = refused(daemon, "wsplex-endpoint:held", sharing="default")
    assert "the rules of the endpoint held, its own allow and deny, " in text
    assert DEFAULT not in text and NAME not in text and "127.0.0.1" not in text
    assert reach(daemon, "wsplex-endpoint:free") == "127.0.0.1"


def test_new_rules_hold_for_what_is_opened_from_then_on(network, serve, start):
    """Who is no more allowed does not meet those who were, also where only the address is forbidden."""
    serve("0.0.0.0")
    network.hosts({NAME: ["127.0.0.1"]})
    daemon = start('allow = {"*"}')
    url = f"ws://{NAME}:{PORT}/"
    with daemon.client() as client:
        old = client.open(url, sharing="shared")
        old.wait(Opened)
        old.wait(Message)
        daemon.configure('allow = {"*"}\ndeny = {"127.0.0.0/8"}\n')
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        refused(daemon, url, sharing="shared")
        daemon.configure('allow = {"*"}\n')
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded", n_lines=2)
        client.open(url, sharing="shared").wait(Opened)
        assert [row["channels"] for row in daemon.upstreams() if row["state"] == "open"] == [2]


# --- proxies ---


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_through_a_proxy(network, serve, names, start, folder, kind):
    """Host and port are the daemon's to judge, and addresses where the URL or the daemon's own resolver tells them."""
    serve("0.0.0.0")
    where = {"near.example": "127.0.0.1", NAME: PUBLIC}
    names(lambda name, kind, _: [where[name]] if kind == A else [])
    with network.inside(lambda: Tinyproxy(folder) if kind == "http" else Microsocks()) as proxy:
        daemon = start(f'proxy = "{proxy.url}"')
        # The configuration has named the proxy, so its own address needs no rule.
        reachable = f"ws://{PUBLIC if kind == 'http' else NAME}:{PORT}/"
        reach(daemon, reachable)
        proxy.expect(PUBLIC)
        refused(daemon, f"ws://127.0.0.1:{PORT}/")
        refused(daemon, f"ws://[{MAPPED}]:{PORT}/")
        if kind == "socks5":
            refused(daemon, f"ws://near.example:{PORT}/")
        daemon.configure(f'proxy = "{proxy.url}"\ndeny = {{"loopback"}}\n')
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        with daemon.client() as client:
            failed = client.open(reachable).wait(Failed)
        daemon.forgive("upstream-failed")
        assert failed.cause == "destination" and failed.text.startswith("the proxy "), failed
    # Nobody came but the first one; and to Tinyproxy, which tells of that as well, who looked whether it listens.
    came = [line for line in proxy.log().splitlines() if re.search(r"Connect \(file|: connected to", line)]
    assert len(came) == (2 if kind == "http" else 1), came
