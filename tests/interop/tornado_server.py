# SPDX-License-Identifier: MIT
"""tornado, for the interop tests: see ../harness/foreign.py for what it is told and does."""

import asyncio
import ssl
import sys

from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler

LAST = [""]


class Echo(WebSocketHandler):
    obeys = False

    def get_compression_options(self):
        return {}

    def select_subprotocol(self, subprotocols):
        return next((mine for mine in ("echo.v2", "echo.v1") if mine in subprotocols), None)

    def open(self, *_arguments):
        self.obeys = self.request.path.startswith("/obey")

    def on_message(self, message):
        if self.obeys:
            self.obey(message)
        else:
            self.write_message(message, binary=isinstance(message, bytes))

    def obey(self, order):
        what, _, rest = order.partition(" ")
        if what == "close":
            code, _, reason = rest.partition(" ")
            self.close(int(code) or None, reason or None)
        elif what == "ping":
            self.ping(rest.encode())
        elif what == "last":
            self.write_message(LAST[0])
        elif what == "drop":
            self.ws_connection.stream.close()

    def on_pong(self, data):
        if data:
            self.write_message(f"pong {data.decode()}")

    def on_close(self):
        LAST[0] = f"{self.close_code} {self.close_reason or ''}".strip()


async def main(ws_port, wss_port, chain, key):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    app = Application(
        [("/.*", Echo)], websocket_ping_interval=1, websocket_ping_timeout=5,
        websocket_max_message_size=1 << 25,
    )  # fmt: skip
    HTTPServer(app).listen(int(ws_port), "127.0.0.1")
    HTTPServer(app, ssl_options=tls).listen(int(wss_port), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
