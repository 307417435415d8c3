# SPDX-License-Identifier: MIT
"""aiohttp, for the interop tests: see ../harness/foreign.py for what it is told and does."""

import asyncio
import ssl
import sys

from aiohttp import WSMsgType, web

LAST = [""]
PING_SECONDS = 1


async def obey(connection, request, order):
    what, _, rest = order.partition(" ")
    if what == "close":
        code, _, reason = rest.partition(" ")
        await connection.close(code=int(code), message=reason.encode())
    elif what == "ping":
        await connection.ping(rest)
    elif what == "last":
        await connection.send_str(LAST[0])
    elif what == "drop":
        request.transport.abort()


async def serve(request):
    obeys = request.path.startswith("/obey")
    # With a heartbeat aiohttp takes the pongs itself.
    connection = web.WebSocketResponse(
        protocols=["echo.v2", "echo.v1"], max_msg_size=1 << 25, compress=True,
        autoping=not obeys, heartbeat=None if obeys else PING_SECONDS,
    )  # fmt: skip
    await connection.prepare(request)
    while True:
        message = await connection.receive()
        if message.type == WSMsgType.TEXT and obeys:
            await obey(connection, request, message.data)
        elif message.type == WSMsgType.TEXT:
            await connection.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await connection.send_bytes(message.data)
        elif message.type == WSMsgType.PONG:
            await connection.send_str(f"pong {message.data.decode()}")
        elif message.type == WSMsgType.PING:
            await connection.pong(message.data)
        else:
            break
    if message.type == WSMsgType.CLOSE:
        LAST[0] = f"{message.data} {message.extra or ''}".strip()
    return connection


async def main(ws_port, wss_port, chain, key):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    app = web.Application()
    app.router.add_get("/{any:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(ws_port)).start()
    await web.TCPSite(runner, "127.0.0.1", int(wss_port), ssl_context=tls).start()
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
