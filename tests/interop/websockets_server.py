# SPDX-License-Identifier: MIT
"""python3-websockets, for the interop tests: see ../harness/foreign.py for what it is told and does."""

import asyncio
import contextlib
import ssl
import sys

import websockets

LAST = [""]


async def pong(connection, data):
    await (await connection.ping(data))
    await connection.send(f"pong {data}")


async def obey(connection, order):
    what, _, rest = order.partition(" ")
    if what == "close":
        code, _, reason = rest.partition(" ")
        await connection.close(int(code), reason)
    elif what == "ping":
        # Not awaited: the pong is read by whoever reads the messages.
        connection.pinging = asyncio.ensure_future(pong(connection, rest))
    elif what == "last":
        await connection.send(LAST[0])
    elif what == "drop":
        connection.transport.abort()


async def serve(connection):
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in connection:
            if connection.path.startswith("/obey"):
                await obey(connection, message)
            else:
                await connection.send(message)
    LAST[0] = f"{connection.close_code} {connection.close_reason}".strip()


async def main(ws_port, wss_port, chain, key):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    options = {
        "max_size": 1 << 25, "ping_interval": 1, "ping_timeout": 5, "subprotocols": ["echo.v2", "echo.v1"],
    }  # fmt: skip
    await websockets.serve(serve, "127.0.0.1", int(ws_port), **options)
    await websockets.serve(serve, "127.0.0.1", int(wss_port), ssl=tls, **options)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
