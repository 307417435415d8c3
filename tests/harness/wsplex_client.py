# SPDX-License-Identifier: MIT
"""A client of wsplexd in Python, written from proto/PROTOCOL.md and nothing else.

    with Client() as client:
        channel = client.open("wss://feed.example/", sharing="shared")
        channel.send("hello")
        print(channel.wait(Message).data)
        channel.close(1000, "done")
        print(channel.wait(Closed))

Calls block for at most `timeout` seconds (10 unless told otherwise) and then raise TimeoutError. A
client belongs to one thread. For tests that misbehave, Client.send_raw(), send_frame() and
read_frame() reach the bytes; nothing that they send is checked, and what read_frame() returns no
channel sees.
"""

import collections
import dataclasses
import errno
import json
import os
import select
import socket
import time
import types

from wsplex_protocol import (
    CAUSES,
    FATALS,
    GAPS,
    HEADER,
    INITIAL_CHANNELS,
    INITIAL_CREDIT,
    MAGIC,
    MAX_PAYLOAD,
    MORE,
    MUST_UNDERSTAND,
    ROWS,
    SHARINGS,
    STATUSES,
    Frame,
    ProtocolError,
    Reader,
    Type,
    make_frame,
)


class ConnectionLost(Exception):
    """The daemon has disconnected without an ERROR."""


class DaemonError(Exception):
    """The daemon's ERROR frame; it has ended the connection."""

    def __init__(self, fields):
        self.code = fields.code
        self.name = FATALS.get(fields.code, "unknown")
        self.frame_type = fields.frame_type
        self.frame_channel = fields.frame_channel
        self.text = fields.text
        super().__init__(f"{self.name} ({self.code}): {self.text}")


class RequestError(Exception):
    """A REPLY whose status is not 0."""

    def __init__(self, status, text):
        self.status = status
        self.name = STATUSES.get(status, "unknown")
        self.text = text
        super().__init__(f"{self.name} ({status}): {text}")


class ChannelEnded(Exception):
    """The channel has ended, or the client has closed it, so nothing can be sent."""


# --- what a channel tells ---


@dataclasses.dataclass(frozen=True)
class Opened:
    protocol: str
    extensions: str
    epoch: bytes
    next_number: int
    max_message: int
    live_number: int = 0
    denied: int = 0


@dataclasses.dataclass(frozen=True)
class Message:
    """data is str for a text message and bytes for a binary one.

    Its position is {epoch, number}; is_replayed: it had come before the channel was there.
    """

    data: object
    number: int
    is_replayed: bool = False
    epoch: bytes = dataclasses.field(default=b"", compare=False, repr=False)

    @property
    def position(self):
        """What Client.open() takes as resume."""
        return (self.epoch, self.number)


@dataclasses.dataclass(frozen=True)
class Gap:
    """Messages are missing here: count of them, or None where nobody knows."""

    reason: str
    count: object = None
    next_number: int = dataclasses.field(default=0, compare=False)
    epoch: bytes = dataclasses.field(default=b"", compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Interrupted:
    cause: str
    http_status: int = 0
    text: str = dataclasses.field(default="", compare=False)
    retry_after: int = 0


@dataclasses.dataclass(frozen=True)
class Resumed:
    extensions: str = ""


@dataclasses.dataclass(frozen=True)
class Unsent:
    """Totals, from the start of the channel."""

    messages: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Aborted:
    """A message that was begun will not come; its pieces are forgotten."""


@dataclasses.dataclass(frozen=True)
class Sent:
    total: int
    messages: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class Closing:
    is_shutdown: bool = dataclasses.field(default=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Failed:
    cause: str
    http_status: int
    text: str
    retry_after: int = 0
    excerpt: str = ""


@dataclasses.dataclass(frozen=True)
class Closed:
    was_clean: bool
    code: int
    reason: str
    is_shutdown: bool = dataclasses.field(default=False, compare=False)  # the daemon stops


class Channel:
    """One WebSocket. Made by Client.open(); events wait in the order in which they came."""

    def __init__(self, client, number):
        self.client = client
        self.number = number
        self.state = "connecting"  # the states of PROTOCOL.md, section 4
        self.is_close_sent = False
        self._is_amid = False  # a message that was begun is not whole yet
        self.n_given = 0  # payload bytes of whole messages
        self.n_sent = 0
        self.n_unsent = 0
        self.n_messages_unsent = 0
        self.cost = 0
        self.granted = INITIAL_CREDIT
        self._events = collections.deque()
        self._incoming_type = None
        self._incoming = []
        self.epoch = None  # of the next message
        self.next_number = 0
        self.live_number = 0
        self.denied = 0

    @property
    def buffered_amount(self):
        return self.n_given - self.n_sent - self.n_unsent

    @property
    def position(self):
        """Of the last message that has come; what Client.open() takes as resume."""
        return (self.epoch, self.next_number - 1)

    # --- upwards ---

    def send(self, data, timeout=None, piece=MAX_PAYLOAD):
        """Sends a message, text for str and binary for bytes, in pieces of at most so many bytes.

        Waits for credit where it is needed. A TimeoutError leaves it begun; abort() ends it.
        """
        frame_type = Type.TEXT if isinstance(data, str) else Type.BINARY
        rest = memoryview(data.encode("utf-8") if isinstance(data, str) else bytes(data))
        deadline = self.client.deadline(timeout)
        length = len(rest)
        while True:
            left = self._wait_for_credit(1 if rest else 0, deadline)
            now, rest = rest[: min(left, piece)], rest[min(left, piece) :]
            self._send_piece(frame_type, bytes(now), bool(rest), deadline)
            if not rest:
                break
        self.n_given += length

    def send_piece(self, data, more, timeout=None):
        """Sends one piece of a message as it is, when there is credit for all of it."""
        frame_type = Type.TEXT if isinstance(data, str) else Type.BINARY
        data = data.encode("utf-8") if isinstance(data, str) else bytes(data)
        deadline = self.client.deadline(timeout)
        self._wait_for_credit(len(data), deadline)
        self._send_piece(frame_type, data, more, deadline)

    def abort(self, timeout=None):
        """Ends a message that was begun and will not be finished."""
        self._is_amid = False
        self.client.send(Type.ABORT, self.number, timeout=timeout)

    def close(self, code=0, reason="", discard=False, timeout=None):
        self.is_close_sent = True
        self.client.send(
            Type.CLOSE, self.number, timeout=timeout, code=code, discard=discard, reason=reason
        )

    def subscribe(self, on_connect, on_leave="", timeout=None):
        """Messages for the daemon to send whenever the upstream is made, and when the channel leaves."""
        self.client.send(
            Type.SUBSCRIBE, self.number, timeout=timeout, on_connect=on_connect, on_leave=on_leave
        )

    def unsubscribe(self, on_connect, timeout=None):
        self.client.send(Type.UNSUBSCRIBE, self.number, timeout=timeout, on_connect=on_connect)

    def credit(self, total, timeout=None):
        """Lets the daemon send data that costs so much, counted from the start of the channel."""
        self.client.send(Type.CREDIT, self.number, timeout=timeout, total=total)

    def release(self, timeout=None):
        """Lets go of the number; done by itself unless client.releases is False."""
        self.client.channels.pop(self.number, None)
        self.client.send(Type.RELEASE, self.number, timeout=timeout)

    def _wait_for_credit(self, length, deadline):
        """The bytes that may be sent in one frame, once there are as many."""
        while True:
            if self.is_close_sent or self.state in ("failed", "ended"):
                raise ChannelEnded(f"channel {self.number}")
            left = self.granted - self.cost - HEADER.size
            if left >= length:
                return left
            self.client.pump(deadline)

    def _send_piece(self, frame_type, data, more, deadline):
        self.cost += HEADER.size + len(data)
        self._is_amid = more
        frame = Frame(frame_type, self.number, MORE if more else 0, data)
        self.client.write(frame.to_bytes(), deadline)

    # --- downwards ---

    def recv(self, timeout=None):
        """The next event."""
        deadline = self.client.deadline(timeout)
        while not self._events:
            if self.state == "ended":
                raise ChannelEnded(f"channel {self.number} has told everything")
            self.client.pump(deadline)
        event = self._events.popleft()
        # Who asks for it has acted on what came before.
        if isinstance(event, Closing) and self.state == "closing" and not (self.is_close_sent or self._is_amid):
            self.close(timeout=deadline)
        return event

    def wait(self, *kinds, timeout=None):
        """The next event of one of these classes; those before it are dropped.

        An end that was not asked for is an error at once, and says what it was.
        """
        deadline = self.client.deadline(timeout)
        failed = None
        while True:
            event = self.recv(deadline)
            if isinstance(event, kinds):
                return event
            if isinstance(event, Failed):
                failed = event
            if isinstance(event, Closed):
                raise ChannelEnded(f"channel {self.number}: {failed or ''} {event}")

    def messages(self, n_messages, timeout=None):
        """The data of so many messages, in order."""
        deadline = self.client.deadline(timeout)
        return [self.wait(Message, timeout=deadline).data for _ in range(n_messages)]

    def take(self, frame):
        """A frame of this channel has come."""
        if self.state == "ended" or (self.state == "failed" and frame.type != Type.CLOSED):
            raise ProtocolError(f"{frame.name} after the end of channel {self.number}")
        if self.state == "connecting" and frame.type not in (
            Type.OPENED, Type.CREDIT, Type.FAILED, Type.CLOSED,
        ):  # fmt: skip
            raise ProtocolError(f"{frame.name} before OPENED on channel {self.number}")
        getattr(self, "_take_" + frame.name.lower())(frame)

    def _take_opened(self, frame):
        if self.state != "connecting":
            raise ProtocolError(f"a second OPENED on channel {self.number}")
        opened = Opened(**vars(frame.fields()))
        self.state = "open"
        self.epoch = opened.epoch
        self.next_number = opened.next_number
        self.live_number = opened.live_number
        self.denied = opened.denied
        self._events.append(opened)

    def _take_text(self, frame):
        if self.state == "interrupted":
            raise ProtocolError(f"{frame.name} on channel {self.number}, which is interrupted")
        if self._incoming_type not in (None, frame.type):
            raise ProtocolError(f"a piece of another type on channel {self.number}")
        self._incoming_type = frame.type
        self._incoming.append(frame.payload)
        if frame.has_more:
            return
        data = b"".join(self._incoming)
        if frame.type == Type.TEXT:
            try:
                data = data.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ProtocolError(f"a text message that is not UTF-8: {error}") from error
        self._incoming_type = None
        self._incoming = []
        number = self.next_number
        self._events.append(Message(data, number, number < self.live_number, self.epoch))
        self.next_number += 1

    _take_binary = _take_text

    def _between_messages(self, frame):
        if self._incoming_type is not None:
            raise ProtocolError(f"{frame.name} within a message on channel {self.number}")
        return frame.fields()

    def _take_gap(self, frame):
        fields = self._between_messages(frame)
        if fields.reason == 0 or (fields.count and not fields.is_counted):
            raise ProtocolError(f"a GAP with impossible values: {fields}")
        same_run = fields.epoch == self.epoch and fields.next_number < self.next_number
        if fields.is_counted and (same_run or fields.count == 0):
            raise ProtocolError(f"a GAP that counts nothing or goes back from {self.next_number}: {fields}")
        self.epoch, self.next_number = fields.epoch, fields.next_number
        reason = GAPS.get(fields.reason, str(fields.reason))
        count = fields.count if fields.is_counted else None
        self._events.append(Gap(reason, count, fields.next_number, fields.epoch))

    def _take_position(self, frame):
        fields = self._between_messages(frame)
        if fields.next_number <= self.next_number:
            raise ProtocolError(f"POSITION {fields.next_number} at {self.next_number}")
        self.next_number = fields.next_number

    def _take_interrupted(self, frame):
        fields = self._between_messages(frame)
        if self.state != "open" or fields.cause == 0:
            raise ProtocolError(f"INTERRUPTED on channel {self.number}, which is {self.state}: {fields}")
        self.state = "interrupted"
        cause = CAUSES.get(fields.cause, str(fields.cause))
        self._events.append(Interrupted(cause, fields.http_status, fields.text, fields.retry_after))

    def _take_resumed(self, frame):
        if self.state != "interrupted":
            raise ProtocolError(f"RESUMED on channel {self.number}, which is {self.state}")
        self.state = "open"
        self._events.append(Resumed(self._between_messages(frame).extensions))

    def _take_unsent(self, frame):
        fields = frame.fields()
        if fields.bytes < self.n_unsent or fields.messages < self.n_messages_unsent:
            raise ProtocolError(f"UNSENT falls: {fields}")
        if self.n_sent + fields.bytes > self.n_given:
            raise ProtocolError(f"{fields}, {self.n_sent} sent, and {self.n_given} were given")
        self.n_unsent, self.n_messages_unsent = fields.bytes, fields.messages
        self._events.append(Unsent(fields.messages, fields.bytes))

    def _take_abort(self, _frame):
        if self._incoming_type is None:
            raise ProtocolError(f"ABORT without a message on channel {self.number}")
        self._incoming_type = None
        self._incoming = []
        self._events.append(Aborted())

    def _take_credit(self, frame):
        total = frame.fields().total
        if total < self.granted:
            raise ProtocolError(f"CREDIT falls from {self.granted} to {total}")
        self.granted = total

    def _take_sent(self, frame):
        total = frame.fields().total
        if not self.n_sent <= total <= self.n_given - self.n_unsent:
            raise ProtocolError(f"SENT {total} after {self.n_sent}, and {self.n_given} were given")
        self.n_sent = total
        self._events.append(Sent(total, frame.fields().messages))

    def _take_closing(self, frame):
        if self.state not in ("open", "interrupted"):
            raise ProtocolError(f"CLOSING on channel {self.number}, which is {self.state}")
        self.state = "closing"
        self._events.append(Closing(frame.fields().is_shutdown))

    def _take_failed(self, frame):
        fields = frame.fields()
        self.state = "failed"
        cause = CAUSES.get(fields.cause, str(fields.cause))
        self._events.append(
            Failed(cause, fields.http_status, fields.text, fields.retry_after, fields.excerpt)
        )

    def _take_closed(self, frame):
        if self._incoming_type is not None:
            raise ProtocolError(f"channel {self.number} ends within a message, without ABORT")
        self.state = "ended"
        self._events.append(Closed(**vars(frame.fields())))
        if self.client.releases:
            self.release()


# --- the connection ---


def socket_paths(environment=os.environ):
    """Where a daemon may listen: the first of them that does is ours."""
    if environment.get("WSPLEX_SOCKET"):
        return [environment["WSPLEX_SOCKET"]]
    paths = ["/run/wsplex/wsplex.sock"]
    if environment.get("XDG_RUNTIME_DIR"):
        paths.insert(0, os.path.join(environment["XDG_RUNTIME_DIR"], "wsplex/wsplex.sock"))
    return paths


def connect_socket(paths):
    for path in paths:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            return connection
        except OSError as error:
            connection.close()
            if error.errno not in (errno.ENOENT, errno.ECONNREFUSED) or path == paths[-1]:
                raise type(error)(error.errno, error.strerror, path) from None
    raise ValueError("no path to connect to")


class Client:
    """A connection to the daemon. With greets=False nothing is written until the caller does."""

    def __init__(self, path=None, *, greets=True, timeout=10, software="wsplex_client.py"):
        self.timeout = timeout
        self.releases = True
        self.channels = {}
        self.hello = None  # the daemon's, once it was read
        self._replies = {}
        self._last_id = 0
        self._last_number = 0
        self._reader = Reader()
        self._has_ended = False
        self._socket = connect_socket([path] if path else socket_paths())
        self._socket.setblocking(False)
        if greets:
            self.send_raw(MAGIC + make_frame(Type.HELLO, software=software).to_bytes())

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.disconnect()

    def fileno(self):
        return self._socket.fileno()

    def disconnect(self):
        self._socket.close()

    # --- channels and requests ---

    def open(
        self, url, protocols=(), sharing="private", headers=(), options=(), number=None, resume=None
    ):
        """Opens a channel and waits for nothing.

        headers, options: dicts or lists of pairs; resume: the position of the last message that was
        had, as Message.position and Channel.position are.
        """
        if number is None:
            self._last_number += 1
            number = self._last_number
        self.channels[number] = channel = Channel(self, number)
        resume_epoch, resume_after = resume or (bytes(16), 0)
        self.send(
            Type.OPEN,
            number,
            sharing=SHARINGS.get(sharing, sharing),
            url=url,
            protocols=protocols,
            headers=headers.items() if hasattr(headers, "items") else headers,
            options=options.items() if hasattr(options, "items") else options,
            resume_epoch=resume_epoch,
            resume_after=resume_after,
        )
        return channel

    def request(self, verb, *arguments, timeout=None):
        """The reply as Python's objects (None if it is empty), or RequestError."""
        deadline = self.deadline(timeout)
        self._last_id += 1
        self._replies[self._last_id] = reply = types.SimpleNamespace(status=None, json=b"")
        self.send(Type.REQUEST, timeout=deadline, id=self._last_id, verb=verb, arguments=arguments)
        while reply.status is None:
            self.pump(deadline)
        parsed = json.loads(reply.json) if reply.json else None
        if reply.status != 0:
            raise RequestError(reply.status, (parsed or {}).get("error", ""))
        return parsed

    def wait_hello(self, timeout=None):
        """The fields of the daemon's HELLO."""
        deadline = self.deadline(timeout)
        while self.hello is None:
            self.pump(deadline)
        return self.hello

    # --- frames and bytes ---

    def send(self, frame_type, /, channel=0, flags=0, timeout=None, **fields):
        """Sends a frame made of its fields."""
        self.write(make_frame(frame_type, channel, flags, **fields).to_bytes(), timeout)

    def send_frame(self, frame_type, channel=0, flags=0, payload=b"", timeout=None):
        """Sends a frame made of numbers and bytes, right or wrong."""
        self.write(Frame(frame_type, channel, flags, payload).to_bytes(), timeout)

    def send_raw(self, data, timeout=None):
        self.write(data, timeout)

    def read_frame(self, timeout=None):
        """The next frame as it comes, for tests that look at frames themselves."""
        deadline = self.deadline(timeout)
        while True:
            frame = self._reader.next()
            if frame is not None:
                return frame
            if self._has_ended:
                raise ConnectionLost("the daemon has disconnected")
            self._wait(select.POLLIN, deadline)
            self._receive()

    def wait_end(self, timeout=None):
        """Reads until the daemon disconnects: the DaemonError if there was one, else None."""
        deadline = self.deadline(timeout)
        try:
            while True:
                self.pump(deadline)
        except DaemonError as error:
            return error
        except ConnectionLost:
            return None

    def pump(self, timeout=None):
        """Reads one frame and does what it says."""
        frame = self.read_frame(timeout)
        try:
            self._take(frame)
        except ProtocolError:
            self.disconnect()
            raise

    def _take(self, frame):
        if self.hello is None and frame.type != Type.HELLO:
            raise ProtocolError(f"{frame.name} before HELLO")
        row = ROWS.get(frame.type)
        if row is None:
            if frame.flags & MUST_UNDERSTAND:
                raise ProtocolError(f"type {frame.name} must be understood")
            return
        if row.sender == "client":
            raise ProtocolError(f"{row.name} from the daemon")
        if row.has_channel != (frame.channel != 0) or (frame.has_more and not row.has_pieces):
            raise ProtocolError(f"{row.name} with channel {frame.channel}, flags {frame.flags}")
        if row.has_channel:
            if frame.channel not in self.channels:
                raise ProtocolError(f"{row.name} on channel {frame.channel}, which is not in use")
            self.channels[frame.channel].take(frame)
        elif frame.type == Type.HELLO:
            self._take_hello(frame)
        elif frame.type == Type.ERROR:
            self._take_error(frame)
        else:
            self._take_reply(frame)

    def _take_hello(self, frame):
        if self.hello is not None:
            raise ProtocolError("a second HELLO")
        self.hello = frame.fields()
        if self.hello.max_channels < INITIAL_CHANNELS:
            raise ProtocolError(f"max_channels is {self.hello.max_channels}")

    def _take_error(self, frame):
        error = DaemonError(frame.fields())
        self._wait_for_end()
        raise error

    def _wait_for_end(self):
        """ERROR is the last frame: the daemon disconnects behind it."""
        try:
            frame = self.read_frame()
        except ConnectionLost:
            self.disconnect()
            return
        raise ProtocolError(f"{frame.name} after ERROR")

    def _take_reply(self, frame):
        fields = frame.fields()
        reply = self._replies.get(fields.id)
        if reply is None:
            raise ProtocolError(f"REPLY to request {fields.id}, which was not made")
        reply.json += fields.json
        if not frame.has_more:
            reply.status = fields.status
            del self._replies[fields.id]

    # --- the socket ---

    def deadline(self, timeout):
        """A point in time; what is one already stays as it is."""
        if isinstance(timeout, Deadline):
            return timeout
        return Deadline(self.timeout if timeout is None else timeout)

    def write(self, data, timeout=None):
        """Writes all of it; reads meanwhile where the daemon waits for that."""
        deadline = self.deadline(timeout)
        rest = memoryview(data)
        while rest and not self._has_ended:  # why it has ended is there to be read
            try:
                rest = rest[self._socket.send(rest, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                if self._wait(select.POLLIN | select.POLLOUT, deadline) & select.POLLIN:
                    self._receive()
            except (BrokenPipeError, ConnectionResetError):
                return

    def _wait(self, events, deadline):
        poll = select.poll()
        poll.register(self._socket, events)
        ready = poll.poll(deadline.left_ms())
        if not ready:
            raise TimeoutError("the daemon did not answer in time")
        return ready[0][1]

    def _receive(self):
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self._has_ended = not data
        self._reader.feed(data)


class Deadline:
    """When a call gives up."""

    def __init__(self, seconds):
        self._at = time.monotonic() + seconds

    def left_ms(self):
        return max(0, int((self._at - time.monotonic()) * 1000) + 1)
