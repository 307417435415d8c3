# SPDX-License-Identifier: MIT
"""Proxies for tests: two that wsplex did not write, and the pieces of one that does what its script says.

Tinyproxy speaks HTTP, Microsocks SOCKS5; both log each connection that they were asked for. A script
of a RawServer takes a request by read_connect() or read_socks() and, when it likes, leads() to a server.
"""

import os
import socket
import struct
import threading

from process import Process, free_port, wait_until


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except ConnectionRefusedError:
        return False


class Proxy(Process):
    """A program that listens on self.port."""

    def __init__(self, scheme, command, port, user):
        super().__init__(command)
        self.port = port
        self.name = f"127.0.0.1:{port}"
        self.url = f"{scheme}://{user + '@' if user else ''}{self.name}"
        try:
            wait_until(lambda: answers(port), f"{command[0]} listens")
        except TimeoutError:
            self.end()
            raise

    def log(self):
        return "\n".join(self.out.all() + self.err.all())

    def expect(self, text):
        """Something that the proxy logs."""
        wait_until(lambda: text in self.log(), lambda: f"{text} in {self.log()}")


class Tinyproxy(Proxy):
    """user is "name:password"."""

    def __init__(self, folder, user=""):
        port = free_port()
        file = os.path.join(folder, f"tinyproxy-{port}.conf")
        with open(file, "w", encoding="ascii") as config:
            config.write(f"Port {port}\nListen 127.0.0.1\nTimeout 600\nAllow 127.0.0.1\nLogLevel Connect\n")
            if user:
                config.write(f"BasicAuth {user.replace(':', ' ')}\n")
        super().__init__("http", ["tinyproxy", "-d", "-c", file], port, user)


class Microsocks(Proxy):
    def __init__(self, user="", scheme="socks5"):
        port = free_port()
        words = ["-u", user.split(":")[0], "-P", user.split(":")[1]] if user else []
        super().__init__(scheme, ["microsocks", "-i", "127.0.0.1", "-p", str(port), *words], port, user)


# --- the pieces of a script ---


def read_exactly(peer, n_bytes):
    data = b""
    while len(data) < n_bytes:
        piece = peer.socket.recv(n_bytes - len(data))
        if not piece:
            raise ConnectionError("the daemon hung up")
        data += piece
    return data


def read_connect(peer):
    """The head of the request, line by line, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(peer, 1)
    return head.decode("ascii").split("\r\n")[:-2]


def read_socks(peer):
    """Greets without authentication; (host, port) of the request."""
    _, n_methods = read_exactly(peer, 2)
    read_exactly(peer, n_methods)
    peer.raw(b"\5\0")
    kind = read_exactly(peer, 4)[3]
    if kind == 3:
        host = read_exactly(peer, read_exactly(peer, 1)[0]).decode("ascii")
    else:
        family, length = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, read_exactly(peer, length))
    return host, struct.unpack(">H", read_exactly(peer, 2))[0]


def leads(peer, port):
    """Passes bytes between the daemon and a server on this machine until both are done."""

    def pass_on(source, sink):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    with peer.socket, socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_quietly, args=(pass_on, server, peer.socket), daemon=True)
        back.start()
        _quietly(pass_on, peer.socket, server)
        back.join()


def _quietly(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        pass
