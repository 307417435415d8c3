# SPDX-License-Identifier: MIT
"""A feed that keeps subscriptions per connection, and programs that follow its topics.

    with TopicsServer() as server, TopicsProgram(daemon.socket, server.url) as program:
        program.subscribe("news")
        server.expect_topics({"news"})
        program.kill()
        server.expect_topics(set())
"""

import json
import os

from process import TOP, Process, wait_until

PYTHON = "/usr/bin/python3"
HERE = os.path.join(TOP, "tests", "harness")


def subscribing(topic):
    return json.dumps({"op": "subscribe", "topic": topic})


def unsubscribing(topic):
    return json.dumps({"op": "unsubscribe", "topic": topic})


def endpoint(url, more="", name="feed"):
    return f'endpoint "{name}" {{ url = "{url}" linger = 0s {more} }}\n'


def union(programs):
    return set().union(*(program.wanted for program in programs))


class TopicsServer(Process):
    """Listens on that port, 0: on any; a key must be given by its clients with a login."""

    def __init__(self, port=0, key=None):
        super().__init__([PYTHON, os.path.join(HERE, "topics_server.py"), str(port), json.dumps(key)])
        self.name = "topics_server"
        self.port = self.out.wait(lambda line: json.loads(line).get("port"), "listening")[1]
        self.url = f"ws://127.0.0.1:{self.port}/"

    def order(self, what, **members):
        self.write(json.dumps({"do": what, **members}))

    def events(self, kind):
        return [event for line in self.out.all() if (event := json.loads(line))["event"] == kind]

    def topics(self):
        """What the newest connection has subscribed, if it still is there."""
        newest, topics = 0, set()
        for line in self.out.all():
            event = json.loads(line)
            if event["event"] == "open":
                newest, topics = event["id"], set()
            elif event["event"] in ("topics", "close") and event["id"] == newest:
                topics = set(event.get("topics", ()))
        return topics

    def expect_topics(self, topics):
        wait_until(lambda: self.topics() == topics, lambda: f"{topics}, not {self.topics()}")
        assert not self.events("complaint")

    def expect_heard(self, *ops):
        """All that it was told but topics, in this order, whatever comes later."""

        def heard():
            return tuple(event["op"] for event in self.events("heard"))

        wait_until(lambda: len(heard()) >= len(ops), lambda: f"{ops}, not {heard()}")
        assert heard()[: len(ops)] == ops


class TopicsProgram(Process):
    """With one shared WebSocket, which it opens at once. The test wants what wanted has."""

    def __init__(self, socket, url):
        super().__init__([PYTHON, os.path.join(HERE, "topics_program.py"), socket, url])
        self.name = "topics_program"
        self.wanted = set()

    def subscribe(self, topic):
        self.wanted.add(topic)
        self.write(f"+ {topic}")

    def unsubscribe(self, topic):
        self.wanted.discard(topic)
        self.write(f"- {topic}")

    def send(self, text):
        self.write(f". {text}")

    def kill(self, *number):
        self.wanted.clear()
        super().kill(*number)

    def expect(self, event):
        """That event, whatever came before it."""
        self.out.wait(lambda line: line == event, event)
