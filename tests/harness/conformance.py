# SPDX-License-Identifier: MIT
"""A server that tries a client out, case by case: what it sends and what must come back, frame by frame.

A Case is a list of what the server writes (bytes as they are, Pause, Until), the frames that must come back in that
order, and how it ends. The client under test is ws_echo, a program on libwsplex that sends every message back, with
a real wsplexd between the two. Judged is what the ideal client does, not what may be put up with: every frame is
masked, whole and in its shortest form; nothing comes that was not asked for; after a fault the right Close comes at
once, without the rest of the frame or message being sent, and then the end of the stream; after a closing handshake
the client waits for the server to end the connection; and the program is told what the WHATWG standard says.

    with Examiner(socket_of_the_daemon) as examiner:
        examiner.run(Case("hello", [frame(TEXT, b"hello")], [(TEXT, b"hello")]))
"""

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

from process import DEADLINE, Process, built
from servers import CLOSE, GUID, PONG, frame, unmasked

# How long a client may take that has everything it needs.
AT_ONCE = DEADLINE / 3
# What a client would do too early, it does within this time.
TOO_EARLY = 0.1


class Wrong(AssertionError):
    """What the client did, and should not have done."""


@dataclass(frozen=True)
class Pause:
    """Nothing is written for a while."""

    seconds: float = 0.02


@dataclass(frozen=True)
class Until:
    """Nothing is written until so many frames have come back."""

    n_frames: int


@dataclass(frozen=True)
class Clean:
    """The server begins the closing handshake when all frames have come back."""

    code: int = 1000
    reason: str = ""


@dataclass(frozen=True)
class Closes:
    """The closing handshake is part of what is sent, and must be answered with the same code (1005: none)."""

    code: int = 1000
    reason: str = ""
    is_patient: bool = False  # the client must not end the connection before the server does


@dataclass(frozen=True)
class Broken:
    """The client finds a fault, says so by one of these codes, and ends the connection."""

    codes: tuple = (1002,)


@dataclass
class Case:
    name: str
    sends: list
    back: list  # (opcode, payload) of each frame
    end: object = field(default_factory=Clean)
    chop: int = 0  # bytes in one piece; 0: each of sends is written whole
    extensions: str = ""  # of the answer to the handshake
    seconds: float = DEADLINE

    def __str__(self):
        return self.name


def close_frame(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def fragments(opcode, *payloads):
    """One message in so many frames."""
    last = len(payloads) - 1
    return b"".join(frame(0 if i else opcode, payload, i == last) for i, payload in enumerate(payloads))


def cut(opcode, payload, size):
    """One message in frames of that size."""
    return fragments(opcode, *(payload[i : i + size] for i in range(0, len(payload), size)))


def shown(got):
    return [(opcode, payload if len(payload) <= 64 else f"{len(payload)} bytes") for opcode, payload in got]


class Trial:
    """One connection, one case."""

    def __init__(self, case, reader, writer):
        self.case = case
        self.got = []
        self.keys = []
        self.reserved = []  # bits of each frame that came
        self.close = None  # the payload of the client's Close
        self.is_over = False  # the client has ended the stream
        self._reader = reader
        self._writer = writer
        self._changed = asyncio.Event()

    async def run(self):
        reading = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait_for(self._speak(reading), self.case.seconds)
        except asyncio.TimeoutError:
            raise Wrong(f"not done within {self.case.seconds} s; came: {shown(self.got)}") from None
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Wrong, OSError, asyncio.IncompleteReadError):
                await reading

    # --- what comes ---

    async def _read_frame(self):
        """False at the end of the stream."""
        head = await self._reader.read(1)
        if not head:
            return False
        head += await self._reader.readexactly(1)
        opcode, length = head[0] & 15, head[1] & 127
        if not head[1] & 128:
            raise Wrong("a frame that is not masked")
        if not head[0] & 128 or opcode == 0:
            raise Wrong("a message in fragments")
        if head[0] & 0x70 and not self.case.extensions:
            raise Wrong("a reserved bit that no extension defines")
        n_bytes = {126: 2, 127: 8}.get(length, 0)
        if n_bytes:
            length = int.from_bytes(await self._reader.readexactly(n_bytes), "big")
            if length < (126 if n_bytes == 2 else 65536):
                raise Wrong("a length that is not in its shortest form")
        key = await self._reader.readexactly(4)
        payload = unmasked(await self._reader.readexactly(length), key)
        if self.close is not None:
            raise Wrong(f"a frame after the Close: {shown([(opcode, payload)])}")
        self.keys.append(key)
        self.reserved.append(head[0] >> 4 & 7)
        if opcode == CLOSE:
            self.close = payload
        else:
            self.got.append((opcode, payload))
            self._check_order()
        return True

    def _check_order(self):
        n_got = len(self.got)
        if n_got > len(self.case.back) or self.got[-1] != tuple(self.case.back[n_got - 1]):
            expected = shown(self.case.back[n_got - 1 : n_got])
            raise Wrong(f"frame {n_got} was to be {expected}, and came as {shown(self.got[-1:])}")

    async def _read(self):
        try:
            while await self._read_frame():
                self._changed.set()
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise Wrong(f"the stream was cut: {error!r}") from None
        finally:
            self.is_over = True
            self._changed.set()

    async def _wait(self, reading, is_done, what):
        """Until is_done; whatever the reader finds wrong comes first."""
        end = asyncio.get_running_loop().time() + self.case.seconds
        while not is_done():
            if reading.done():
                reading.result()
                raise Wrong(f"the stream has ended before {what}; came: {shown(self.got)}")
            self._changed.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except asyncio.TimeoutError:
                raise Wrong(f"no {what}; came: {shown(self.got)}") from None

    # --- what is sent ---

    async def _write(self, data):
        step = self.case.chop or len(data) or 1
        for i in range(0, len(data), step):
            if self.is_over:
                return
            self._writer.write(data[i : i + step])
            await self._writer.drain()
            if self.case.chop:
                await asyncio.sleep(0)

    async def _speak(self, reading):
        with contextlib.suppress(ConnectionError):  # who is hung up on hears no more
            for part in self.case.sends:
                if isinstance(part, Pause):
                    await asyncio.sleep(part.seconds)
                elif isinstance(part, Until):
                    await self._wait(reading, lambda n=part.n_frames: len(self.got) >= n, f"frame {part.n_frames}")
                else:
                    await self._write(part)
        if isinstance(self.case.end, Clean):
            n_frames = len(self.case.back)
            await self._wait(reading, lambda: len(self.got) == n_frames or self.close is not None, f"{n_frames} frames")
            await self._write(close_frame(self.case.end.code, self.case.end.reason.encode()))
        await self._wait(reading, lambda: self.close is not None, "Close")
        if len(self.got) != len(self.case.back):
            raise Wrong(f"closed with {self.close} after {shown(self.got)}, not {shown(self.case.back)}")
        self._check_close()
        await self._end(reading)

    def _check_close(self):
        code = struct.unpack(">H", self.close[:2])[0] if len(self.close) >= 2 else 1005
        codes = self.case.end.codes if isinstance(self.case.end, Broken) else (self.case.end.code,)
        if len(self.close) == 1 or code not in codes:
            raise Wrong(f"closed with {self.close}, and not with {codes}")

    async def _end(self, reading):
        if not isinstance(self.case.end, Broken):
            if getattr(self.case.end, "is_patient", False):
                await asyncio.sleep(TOO_EARLY)
            if self.is_over:
                raise Wrong("it has ended the connection before the server did")
            self._writer.close()
        try:
            await asyncio.wait_for(asyncio.shield(reading), AT_ONCE)
        except asyncio.TimeoutError:
            raise Wrong("it has not ended the connection") from None


class Examiner:
    """The server, and the program that it tries out."""

    def __init__(self, daemon_socket, certificate=None):
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.chain, certificate.key)
        self._cases = {}  # path: the case, and what becomes known of it
        self._paths = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"{'wss' if certificate else 'ws'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.program = Process([built("tests/harness/ws_echo"), daemon_socket])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_exception):
        try:
            self.program.close_input()
            if kind is None:
                assert (self.program.wait(), self.program.err.all()) == (0, [])
        finally:
            self.program.end()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(DEADLINE)
            self._listener.close()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self._listener, ssl=self._tls, limit=1 << 20)
        )
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _serve(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in request[1:] if line)
        case, verdict, trials = self._cases[request[0].split(" ")[1]]
        key = headers["Sec-WebSocket-Key"].encode()
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()}\r\n"
        )
        if case.extensions:
            answer += f"Sec-WebSocket-Extensions: {case.extensions}\r\n"
        writer.write(answer.encode() + b"\r\n")
        trials.append(Trial(case, reader, writer))
        try:
            await trials[0].run()
            verdict.set_result(None)
        except Wrong as wrong:
            verdict.set_exception(wrong)
        except Exception as error:  # of this server itself
            verdict.set_exception(error)
        finally:
            writer.close()

    def begin(self, case):
        """Opens the connection of the case; the path is what it is known by."""
        path = f"/{next(self._paths)}"
        verdict = asyncio.run_coroutine_threadsafe(self._future(), self._loop).result()
        self._cases[path] = (case, verdict, [])
        self.program.write(self.url + path)
        return path

    async def _future(self):
        return self._loop.create_future()

    async def _await(self, future):
        return await future

    def judge(self, path):
        """Waits for the end of the case; returns its Trial."""
        case, verdict, trials = self._cases[path]
        waiting = asyncio.run_coroutine_threadsafe(self._await(verdict), self._loop)
        try:
            waiting.result(case.seconds + DEADLINE)
        except Wrong as wrong:
            raise Wrong(f"{case.name}: {wrong}") from None
        self._check_program(case, path)
        return trials[0]

    def _check_program(self, case, path):
        """What the program was told, in the words of the WHATWG standard."""

        def matches(line):
            event = json.loads(line)
            return event if event["url"] == self.url + path else None

        event = self.program.out.wait(matches, f"the close of {path}")[1]
        told = (event["clean"], event["code"], event["reason"], "error" in event)
        if isinstance(case.end, Broken):
            expected = (False, 1006, "", True)
        else:
            expected = (True, case.end.code, case.end.reason, False)
        if told != expected:
            raise Wrong(f"{case.name}: the program was told {event}")
        n_messages = sum(opcode != PONG for opcode, _ in case.back)
        if event["messages"] != n_messages:
            raise Wrong(f"{case.name}: the program got {event['messages']} messages of {n_messages}")

    def run(self, *cases):
        """All at the same time; returns their Trials."""
        paths = [self.begin(case) for case in cases]
        return [self.judge(path) for path in paths]
