# SPDX-License-Identifier: MIT
"""What the daemon says to a server for programs and of its own accord, with a feed that minds every word too many."""

import json

import pytest
from process import wait_until
from servers import new_path
from topics import TopicsServer, endpoint, subscribing, union, unsubscribing
from wsplex_client import Closed, Failed, Opened


@pytest.fixture
def feed():
    with TopicsServer() as server:
        yield server


# --- counted ---


STEPS = [(0, "news"), (1, "news"), (1, "weather"), (2, "weather"), (0, "sport"), (1, "-news"), (2, "sport")]


@pytest.mark.parametrize("death", range(len(STEPS)))
def test_three_programs_with_overlapping_topics(feed, make_daemon, follow, death):
    """Whoever dies at whatever step, the server has what the living want, and is told nothing twice."""
    daemon = make_daemon(endpoint(feed.url))
    programs = [follow(daemon) for _ in range(3)]
    dying = STEPS[death][0]
    for i, (who, topic) in enumerate(STEPS):
        if who == dying and i > death:
            continue
        if topic.startswith("-"):
            programs[who].unsubscribe(topic[1:])
        else:
            programs[who].subscribe(topic)
        if i == death:
            # In the midst of what it asks for, perhaps.
            programs[who].kill()
        feed.expect_topics(union(programs))
    for program in programs:
        program.kill()
        feed.expect_topics(union(programs))
    assert len(feed.events("open")) == 1


def test_the_same_feed_for_all(feed, make_daemon, follow):
    daemon = make_daemon(endpoint(feed.url))
    one, other = (follow(daemon) for _ in range(2))
    one.subscribe("news")
    feed.expect_topics({"news"})
    feed.order("publish", topic="news", data=7)
    for program in (one, other):
        program.expect('Message {"topic": "news", "data": 7}')
    # The order among a program's own words.
    one.send('{"op": "first"}')
    one.subscribe("art")
    one.send('{"op": "second"}')
    feed.expect_heard("first", "second")
    feed.expect_topics({"news", "art"})
    lines = [json.loads(line) for line in feed.out.all()]
    order = [line.get("op") or line["topics"] for line in lines if line["event"] in ("heard", "topics")]
    assert order == [["news"], "first", ["art", "news"], "second"]


def test_another_way_to_leave_is_everybodys_own(feed, daemon):
    """Who takes a topic back in an odd way keeps nobody from it; who says two things is out."""
    with daemon.client() as client:
        first, second, third = (client.open(feed.url, sharing="shared") for _ in range(3))
        for channel in (first, second, third):
            channel.wait(Opened)
        second.subscribe(subscribing("news"), "")
        first.subscribe(subscribing("news"), unsubscribing("news"))
        second.subscribe(subscribing("news"), unsubscribing("sport"))
        failed = second.wait(Failed)
        assert (failed.cause, failed.text.split(":")[0]) == ("conflict", "on_leave")
        third.subscribe(subscribing("news"), unsubscribing("news"))
        feed.expect_topics({"news"})
        # Lists show them to their owner.
        (upstream,) = daemon.upstreams()
        show = client.request("show", str(upstream["id"]))
        assert show["subscriptions"] == [
            {
                "on_connect": subscribing("news"),
                "on_leave": unsubscribing("news"),
                "channels": 2,
                "in_force": True,
            }
        ]
        for channel in (first, third):
            channel.close()
            channel.wait(Closed)
    feed.expect_topics(set())


@pytest.mark.parametrize("linger, told", [("0s", [["news"]]), ("1h", [["news"], []])])
def test_taken_back_when_the_last_leaves_and_not_with_the_connection(feed, daemon, linger, told):
    with daemon.client() as client:
        channel = client.open(feed.url, sharing="shared", options={"linger": linger})
        channel.subscribe(subscribing("news"), unsubscribing("news"))
        channel.wait(Opened)
        feed.expect_topics({"news"})
        channel.close()
        channel.wait(Closed)
    feed.expect_topics(set())
    daemon.stop()
    wait_until(lambda: feed.events("close"), "the end of the connection")
    assert [event["topics"] for event in feed.events("topics")] == told


def test_a_private_channel_subscribes_too(feed, daemon):
    with daemon.client() as client:
        one, other = (client.open(feed.url) for _ in range(2))
        for channel in (one, other):
            channel.subscribe(subscribing("news"), unsubscribing("news"))
            channel.wait(Opened)
        wait_until(lambda: len(feed.events("topics")) == 2, "each subscribes for itself")
        one.unsubscribe(subscribing("news"))
        wait_until(lambda: feed.events("topics")[2:], "it is withdrawn")
        assert feed.events("topics")[2]["topics"] == []
    assert not feed.events("complaint")


def test_more_subscriptions_than_a_channel_may_have(daemon, one_server):
    """Who asks for them fails; what is shown of the others is their beginning, cut between two characters."""
    url, long = one_server.url(new_path()), 239 * "a" + "\u20ac" + "tail"
    with daemon.client() as client:
        greedy, modest = (client.open(url, sharing="shared") for _ in range(2))
        for channel in (greedy, modest):
            channel.wait(Opened)
        modest.subscribe(long)
        for i in range(1025):
            greedy.subscribe(f"topic {i}")
        failed = greedy.wait(Failed)
        assert failed.cause == "quota" and "no more than 1024 subscriptions" in failed.text
        (upstream,) = daemon.upstreams()
        shown = client.request("show", str(upstream["id"]))
        assert (shown["n_subscriptions"], [row["on_connect"] for row in shown["subscriptions"]]) == (1, [239 * "a"])
    daemon.expect("channel-cut", "no more than 1024 subscriptions")


# --- greeting and heartbeat ---


def test_one_heartbeat_for_all(feed, make_daemon, follow):
    daemon = make_daemon(
        endpoint(
            feed.url,
            "heartbeat = '{\"op\":\"ping\"}' heartbeat-interval = 100ms heartbeat-answer = '/op=pong'",
        )
    )
    programs = [follow(daemon) for _ in range(2)]
    feed.expect_heard("ping", "ping", "ping")
    # What they ask for themselves is theirs.
    feed.order("publish", topic="none", data=0)
    (upstream,) = daemon.upstreams()
    assert daemon.request("show", str(upstream["id"]))["heartbeat_round_trip_ms"] is not None
    for program in programs:
        assert program.out.all() == ["Opened"]


def test_what_the_server_asks_is_answered(feed, make_daemon, follow):
    daemon = make_daemon(
        endpoint(
            feed.url,
            "heartbeat-request = '/op=are-you-there' heartbeat-reply = '{\"op\":\"here\",\"id\":%{/id}}'",
        )
    )
    programs = [follow(daemon) for _ in range(2)]
    numbers = [7, "x", None]
    for i, number in enumerate(numbers, 1):
        feed.order("ask", number=number)
        feed.expect_heard(*["here"] * i)
    assert [event["message"]["id"] for event in feed.events("heard")] == numbers
    programs[0].subscribe("news")
    feed.expect_topics({"news"})
    feed.order("publish", topic="news", data=1)
    for program in programs:
        program.expect('Message {"topic": "news", "data": 1}')
        assert program.out.all() == ["Opened", 'Message {"topic": "news", "data": 1}']


def test_what_the_daemon_says_is_not_shown(make_daemon):
    """Not to administrators either: whoever writes a secret there shall not find it in a terminal."""
    daemon = make_daemon(
        endpoint("ws://127.0.0.1:1/", "greeting = {'s3cr3t 1', 's3cr3t 2'} heartbeat = 's3cr3t 3'")
        + endpoint("ws://127.0.0.1:1/", "heartbeat-request = 's3cr3t 4' heartbeat-reply = 's3cr3t 5'", "other")
    )
    endpoints = daemon.request("endpoints")
    members = ("name", "greeting_messages", "heartbeat", "answers_heartbeat")
    assert [tuple(row[member] for member in members) for row in endpoints] == [
        ("feed", 2, True, False),
        ("other", 0, False, True),
    ]
    assert "s3cr3t" not in json.dumps(endpoints)
