# SPDX-License-Identifier: MIT
"""A JSON-RPC server on python3-websockets, in a thread of the test's process.

    method      what it does
    echo        replies with its params
    hold        replies likewise, when "release" comes: the last first
    never       nothing
    publish     (a notification) sends one with its params to all, method "news"
    question    sends a request of its own before it replies
    cut         ends the connection without a word
    an array    replies with an array
"""

import asyncio
import contextlib
import json
import threading

import websockets
from process import DEADLINE


class RpcServer:
    """Listens while the `with` lasts. requests and answers are what it was sent, as texts: requests are there before
    their replies are sent."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.n_connections = 0
        self._held = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(self, *_exception):
        self._loop.call_soon_threadsafe(self._over.set_result, None)
        self._thread.join(DEADLINE)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._over = self._loop.create_future()
        serving = websockets.serve(self._connected, "127.0.0.1", 0, process_request=self._asked_for, ping_interval=None)
        async with serving as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._ready.set()
            await self._over

    async def _asked_for(self, _path, _headers):
        # Before it is answered: who has heard that it is open may look at once.
        self.n_connections += 1

    async def _connected(self, connection):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in connection:
                await self._heard(connection, text)

    async def _heard(self, connection, text):
        message = json.loads(text)
        if isinstance(message, list):
            await connection.send(json.dumps([self._reply(one) for one in message]))
        elif "method" not in message:
            self.answers.append(text)
        else:
            self.requests.append(text)
            await self._asked(connection, message)

    def _reply(self, message):
        return {"jsonrpc": "2.0", "result": message.get("params"), "id": message["id"]}

    async def _asked(self, connection, message):
        method = message["method"]
        if method == "hold":
            self._held.append(message)
        elif method == "release":
            while self._held:
                await connection.send(json.dumps(self._reply(self._held.pop())))
        elif method == "publish":
            await connection.send(json.dumps({"method": "news", "params": message["params"]}))
        elif method == "cut":
            connection.transport.abort()
        elif method != "never":
            if method == "question":
                await connection.send(json.dumps({"id": message["id"], "method": "who", "params": []}))
            await connection.send(json.dumps(self._reply(message)))
