# SPDX-License-Identifier: MIT
"""A daemon that follows a script, for tests of clients.

    def script(peer):
        peer.greet()
        peer.expect(Type.OPEN, 1)
        peer.send(Type.OPENED, 1)

    with FakeDaemon(path, script):
        ...

The script runs in a thread, with one connection. It ends by returning, which disconnects, and what
it raises fails the test.
"""

import os
import socket
import threading

from process import DEADLINE
from wsplex_protocol import MAGIC, Reader, Type, make_frame


class Peer:
    """The daemon's end of the connection."""

    def __init__(self, connection):
        self._socket = connection
        self._reader = Reader()

    def greet(self, **hello):
        """Takes magic and HELLO, and answers them."""
        fields = self.expect(Type.HELLO)
        self.send_hello(**hello)
        return fields

    def send_hello(self, max_channels=1024, **hello):
        self.raw(MAGIC)
        self.send(Type.HELLO, max_channels=max_channels, **hello)

    def read(self):
        """The next frame, or None when the client has disconnected."""
        while (frame := self._reader.next()) is None:
            try:
                data = self._socket.recv(1 << 16)
            except ConnectionResetError:  # it has gone with something unread
                data = b""
            if not data:
                return None
            self._reader.feed(data)
        return frame

    def expect(self, frame_type, channel=0):
        """The fields of the next frame, which must be of this type and channel."""
        frame = self.read()
        assert frame is not None, f"{Type(frame_type).name} expected, and the client has gone"
        assert (frame.type, frame.channel) == (frame_type, channel), f"{frame.name} {frame}"
        return frame.fields()

    def expect_end(self):
        frame = self.read()
        assert frame is None, f"the client sent {frame.name}"

    def send(self, frame_type, /, channel=0, flags=0, **fields):
        self.raw(make_frame(frame_type, channel, flags, **fields).to_bytes())

    def raw(self, data):
        self._socket.sendall(data)


class FakeDaemon:
    """Listens on a path while the `with` lasts."""

    def __init__(self, path, script, timeout=DEADLINE):
        self._path = os.fspath(path)
        self._script = script
        self._timeout = timeout
        self._error = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._listener.settimeout(self._timeout)
        self._listener.bind(self._path)
        self._listener.listen()
        self._thread.start()
        return self._path

    def __exit__(self, kind, *_exception):
        self._thread.join(self._timeout)
        self._listener.close()
        os.unlink(self._path)
        if kind is None:
            assert not self._thread.is_alive(), "the script does not end"
            if self._error is not None:
                raise self._error

    def _run(self):
        try:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(self._timeout)
                self._script(Peer(connection))
        except Exception as error:  # the test is in another thread, and raises it there
            self._error = error
