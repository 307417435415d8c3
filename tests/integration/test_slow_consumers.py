# SPDX-License-Identifier: MIT
"""Programs that do not keep up and choose to lose messages for it: others lose nothing, and every loss is counted where
it would have stood."""

import json
import subprocess

import pytest
from process import built, wait_until
from servers import new_path
from wsplex_client import Closed, Failed, Gap, Message, Opened

POLICIES = ("drop-oldest", "drop-newest", "conflate")
QUEUE = 64 << 10


def account(channel, last):
    """What the channel tells up to message number last: the messages, and how many are missing.

    Each number must come once, as a message or within one gap.
    """
    heard, n_missed, number = [], 0, 1
    while number <= last:
        event = channel.recv()
        if isinstance(event, Message):
            assert event.number == number
            heard.append(event)
            number += 1
        elif isinstance(event, Gap):
            assert event.reason == "slow-consumer"
            n_missed += event.count
            number += event.count
            assert event.next_number == number
        else:
            raise AssertionError(f"{event} at message {number}")
    assert number == last + 1
    return heard, n_missed


class Two:
    """A slow channel and one that keeps up, of two clients, on one upstream."""

    def __init__(self, slow, fast, url, options):
        self.slow = slow.open(url, sharing="shared", options={**options, "linger": "0s"})
        self.slow.wait(Opened)
        self.fast = fast.open(url, sharing="shared", options={"queue": "64MiB", "linger": "0s"})
        self.fast.wait(Opened)


def slow_row(daemon):
    (row,) = [row for row in daemon.channels() if row["messages_dropped"] > 0]
    return json.loads(daemon.ctl("--json", "show", str(row["id"])).stdout)


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_lost_is_counted_and_others_get_all(daemon, feed, policy):
    count, fill = 400, "x" * 10000
    with daemon.client() as slow, daemon.client() as fast:
        two = Two(slow, fast, feed.url, {"slow-consumer": policy, "queue": str(QUEUE)})
        feed.burst(count, fill)
        # All that time the slow one reads nothing.
        assert two.fast.messages(count) == [f"{i} {fill}" for i in range(count)]
        row = slow_row(daemon)
        assert row["slow_consumer"] == policy
        assert row["lag_bytes"] <= QUEUE + 2 * 11000
        (upstream,) = daemon.upstreams()
        assert upstream["held_bytes"] <= QUEUE + 2 * 11000
        lines = daemon.ctl("metrics", check=0).stdout.decode().splitlines()
        dropped = [line.split()[-1] for line in lines if line.startswith("wsplex_dropped_messages_total")]
        assert sum(map(int, dropped)) == row["messages_dropped"]
        heard, n_missed = account(two.slow, count)
        assert [event.data for event in heard] == [f"{event.number - 1} {fill}" for event in heard]
        assert len(heard) + n_missed == count and n_missed == row["messages_dropped"] > 0
        assert (heard[-1].number == count) == (policy != "drop-newest")
        # It has caught up, and has everything again.
        feed.burst(3, "again")
        assert two.slow.messages(3) == [f"{i} again" for i in range(3)]
        wait_until(lambda: daemon.upstreams()[0]["held_bytes"] == 0, "nothing is held")


@pytest.mark.parametrize("policy", POLICIES)
def test_a_long_message_that_has_begun_comes_whole(daemon, feed, policy):
    long, count = "y" * 3_000_000, 300
    with daemon.client() as slow, daemon.client() as fast:
        two = Two(slow, fast, feed.url, {"slow-consumer": policy, "queue": str(QUEUE)})
        feed.send(long)
        assert two.fast.messages(1) == [long]
        feed.burst(count, "x" * 5000)
        two.fast.messages(count)
        assert slow_row(daemon)["messages_dropped"] > 0
        heard, n_missed = account(two.slow, 1 + count)
        assert heard[0].data == long
        assert len(heard) + n_missed == 1 + count


def test_the_newest_of_each_key_comes(make_daemon, feed):
    symbols, rounds = [f"S{i}" for i in range(20)], 60
    daemon = make_daemon(
        f'endpoint "feed" {{ url = "{feed.url}" slow-consumer = conflate queue = 64MiB conflate-key = "/d/s" }}'
    )
    texts = [
        json.dumps({"n": i, "d": {"s": symbol, "fill": "z" * 1500}}) for i in range(rounds) for symbol in symbols
    ]
    with daemon.client() as slow, daemon.client() as fast:
        two = Two(slow, fast, "wsplex-endpoint:feed", {"queue": str(QUEUE)})
        feed.send(*texts)
        assert two.fast.messages(len(texts)) == texts
        assert slow_row(daemon)["messages_dropped"] > 0
        (endpoint,) = daemon.request("endpoints")
        assert endpoint["options"]["conflate-key"] == "/d/s"
        heard, n_missed = account(two.slow, len(texts))
        assert n_missed > 0
        newest = {}
        for event in heard:
            message = json.loads(event.data)
            newest[message["d"]["s"]] = message["n"]
        assert newest == {symbol: rounds - 1 for symbol in symbols}


def test_too_many_keys_end_the_channel(make_daemon, feed):
    daemon = make_daemon(
        f'endpoint "feed" {{ url = "{feed.url}" slow-consumer = conflate queue = 64MiB conflate-key = "prefix:4" }}'
    )
    texts = [f"{i:04} " + "x" * 5000 for i in range(200)]
    with daemon.client() as slow, daemon.client() as fast:
        two = Two(slow, fast, "wsplex-endpoint:feed", {"queue": "4KiB"})
        feed.send(*texts)
        assert two.fast.messages(len(texts)) == texts
        daemon.expect("channel-cut", "the newest of its keys are")
        failed = two.slow.wait(Failed)
        assert failed.cause == "slow-consumer"
        assert not two.slow.wait(Closed).was_clean


def test_a_bound_in_messages(daemon, feed):
    count = 3000
    with daemon.client() as slow, daemon.client() as fast:
        options = {"slow-consumer": "drop-oldest", "queue-messages": "10"}
        two = Two(slow, fast, feed.url, options)
        feed.burst(count, "x" * 1000)
        two.fast.messages(count)
        assert slow_row(daemon)["lag_messages"] <= 12
        _, n_missed = account(two.slow, count)
        assert n_missed > 0


def test_a_program_chooses_within_what_the_endpoint_allows(make_daemon, one_server):
    url = one_server.url(new_path())
    daemon = make_daemon(
        f'endpoint "feed" {{ url = "{url}" slow-consumer = disconnect queue-messages = 100 '
        'allow-slow-consumer = {"drop-oldest", "conflate"} }'
    )
    with daemon.client() as client:
        for options in ({}, {"slow-consumer": "conflate"}, {"slow-consumer": "drop-oldest", "queue-messages": "7"}):
            client.open("wsplex-endpoint:feed", sharing="default", options=options).wait(Opened)
        shown = [json.loads(daemon.ctl("--json", "show", str(row["id"])).stdout) for row in daemon.channels()]
        assert [(row["slow_consumer"], row["queue_messages"]) for row in shown] == [
            ("disconnect", 100),
            ("conflate", 100),
            ("drop-oldest", 7),
        ]
        for name, value in [("slow-consumer", "drop-newest"), ("queue-messages", "101"), ("conflate-key", "/s")]:
            failed = client.open("wsplex-endpoint:feed", sharing="default", options={name: value}).wait(Failed)
            assert failed.cause == "conflict" and failed.text.startswith(f"{name}: ")


@pytest.mark.parametrize("policy", POLICIES)
def test_who_dies_leaves_nothing_behind(daemon, feed, policy):
    with daemon.client() as slow, daemon.client() as fast:
        two = Two(slow, fast, feed.url, {"slow-consumer": policy, "queue": str(QUEUE)})
        feed.burst(300, "x" * 10000)
        two.fast.messages(300)
        assert daemon.upstreams()[0]["held_bytes"] > 0
        slow.disconnect()
        wait_until(lambda: daemon.upstreams()[0]["held_bytes"] == 0, "nothing is held")
        wait_until(lambda: len(daemon.channels()) == 1, "its channel is gone")


def test_the_end_comes_behind_what_was_lost(daemon, feed):
    count = 300
    with daemon.client() as slow, daemon.client() as fast:
        two = Two(slow, fast, feed.url, {"slow-consumer": "drop-newest", "queue": str(QUEUE)})
        feed.burst(count, "x" * 10000)
        two.fast.messages(count)
        feed.server.connection(feed.path).order("close", code=4001, reason="enough")
        assert two.fast.wait(Closed).code == 4001
        heard, n_missed = account(two.slow, count)
        assert len(heard) + n_missed == count and n_missed > 0
        closed = two.slow.wait(Closed)
        assert (closed.was_clean, closed.code, closed.reason) == (True, 4001, "enough")


def test_a_program_on_the_library_is_told(daemon, feed, make_program):
    """Each message once, in order, or within one gap that says how many and up to which number."""
    count, fill = 3000, "x" * 2000
    fast, slow = make_program(daemon), make_program(daemon)
    fast.open("a", feed.url, "shared", "option=linger=0s", "option=queue=64MiB")
    slow.open("a", feed.url, "shared", f"option=queue={QUEUE}", "option=slow-consumer=drop-oldest")
    for program in (fast, slow):
        program.event("open")
    slow.freeze()
    feed.burst(count, fill)
    fast.event("message", data=f"{count - 1} {fill}")
    slow.thaw()
    slow.event("message", data=f"{count - 1} {fill}")
    next_index, n_missed = 0, 0
    for event in slow.events():
        if event["event"] == "message":
            assert event["data"] == f"{next_index} {fill}"
            next_index += 1
        elif event["event"] == "gap":
            assert event["counted"]
            next_index += event["count"]
            n_missed += event["count"]
            assert event["number"] == next_index
    assert next_index == count and n_missed > 0
    got = [event["data"] for event in fast.events() if event["event"] == "message"]
    assert got == [f"{i} {fill}" for i in range(count)]


@pytest.fixture(name="paced", scope="module")
def fixture_paced():
    """The URL of the project's own server, for what ours alone says fast enough."""
    with subprocess.Popen(
        [built("tests/harness/feed_server")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield server.stdout.readline().strip() + "/paced"
        server.stdin.close()


@pytest.mark.parametrize("policy", ("disconnect", *POLICIES))
def test_thirty_go_on_beside_one_that_is_stopped(make_daemon, paced, policy):
    """By SIGSTOP, twice, in a stream as fast as thirty programs take it; bench/slow fails if anybody loses anything
    that it is not told of."""
    daemon = make_daemon(
        f'endpoint "paced" {{ url = "{paced}" linger = 0s slow-consumer = block block-timeout = 1h queue = 256KiB '
        f'allow-slow-consumer = {{"{policy}"}} }}'
    )
    # What one program can be ahead of another is some thousands.
    length, phases = 20000, 4
    argv = [built("bench/slow"), daemon.socket, "wsplex-endpoint:paced", 30, 100, 0, length, phases, policy, QUEUE]
    result = json.loads(subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.PIPE, timeout=300).stdout)
    if policy == "disconnect":
        assert result["is_cut_off"]
        daemon.expect("channel-cut", "behind; its bound is 65536 bytes")
    else:
        assert result["received"] + result["missed"] == length * phases
        assert result["missed"] > 0 and result["gaps"] > 0
