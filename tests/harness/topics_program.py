# SPDX-License-Identifier: MIT
"""A program that follows topics of topics_server.py through the daemon. Run by topics.py.

    topics_program.py SOCKET URL

Each line of stdin is an order: `+ TOPIC` and `- TOPIC` subscribe and unsubscribe, `. TEXT` sends the text. Each event of its
WebSocket is printed as a line, with the name of its class and, of a message, its data.
"""

import contextlib
import select
import sys

from process import DEADLINE
from topics import subscribing, unsubscribing
from wsplex_client import ChannelEnded, Client, Message


def obey(channel, line):
    what, topic = line.rstrip("\n").split(" ", 1)
    if what == "+":
        channel.subscribe(subscribing(topic), unsubscribing(topic))
    elif what == "-":
        channel.unsubscribe(subscribing(topic))
    else:
        channel.send(topic)


def tell_all(channel):
    """What has come so far."""
    with contextlib.suppress(TimeoutError):
        while True:
            event = channel.recv(timeout=0)
            data = f" {event.data}" if isinstance(event, Message) else ""
            print(type(event).__name__ + data, flush=True)


def main(path, url):
    orders = sys.stdin.buffer.raw
    with Client(path, timeout=DEADLINE, software="topics_program.py") as client, contextlib.suppress(ChannelEnded):
        channel = client.open(url, sharing="shared")
        while True:
            tell_all(channel)
            readable = select.select([client, orders], [], [])[0]
            if orders in readable:
                lines = orders.read(65536)
                if not lines:
                    return
                for line in lines.decode().splitlines():
                    obey(channel, line)


main(*sys.argv[1:])
