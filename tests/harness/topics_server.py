# SPDX-License-Identifier: MIT
"""A feed that keeps the subscriptions of each connection, on python3-websockets. Run by topics.py.

What a client says is a JSON object a message; answers are in parentheses:

    {"op": "login", "key": ...}          first, where the server was started with a key
    {"op": "subscribe", "topic": ...}    once for each topic
    {"op": "unsubscribe", "topic": ...}  of what is subscribed
    {"op": "ping"}                       ({"op": "pong"}, unless it is mute)
    {"op": "here", "id": ...}            to {"op": "are-you-there", "id": ...}, which it sends when told to

Anything else it just tells of. Events are printed, a JSON object a line: listening {port}, open {id},
topics {id, topics} whenever they have changed, heard {id, op, message} of all else, complaint {id, text}, close {id}.
Orders come on stdin: publish {topic, data} to who has subscribed, mute, ask {number}, cut: all connections.
"""

import asyncio
import contextlib
import json
import sys

import websockets


def tell(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


class Feed:
    def __init__(self, key):
        self.key = key
        self.is_mute = False
        self.topics = {}  # of each connection
        self.ids = {}

    async def serve(self, connection):
        number = self.ids[connection] = len(self.ids) + 1
        self.topics[connection] = set()
        tell("open", id=number)
        is_logged_in = self.key is None
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in connection:
                message = json.loads(text)
                if not is_logged_in and message.get("op") != "login":
                    tell("complaint", id=number, text=f"{text} comes before the login")
                if message.get("op") == "login":
                    if is_logged_in or message["key"] != self.key:
                        tell("complaint", id=number, text="a second or a wrong login")
                    is_logged_in = True
                await self.hear(connection, message)
        del self.topics[connection]
        tell("close", id=number)

    async def hear(self, connection, message):
        number, topics = self.ids[connection], self.topics[connection]
        topic = message.get("topic")
        if message.get("op") == "subscribe":
            if topic in topics:
                tell("complaint", id=number, text=f"{topic} is subscribed twice")
            topics.add(topic)
            tell("topics", id=number, topics=sorted(topics))
        elif message.get("op") == "unsubscribe":
            if topic not in topics:
                tell("complaint", id=number, text=f"{topic} is not subscribed")
            topics.discard(topic)
            tell("topics", id=number, topics=sorted(topics))
        else:
            tell("heard", id=number, op=message.get("op"), message=message)
            if message.get("op") == "ping" and not self.is_mute:
                await connection.send(json.dumps({"op": "pong"}))

    async def obey(self, order):
        what = order["do"]
        if what == "mute":
            self.is_mute = True
        for connection, topics in list(self.topics.items()):
            if what == "publish" and order["topic"] in topics:
                await connection.send(json.dumps({"topic": order["topic"], "data": order["data"]}))
            elif what == "ask":
                await connection.send(json.dumps({"op": "are-you-there", "id": order["number"]}))
            elif what == "cut":
                connection.transport.abort()


async def main(port, key):
    feed = Feed(json.loads(key))
    server = await websockets.serve(feed.serve, "127.0.0.1", int(port), ping_interval=None)
    tell("listening", port=server.sockets[0].getsockname()[1])
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while line := await orders.readline():
        with contextlib.suppress(websockets.ConnectionClosed):
            await feed.obey(json.loads(line))


asyncio.run(main(*sys.argv[1:]))
