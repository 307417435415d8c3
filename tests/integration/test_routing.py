# SPDX-License-Identifier: MIT
"""Replies to the one who asked: several programs, with the same ids, at a JSON-RPC server that wsplex did not write."""

import json
import random
import threading

import pytest
from process import DEADLINE, wait_until
from rpc_server import RpcServer
from wsplex_client import Closed, Failed, Gap, Interrupted, Message, Opened, Resumed

FEED = "wsplex-endpoint:node"


@pytest.fixture
def rpc():
    with RpcServer() as server:
        yield server


@pytest.fixture
def endpoint(rpc, make_daemon):  # the daemon ends first, in order
    """make(more) starts a daemon with an endpoint that routes."""

    def make(more=""):
        return make_daemon(f'endpoint "node" {{ url = "{rpc.url}" linger = 0 route-replies = yes {more} }}')

    return make


def joined(client):
    channel = client.open(FEED, sharing="shared")
    channel.wait(Opened)
    return channel


def leave(*channels):
    for channel in channels:
        channel.close(1000)
        channel.wait(Closed)


def ask(channel, number, method="echo", params=None):
    channel.send(f'{{"jsonrpc": "2.0", "id": {number}, "method": "{method}", "params": {json.dumps(params)}}}')


def reply(number, params=None):
    return f'{{"jsonrpc": "2.0", "result": {json.dumps(params)}, "id": {number}}}'


def next_text(channel):
    return channel.wait(Message).data


def drained(channel):
    """All that it gave has been sent, to the byte."""
    while channel.buffered_amount > 0:
        channel.client.pump(DEADLINE)


def details(daemon):
    (row,) = daemon.upstreams()
    return daemon.request("show", str(row["id"]))


def test_many_programs_with_the_same_ids(endpoint, rpc):
    """Each has what it asked and nothing else, and its own ids in its own type; the server saw each id once."""
    n_programs, n_requests = 6, 60
    daemon = endpoint()
    everybody = threading.Barrier(n_programs)
    problems = []

    def work(name):
        order = random.Random(name)
        with daemon.client() as client:
            channel = joined(client)
            everybody.wait(DEADLINE)
            forms = [lambda i: f"{i}", lambda i: f'"{i}"', lambda i: f"{i}.0", lambda i: f"{i}e0"]
            asked = [(order.choice(forms)(i), [name, i]) for i in range(n_requests)]
            for number, params in asked:
                ask(channel, number, order.choice(["echo", "hold"]), params)
            everybody.wait(DEADLINE)
            channel.send('{"method": "release"}')
            heard = []
            while len(heard) < n_requests:
                heard.append(next_text(channel))
                if order.random() < 0.1:
                    channel.send('{"method": "release"}')
            assert sorted(heard) == sorted(reply(number, params) for number, params in asked)
            everybody.wait(DEADLINE)
            drained(channel)
            leave(channel)

    def quietly(name):
        try:
            work(name)
        except BaseException as error:
            everybody.abort()
            problems.append(error)

    threads = [threading.Thread(target=quietly, args=(i,), daemon=True) for i in range(n_programs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * DEADLINE)
    if problems:
        raise problems[0]
    requests = [json.loads(text) for text in rpc.requests if '"id"' in text]
    assert len(requests) == n_programs * n_requests
    assert len({int(request["id"]) for request in requests}) == len(requests)
    assert rpc.n_connections == 1


def test_what_is_for_all(endpoint, rpc):
    daemon = endpoint()
    with daemon.client() as one, daemon.client() as other:
        a, b = joined(one), joined(other)
        a.send('{"method": "publish", "params": {"id": 1}}')
        assert next_text(a) == next_text(b) == '{"method": "news", "params": {"id": 1}}'
        a.send('[{"id": 1, "method": "x", "params": 5}, {"id": "1", "method": "x"}]')
        batch = f"[{reply(1, 5)}, {reply(json.dumps('1'))}]"
        assert next_text(a) == next_text(b) == batch
        # The server asks under the same number; who likes answers, and the answer is the program's.
        ask(a, 1, "question", "hm")
        asked = json.loads(next_text(b))
        assert asked["method"] == "who" and json.loads(next_text(a)) == asked
        answer = f'{{"id": {asked["id"]},  "result": "b"}}'
        b.send(answer)
        assert next_text(a) == reply(1, "hm")
        wait_until(lambda: rpc.answers == [answer], lambda: rpc.answers)
        a.send(b'{"id": 9, "method": "echo", "params": 0}')
        assert next_text(a) == next_text(b) == reply(9, 0)
        leave(a, b)


def test_who_has_gone_is_counted(endpoint, rpc):
    daemon = endpoint()
    with daemon.client() as other:
        b = joined(other)
        with daemon.client() as one:
            a = joined(one)
            ask(a, 1, "hold", "a secret of the one")
            ask(b, 1, "hold", "b")
            wait_until(lambda: len(rpc.requests) == 2, lambda: rpc.requests)
        wait_until(lambda: len(daemon.channels()) == 1, daemon.channels)
        assert details(daemon)["pending_requests"] == 2
        b.send('{"method": "release"}')
        assert next_text(b) == reply(1, "b")
        b.send('{"method": "publish", "params": "last"}')
        assert next_text(b) == '{"method": "news", "params": "last"}'
        shown = details(daemon)
        assert (shown["pending_requests"], shown["routed_replies"], shown["dropped_replies"]) == (0, 1, 1)
        leave(b)


def test_a_reply_that_is_late_is_for_all(endpoint):
    daemon = endpoint("route-timeout = 100ms")
    with daemon.client() as one, daemon.client() as other:
        a, b = joined(one), joined(other)
        ask(a, 7, "hold", "late")
        wait_until(lambda: details(daemon)["unanswered_requests"] == 1, lambda: details(daemon))
        a.send('{"method": "release"}')
        late = next_text(b)
        assert next_text(a) == late and json.loads(late)["result"] == "late" and json.loads(late)["id"] != 7
        leave(a, b)


def test_who_asks_too_much_waits(endpoint, rpc):
    daemon = endpoint("route-pending = 2")
    with daemon.client() as one, daemon.client() as other:
        a, b = joined(one), joined(other)
        for i in range(5):
            ask(a, i, "hold", i)
        wait_until(lambda: len(rpc.requests) == 2, lambda: rpc.requests)
        for i in range(3):
            ask(b, i, "echo", "b")
            assert next_text(b) == reply(i, "b")
        assert len(rpc.requests) == 2 + 3 and a.buffered_amount > 0
        heard = []
        while len(heard) < 5:
            b.send('{"method": "release"}')
            heard.append(next_text(a))
        assert sorted(heard) == [reply(i, i) for i in range(5)]
        drained(a)
        leave(a, b)


def test_after_a_loss_the_same_ids_work_again(endpoint):
    daemon = endpoint()
    with daemon.client() as one, daemon.client() as other:
        a, b = joined(one), joined(other)
        ask(a, 1, "never")
        ask(b, 1, "hold", "before")
        b.send('{"method": "cut"}')
        for channel in (a, b):
            assert channel.wait(Failed).cause == "lost"
            channel.wait(Closed)
        daemon.expect("upstream-failed", "lost")
        a, b = joined(one), joined(other)
        assert details(daemon)["pending_requests"] == 0
        for channel in (a, b):
            ask(channel, 1, "echo", "again")
            assert next_text(channel) == reply(1, "again")
        leave(a, b)


def test_after_an_interruption_the_same_ids_work_again(endpoint):
    daemon = endpoint("persist = yes backoff-min = 10ms backoff-max = 10ms")
    daemon.forgive("upstream-away")
    with daemon.client() as one, daemon.client() as other:
        a, b = joined(one), joined(other)
        ask(a, 1, "never")
        ask(b, 1, "hold", "before")
        b.send('{"method": "cut"}')
        for channel in (a, b):
            channel.wait(Interrupted)
            channel.wait(Gap)
            channel.wait(Resumed)
        for channel in (a, b):
            ask(channel, 1, "echo", "again")
            assert next_text(channel) == reply(1, "again")
        assert details(daemon)["pending_requests"] == 0
        leave(a, b)


def test_another_member(endpoint):
    daemon = endpoint('route-member = "req_id"')
    with daemon.client() as one, daemon.client() as other:
        a, b = joined(one), joined(other)
        a.send('[{"id": 1}]')
        assert next_text(a) == next_text(b)
        ask(a, 4, "echo", "by id, which is not the member")
        assert next_text(a) == next_text(b)
        leave(a, b)
