# SPDX-License-Identifier: MIT
"""What a server that comes back is told, with a feed that minds every word too many."""

import json
import os
import random

import pytest
from process import free_port
from topics import TopicsServer, endpoint, subscribing, union

TOPICS = ("news", "weather", "sport", "art")
SOON = "persist = yes backoff-min = 50ms backoff-max = 100ms"


def finish(daemon, server, *programs):
    """However often it took an attempt to come back, and whatever lines that left out."""
    for program in programs:
        program.kill()
    daemon.wait_idle()
    server.end()
    assert not server.events("complaint")
    for name in ("upstream-away", "upstream-attempt", "left-out"):
        daemon.forgive(name)


def test_any_order_of_everything(make_daemon, follow):
    """Programs that come, change their minds, die, and a server that restarts, in any order."""
    chance = random.Random(4)
    port = free_port()
    server = TopicsServer(port)
    daemon = make_daemon(endpoint(server.url, SOON))
    programs = [follow(daemon) for _ in range(3)]
    for _ in range(60):
        what = chance.random()
        program = chance.choice(programs)
        if what < 0.05:
            server.end()
            assert not server.events("complaint")
            server = TopicsServer(port)
        elif what < 0.15:
            program.kill()
            programs.remove(program)
            programs.append(follow(daemon))
        elif what < 0.65:
            program.subscribe(chance.choice(TOPICS))
        else:
            program.unsubscribe(chance.choice(TOPICS))
        if chance.random() < 0.7:
            server.expect_topics(union(programs))
    server.expect_topics(union(programs))
    finish(daemon, server, *programs)


@pytest.fixture
def secret(folder):
    """A folder with the credential `key`."""
    path = os.path.join(folder, "credentials")
    os.mkdir(path)
    write_key(path, "s3cr3t-key-of-the-feed\n")
    return path


def write_key(folder, key):
    """At once, as it may be read at any moment."""
    fresh = os.path.join(folder, "key.new")
    with open(fresh, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(key)
    os.rename(fresh, os.path.join(folder, "key"))


def test_the_greeting_logs_in_before_anything_else(make_daemon, follow, secret):
    """Also after a restart of the server, with the key as its file has it then."""
    port = free_port()
    server = TopicsServer(port, key="s3cr3t-key-of-the-feed")
    greeting = "greeting = {'{\"op\":\"login\",\"key\":\"%{credential:key}\"}', '" + subscribing("news") + "'}"
    daemon = make_daemon(
        f'credentials-dir = "{secret}"\n' + endpoint(server.url, f"{greeting} greeting-interval = 20ms {SOON}")
    )
    program = follow(daemon)
    program.subscribe("art")
    server.expect_topics({"news", "art"})
    server.end()
    write_key(secret, "another-key-of-the-feed")
    server = TopicsServer(port, key="another-key-of-the-feed")
    program.subscribe("sport")
    server.expect_topics({"news", "art", "sport"})
    for shown in (daemon.request("endpoints"), *(daemon.request("show", str(u["id"])) for u in daemon.upstreams())):
        assert "key-of-the-feed" not in json.dumps(shown)
    finish(daemon, server, program)
    assert "key-of-the-feed" not in "\n".join(daemon.process.err.all())


def test_a_server_that_does_not_answer_is_given_up(make_daemon, follow):
    server = TopicsServer()
    daemon = make_daemon(
        endpoint(
            server.url,
            f"{SOON} heartbeat = '{{\"op\":\"ping\"}}' heartbeat-interval = 100ms heartbeat-answer = '/op=pong' "
            "heartbeat-timeout = 500ms",
        )
    )
    program = follow(daemon)
    program.subscribe("news")
    server.expect_topics({"news"})
    server.order("mute")
    program.expect("Interrupted")
    program.expect("Resumed")
    finish(daemon, server, program)
