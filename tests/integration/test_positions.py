# SPDX-License-Identifier: MIT
"""Replay and positions: what who joins late or comes back gets, and what it is told is missing."""

import contextlib
import json
import signal

import pytest
from process import DEADLINE, wait_until
from servers import Connection, new_path
from wsplex_client import ChannelEnded, Closed, Failed, Gap, Interrupted, Message, Opened, Resumed


@pytest.fixture
def feed(make_daemon, one_server):
    """A daemon with an endpoint that keeps ten messages, also while nobody is there; .path at the server."""
    path = new_path()
    daemon = make_daemon(
        f"""
        endpoint "feed" {{ url = "{one_server.url(path)}" replay = 10 linger = 1h }}
        endpoint "bytes" {{
            url = "{one_server.url(path)}" replay = 1000000 replay-bytes = 1MiB linger = 1h queue = 64MiB
        }}
        """
    )
    daemon.path = path
    yield daemon
    # Nobody waits until it has lingered.
    ended = set()

    def has_gone():
        for event in map(json.loads, one_server.out.all()):
            if event["event"] == "open" and event["path"] == path and event["id"] not in ended:
                ended.add(event["id"])
                Connection(one_server, event).order("terminate")
        return daemon.upstreams() == []

    wait_until(has_gone, lambda: f"no upstream, not {daemon.upstreams()}")
    daemon.forgive("upstream-failed")


def open_feed(client, name="feed", **more):
    channel = client.open(f"wsplex-endpoint:{name}", sharing="default", **more)
    return channel, channel.wait(Opened)


def show(daemon, what="upstreams", index=0):
    return daemon.request("show", str(daemon.request(what)[index]["id"]))


def burst(connection, n_messages, fill=""):
    """Messages that begin with 0, 1, ..."""
    connection.order("burst", count=n_messages, fill=fill)


def heard_by_the_daemon(daemon, n_messages):
    wait_until(
        lambda: daemon.upstreams()[0]["messages_in"] == n_messages,
        lambda: f"{n_messages} messages, not {daemon.upstreams()}",
    )


def test_many_join_a_stream(feed, one_server):
    """Each gets ten messages that came before it, marked, and then every further one."""
    n_messages, n_joining = 20000, 30
    with feed.client() as first, contextlib.ExitStack() as stack:
        whole, opened = open_feed(first)
        assert opened.next_number == 1
        burst(one_server.connection(feed.path), n_messages, "x" * 50)
        late = []
        for _ in range(n_joining):
            late.append(open_feed(stack.enter_context(feed.client())))
        for channel, opened in [(whole, opened), *late]:
            n_replayed = opened.live_number - opened.next_number
            assert n_replayed == min(10, opened.live_number - 1)
            for number in range(opened.next_number, n_messages + 1):
                message = channel.wait(Message)
                assert message.data.startswith(f"{number - 1} ")
                assert (message.number, message.epoch) == (number, opened.epoch)
                assert message.is_replayed == (number < opened.live_number)


def test_resume_at_every_number(feed, one_server):
    n_messages = 25
    with feed.client() as client:
        channel, opened = open_feed(client)
        burst(one_server.connection(feed.path), n_messages)
        positions = [(opened.epoch, 0), *(channel.wait(Message).position for _ in range(n_messages))]
        assert positions[-1] == (opened.epoch, n_messages) == channel.position
        for after, position in enumerate(positions):
            back, again = open_feed(client, resume=position)
            oldest = n_messages - 10 + 1
            if after + 1 < oldest:
                assert back.recv() == Gap("not-kept", oldest - after - 1)
            assert again.next_number == max(after + 1, oldest)
            for number in range(again.next_number, n_messages + 1):
                message = back.recv()
                assert (message.number, message.is_replayed) == (number, True)
                assert message.data.split()[0] == str(number - 1)
            back.close(1000)
            assert back.recv() == Closed(True, 1000, "")  # and nothing else


@pytest.mark.parametrize("after", [26, 2**64 - 1])
def test_a_position_that_never_was(feed, one_server, after):
    with feed.client() as client:
        channel, opened = open_feed(client)
        burst(one_server.connection(feed.path), 25)
        channel.messages(25)
        for position in [(opened.epoch, after), (bytes(15) + b"\1", 3)]:
            back, again = open_feed(client, resume=position)
            assert back.recv() == Gap("unknown-epoch")
            assert [again.next_number, *(back.wait(Message).number for _ in range(10))][1:] == list(range(16, 26))


def test_a_program_that_was_killed_comes_back(feed, one_server, make_program):
    """What came while nobody was there is not lost."""
    program = make_program(feed)
    program.open("a", "wsplex-endpoint:feed")
    program.event("open")
    connection = one_server.connection(feed.path)
    burst(connection, 3)
    for i in range(3):
        assert program.event("message", name="a")["data"].split()[0] == str(i)
    epoch = bytes.fromhex(show(feed)["epoch"])
    program.kill(signal.SIGKILL)
    program.wait()
    wait_until(lambda: feed.channels() == [], lambda: f"{feed.channels()}")
    burst(connection, 4)
    heard_by_the_daemon(feed, 7)
    with feed.client() as client:
        channel, opened = open_feed(client, resume=(epoch, 3))
        assert (opened.next_number, opened.live_number, opened.epoch) == (4, 8, epoch)
        assert [message.split()[0] for message in channel.messages(4)] == ["0", "1", "2", "3"]
        burst(connection, 1)
        message = channel.wait(Message)
        assert (message.number, message.is_replayed) == (8, False)


def test_another_daemon_knows_no_position_of_this_one(feed, one_server, make_daemon):
    with feed.client() as client:
        channel, _ = open_feed(client)
        burst(one_server.connection(feed.path), 3)
        channel.messages(3)
        position = channel.position
    path = new_path()
    other = make_daemon(f'endpoint "feed" {{ url = "{one_server.url(path)}" replay = 10 linger = 0 }}')
    with other.client() as client:
        first, _ = open_feed(client)
        burst(one_server.connection(path), 5)
        first.messages(5)
        channel, opened = open_feed(client, resume=position)
        assert channel.recv() == Gap("unknown-epoch")
        assert opened.epoch != position[0]
        assert [channel.recv().number for _ in range(5)] == [1, 2, 3, 4, 5]


def test_what_is_kept_is_bounded_in_bytes(feed, one_server):
    """20MB come, of which no more than a megabyte is kept; the newest, without a hole."""
    n_messages, fill = 20000, "x" * 1000
    with feed.client() as client:
        channel, _ = open_feed(client, "bytes")
        burst(one_server.connection(feed.path), n_messages, fill)
        channel.messages(n_messages, timeout=2 * DEADLINE)
        shown = show(feed)
        assert 900 << 10 < shown["held_bytes"] <= 1 << 20
        assert (shown["replay"], shown["replay_bytes"]) == (1000000, 1 << 20)
        assert shown["next_number"] == n_messages + 1
        late, opened = open_feed(client, "bytes")
        assert n_messages + 1 - opened.next_number == shown["held_messages"]
        for number in range(opened.next_number, n_messages + 1):
            assert late.wait(Message).data == f"{number - 1} {fill}"


def test_a_program_chooses_less(feed, one_server):
    with feed.client() as client:
        channel, _ = open_feed(client)
        burst(one_server.connection(feed.path), 25)
        channel.messages(25)
        for options, n_replayed in [({"replay": "3"}, 3), ({"replay": "0"}, 0), ({"replay": "10"}, 10),
                                    ({"replay-bytes": "0"}, 0)]:  # fmt: skip
            _, opened = open_feed(client, options=options)
            assert opened.live_number - opened.next_number == n_replayed
        for options in ({"replay": "11"}, {"replay-bytes": "17MiB"}):
            failed = client.open("wsplex-endpoint:feed", sharing="default", options=options).wait(Failed)
            assert failed.cause == "conflict" and failed.text.startswith(f"{next(iter(options))}: "), failed


def test_a_free_url_keeps_what_programs_ask_for(daemon, one_server):
    """The most that any of them wants, from when on it wants it."""
    path = new_path()
    url = one_server.url(path)

    def opens(**options):
        channel = client.open(url, sharing="shared", options={"linger": "0", **options})
        return channel, channel.wait(Opened)

    with daemon.client() as client:
        channel, _ = opens()
        connection = one_server.connection(path)
        burst(connection, 5)
        channel.messages(5)
        assert show(daemon)["held_messages"] == 0
        _, opened = opens(replay="3")
        assert opened.next_number == opened.live_number == 6
        burst(connection, 5)
        channel.messages(5)
        _, opened = opens(replay="1000000")
        assert opened.live_number - opened.next_number == 3
        _, opened = opens()
        assert opened.live_number - opened.next_number == 0


@contextlib.contextmanager
def persistent_feed(make_daemon, server, replay):
    """A daemon with a feed that comes back, and its connections in the order in which they were made."""
    path = new_path()
    config = f'url = "{server.url(path)}" replay = {replay} linger = 0 persist = yes'
    daemon = make_daemon(f'endpoint "feed" {{ {config} backoff-min = 10ms backoff-max = 10ms }}')

    def connection(index):
        def opened():
            events = [json.loads(line) for line in server.out.all()]
            mine = [event for event in events if (event["event"], event.get("path")) == ("open", path)]
            return Connection(server, mine[index]) if len(mine) > index else None

        return wait_until(opened, f"connection {index}")

    yield daemon, connection
    daemon.forgive("upstream-away")


def test_positions_over_a_reconnection(make_daemon, one_server):
    """Each connection is an epoch: its own positions are good as long as something of it is kept, and no other's are."""
    with persistent_feed(make_daemon, one_server, 5) as (daemon, connection), daemon.client() as client:
        channel, opened = open_feed(client)
        burst(connection(0), 3)
        messages = [channel.wait(Message) for _ in range(3)]
        connection(0).order("terminate")
        assert isinstance(channel.recv(), Interrupted)
        gap = channel.recv()
        assert (gap, gap.next_number) == (Gap("reconnected"), 4)
        assert gap.epoch != opened.epoch
        assert isinstance(channel.recv(), Resumed)
        burst(connection(1), 3)
        messages += [channel.wait(Message) for _ in range(3)]
        assert [message.number for message in messages] == [1, 2, 3, 4, 5, 6]
        assert [message.epoch for message in messages] == [opened.epoch] * 3 + [gap.epoch] * 3

        def told(position):
            """All that is told of what was before, shortly."""
            back, again = open_feed(client, resume=position)
            events = []
            while back.next_number < again.live_number:
                events.append(back.recv())
            back.close(1000)
            while not isinstance(event := back.recv(), Closed):
                events.append(event)
            return [event.number if isinstance(event, Message) else type(event).__name__ for event in events]

        between = ["Interrupted", "Gap", "Resumed"]
        assert told(messages[1].position) == [3, *between, 4, 5, 6]
        assert told(messages[2].position) == [*between, 4, 5, 6]
        assert told((opened.epoch, 0)) == ["Gap", 2, 3, *between, 4, 5, 6]
        assert told((gap.epoch, 3)) == [4, 5, 6]
        assert told((gap.epoch, 2)) == ["Gap", 2, 3, *between, 4, 5, 6]  # that was another epoch's
        assert told((opened.epoch, 4)) == ["Gap", 2, 3, *between, 4, 5, 6]
        assert told(messages[5].position) == []
        burst(connection(1), 2)
        channel.messages(2)
        assert told(messages[1].position) == ["Gap", 4, 5, 6, 7, 8]  # nothing is left of the first


def test_a_slow_channel_over_several_reconnections(make_daemon, one_server):
    """It is told once for each connection that it still gets something of."""
    with persistent_feed(make_daemon, one_server, 0) as (daemon, connection), daemon.client() as client:
        quick, _ = open_feed(client)
        slow, _ = open_feed(client)
        slow.credit(0)
        for i in range(5):
            if i != 2:
                burst(connection(i), 2, "x" * 100)
                quick.messages(2)
            connection(i).order("terminate")
            quick.wait(Resumed)
        slow.credit(1 << 30)
        events = []
        while sum(isinstance(event, Resumed) for event in events) < 4:
            events.append(slow.recv())
        names = "".join(type(event).__name__[0] for event in events)
        assert names == "MM" + "IGRMM" * 3 + "IGR"
        assert [event.number for event in events if isinstance(event, Message)] == list(range(1, 9))
        assert {event.reason for event in events if isinstance(event, Gap)} == {"reconnected"}


def test_ctl_shows_positions(feed, one_server):
    with feed.client() as client:
        channel, opened = open_feed(client)
        burst(one_server.connection(feed.path), 12)
        channel.messages(12)
        upstream = show(feed)
        assert (upstream["epoch"], upstream["next_number"]) == (opened.epoch.hex(), 13)
        assert (upstream["held_messages"], upstream["replay"]) == (10, 10)
        shown = show(feed, "channels")
        assert (shown["epoch"], shown["position"]) == (opened.epoch.hex(), 12)
        text = feed.ctl("show", str(feed.channels()[0]["id"]), check=0).stdout.decode()
        assert opened.epoch.hex() in text
        endpoints = json.loads(feed.ctl("--json", "endpoints", check=0).stdout)
        assert [row["options"]["replay"] for row in endpoints] == ["1000000", "10"]


def test_an_end_comes_behind_the_replay(feed, one_server):
    """The upstream goes while a late one has read nothing: it still gets all, then the end, and no more of it."""
    with feed.client() as client:
        channel, opened = open_feed(client)
        connection = one_server.connection(feed.path)
        burst(connection, 25)
        channel.messages(25)
        late, _ = open_feed(client, resume=(opened.epoch, 2))
        connection.order("close", code=4001, reason="over")
        assert late.recv() == Gap("not-kept", 13)
        assert [late.recv().number for _ in range(10)] == list(range(16, 26))
        assert late.wait(Closed) == Closed(True, 4001, "over")
        with pytest.raises(ChannelEnded):
            late.recv()
        again, opened_again = open_feed(client, resume=(opened.epoch, 25))
        assert again.recv() == Gap("unknown-epoch")
        assert opened_again.epoch != opened.epoch and opened_again.next_number == 1
