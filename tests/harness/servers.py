# SPDX-License-Identifier: MIT
"""WebSocket servers for tests: two that wsplex did not write, and one that does what its script says.

Server runs websockets_server.py or ws_server.js, which listen with and without TLS on 127.0.0.1 and
::1. What a connection gets depends on its path: /echo... sends every message back, /pieces... does so in three frames, any other tells of
it. deflate has the parameters of permessage-deflate that the server answers with, by their names in
RFC 7692; without, it does as its library does. The test sees each connection and gives it orders, a JSON object a line:

    events  open {id, path, headers, protocol}, message {id, binary, length, sha256, [text]},
            pong {id, data}, close {id, code, reason}
    orders  text {text}, file {path, binary}, burst {count, fill}, ping {data},
            close {code, reason}, terminate; each with the id of the connection

RawServer is a listening socket with a script of the test's own, for what no library does.
"""

import base64
import contextlib
import hashlib
import itertools
import json
import os
import socket
import ssl
import struct
import threading

from process import DEADLINE, TOP, Process, free_port, wait_until

KINDS = ("websockets", "ws")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_paths = itertools.count(1)


def new_path(kind="tell"):
    """A path that no other test uses, so that its connections can be told from others."""
    return f"/{kind}/{next(_paths)}"


class Connection:
    """One connection of a Server, known by the path that it asked for."""

    def __init__(self, server, event):
        self.server = server
        self.id = event["id"]
        self.headers = event["headers"]
        self.protocol = event["protocol"]
        self._next = 0

    def header(self, name):
        return [value for key, value in self.headers if key == name]

    def order(self, what, **members):
        self.server.write(json.dumps({"do": what, "id": self.id, **members}))

    def event(self, kind):
        """The next event of this kind."""

        def matches(line):
            event = json.loads(line)
            return event if (event["event"], event.get("id")) == (kind, self.id) else None

        self._next, event = self.server.out.wait(matches, f"{kind} of {self.id}", self._next)
        self._next += 1
        return event

    def messages(self, n_messages):
        return [self.event("message") for _ in range(n_messages)]

    def all_messages(self):
        """Those that have come so far."""
        events = [json.loads(line) for line in self.server.out.all()]
        return [event for event in events if (event["event"], event.get("id")) == ("message", self.id)]

    def closed(self):
        event = self.event("close")
        return event["code"], event["reason"]


PLACES = ("ws 127.0.0.1", "wss 127.0.0.1", "ws ::1", "wss ::1")


class Server(Process):
    """With ports, which another one had, it listens there. Nobody else listens on any of them at any other address, so
    that a name of several addresses leads to it or to nobody."""

    def __init__(self, kind, certificate, deflate=None, ports=None):
        self.kind = kind
        ports = {place: free_port() for place in PLACES} | (ports or {})
        here = os.path.join(TOP, "tests", "harness")
        if kind == "ws":
            command = ["node", os.path.join(here, "ws_server.js")]
        else:
            command = ["/usr/bin/python3", os.path.join(here, "websockets_server.py")]
        modules = os.environ.get("WSPLEX_NODE_MODULES", "")
        super().__init__(
            [*command, certificate.chain, certificate.key, json.dumps(deflate), json.dumps(ports)],
            env={"NODE_PATH": modules},
        )  # fmt: skip
        self.name = kind
        self._urls = self._wait_event("listening")["urls"]

    def _wait_event(self, kind, **members):
        def matches(line):
            event = json.loads(line)
            has_all = all(event.get(member) == value for member, value in members.items())
            return event if event["event"] == kind and has_all else None

        return self.out.wait(matches, f"{kind} {members}")[1]

    def url(self, path, scheme="ws", host="127.0.0.1"):
        return self._urls[f"{scheme} {host}"] + path

    def connection(self, path):
        """The connection that asks, or has asked, for that path."""
        return Connection(self, self._wait_event("open", path=path))

    def connections(self, path, n_connections):
        """The first so many that ask, or have asked, for that path, in their order."""

        def asked():
            events = [json.loads(line) for line in self.out.all()]
            return [event for event in events if (event["event"], event.get("path")) == ("open", path)]

        wait_until(lambda: len(asked()) >= n_connections, lambda: f"{n_connections} of {path}: {asked()}")
        return [Connection(self, event) for event in asked()[:n_connections]]

    def expect_connections(self, path, n_connections):
        """So many connections have asked for that path, and not one more."""

        def asked():
            events = [json.loads(line) for line in self.out.all()]
            return sum(event["event"] == "open" and event["path"] == path for event in events)

        wait_until(lambda: asked() >= n_connections, lambda: f"{n_connections}, not {asked()}")
        assert asked() == n_connections


class Feed:
    """A path of a server's own, whose connection the test orders to send."""

    def __init__(self, server):
        self.server = server
        self.path = new_path()
        self.url = server.url(self.path)

    def send(self, *texts):
        connection = self.server.connection(self.path)
        for text in texts:
            connection.order("text", text=text)

    def burst(self, count, fill):
        """So many messages, each of them its number, a blank and fill."""
        self.server.connection(self.path).order("burst", count=count, fill=fill)


# --- a server by script ---


def frame(opcode, payload=b"", is_last=True, reserved=0, mask=None):
    """A frame of RFC 6455, right or wrong."""
    head = bytes([(0x80 if is_last else 0) | reserved << 4 | opcode])
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([masked | len(payload)])
    elif len(payload) < 65536:
        head += bytes([masked | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([masked | 127]) + struct.pack(">Q", len(payload))
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + (mask or b"") + payload


def unmasked(payload, key):
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(repeated, "little")
    return number.to_bytes(len(payload), "little")


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Peer:
    """The server's end of a connection."""

    def __init__(self, connection):
        self.socket = connection
        self._read = connection.makefile("rb")
        self.path = None
        self.headers = {}

    def _read_line(self):
        line = self._read.readline().decode("latin-1")
        if not line.endswith("\r\n"):
            raise ConnectionError(f"the client hung up within its request: {line!r}")
        return line[:-2]

    def read_request(self):
        line = self._read_line()
        assert line.endswith(" HTTP/1.1"), line
        self.path = line.split(" ")[1]
        while line := self._read_line():
            name, value = line.split(": ", 1)
            self.headers[name.lower()] = value

    def accept(self, more="", then=b""):
        """101, as the standard says; more are further lines. What is then sent comes in one piece with it."""
        key = self.headers["sec-websocket-key"].encode()
        answer = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {answer}\r\n{more}\r\n"
        )
        self.raw(head.encode() + then)

    def upgrade(self, then=b""):
        self.read_request()
        self.accept(then=then)

    def raw(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def read_frame(self):
        """opcode and payload; None at the end of the stream. Every frame must be masked."""
        head = self._read.read(2)
        if not head:
            return None
        assert head[1] & 0x80, "a client's frame that is not masked"
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._read.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read.read(8))
        mask = self._read.read(4)
        payload = self._read.read(length)
        return head[0], unmasked(payload, mask)

    def read_close(self):
        """The code of the next Close frame; data before it is dropped. None: there was no code."""
        while (got := self.read_frame()) is not None:
            if got[0] == 0x80 | CLOSE:
                return struct.unpack(">H", got[1][:2])[0] if got[1] else None
        raise AssertionError("the stream has ended without a Close frame")

    def read_end(self):
        assert self._read.read() == b""


class RawServer:
    """Listens while the `with` lasts. Each connection runs script(peer) in a thread of its own.

    What a script raises fails the test, unless it is that the connection was reset, or ended before the request did.
    Scripts that are to hold a connection open wait for the event `over`.
    """

    def __init__(self, script, host="127.0.0.1", certificate=None, client_authority=None, port=0):
        self._script = script
        self._errors = []
        self._threads = []
        self._handles = []  # of the connections, to cut them by
        self.over = threading.Event()
        self.n_accepted = 0
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.chain, certificate.key)
        if client_authority:
            self._tls.verify_mode = ssl.CERT_REQUIRED
            self._tls.load_verify_locations(client_authority.file)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.port = self._listener.getsockname()[1]
        written = f"[{host}]" if ":" in host else host
        self.url = f"{'wss' if certificate else 'ws'}://{written}:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._accepting.start()
        return self

    def __exit__(self, kind, *_exception):
        self.over.set()
        self._stop_accepting()
        if kind is not None:
            self._cut()
        for thread in self._threads:
            thread.join(DEADLINE)
        if kind is None:
            assert not any(thread.is_alive() for thread in self._threads), "a script does not end"
            if self._errors:
                raise self._errors[0]

    def _stop_accepting(self):
        # Wakes accept(), which close() would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(DEADLINE)

    def _cut(self):
        for handle in self._handles:
            with contextlib.suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def go_away(self):
        """As a server that is killed: all connections are cut, and who comes back at once is refused."""
        self._stop_accepting()
        self._cut()

    def expect_accepted(self, n_connections):
        """So many connections have come, and not one more."""
        wait_until(
            lambda: self.n_accepted >= n_connections, lambda: f"{n_connections} connections, not {self.n_accepted}"
        )
        assert self.n_accepted == n_connections

    def wait_scripts(self):
        """Until the scripts of all connections that were accepted have ended: they have read all that came."""
        wait_until(lambda: not any(thread.is_alive() for thread in list(self._threads)), "a script does not end")

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # How long the test lets it wait is the test's to say, which has its own deadlines.
            connection.settimeout(10 * DEADLINE)
            self.n_accepted += 1
            self._handles.append(connection.dup())
            thread = threading.Thread(target=self._run, args=(connection, self._handles[-1]), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, connection, handle):
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(connection)
                if self._tls:
                    connection = stack.enter_context(self._tls.wrap_socket(connection, server_side=True))
                stack.enter_context(handle)  # closed before the connection, which ends with the last that holds it
                self._script(Peer(connection))
        except (ConnectionError, ssl.SSLError):
            pass
        except Exception as error:  # the test is in another thread, and raises it there
            self._errors.append(error)
        finally:
            handle.close()
