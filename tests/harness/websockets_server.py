# SPDX-License-Identifier: MIT
"""A WebSocket server that wsplex did not write: python3-websockets.

Run by servers.py, which says what the orders on stdin and the events on stdout are.
"""

import asyncio
import contextlib
import hashlib
import json
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

PROTOCOLS = ["chat.v2", "chat.v1"]
SHOWN_LEN = 1024

connections = {}


def tell(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


async def serve(connection):
    number = len(connections) + 1
    connections[number] = connection
    headers = [[name.lower(), value] for name, value in connection.request_headers.raw_items()]
    tell("open", id=number, path=connection.path, headers=headers, protocol=connection.subprotocol)
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in connection:
            if connection.path.startswith("/echo"):
                await connection.send(message)
            elif connection.path.startswith("/pieces"):
                await connection.send(pieces(message) if message else message)
            else:
                tell_message(number, message)
    await connection.wait_closed()
    tell("close", id=number, code=connection.close_code, reason=connection.close_reason)


def pieces(message):
    third = len(message) // 3 + 1
    for at in range(0, len(message), third):
        yield message[at : at + third]


def tell_message(number, message):
    data = message.encode() if isinstance(message, str) else message
    event = {"binary": data is message, "length": len(data)}
    if len(data) <= SHOWN_LEN:
        event["text"] = data.decode("utf-8", "backslashreplace")
    tell("message", id=number, sha256=hashlib.sha256(data).hexdigest(), **event)


async def obey(order):
    connection = connections[order["id"]]
    what = order["do"]
    if what == "text":
        await connection.send(order["text"])
    elif what == "file":
        with open(order["path"], "rb") as file:
            data = file.read()
        await connection.send(data if order["binary"] else data.decode())
    elif what == "burst":
        for i in range(order["count"]):
            await connection.send(f"{i} {order['fill']}")
    elif what == "ping":
        pong = await connection.ping(order["data"])
        await pong
        tell("pong", id=order["id"], data=order["data"])
    elif what == "close":
        await connection.close(order["code"], order["reason"])
    elif what == "terminate":
        connection.transport.abort()


async def run(order):
    # A connection that goes while it is sent to is told of as a close.
    with contextlib.suppress(websockets.ConnectionClosed):
        await obey(order)


async def main(chain, key, deflate, ports="{}"):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    options = {"max_size": None, "ping_interval": None, "subprotocols": PROTOCOLS}
    if json.loads(deflate) is not None:
        options["compression"] = None
        options["extensions"] = [ServerPerMessageDeflateFactory(**json.loads(deflate))]
    urls = {}
    for scheme, context in (("ws", None), ("wss", tls)):
        for host, written in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
            port = json.loads(ports).get(f"{scheme} {host}", 0)
            try:
                server = await websockets.serve(serve, host, port, ssl=context, **options)
            except OSError:
                if host == "127.0.0.1":
                    raise
                continue  # a machine without IPv6
            port = server.sockets[0].getsockname()[1]
            urls[f"{scheme} {host}"] = f"{scheme}://{written}:{port}"
    tell("listening", urls=urls)

    orders = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while line := await orders.readline():
        await run(json.loads(line))


asyncio.run(main(*sys.argv[1:]))
