# SPDX-License-Identifier: MIT
"""What all integration tests have in common: the real wsplexd, servers that are not ours, and certificates.

The programs are those of $WSPLEX_BUILD (scripts/test sets it), or of build/ beside the sources. Every daemon that a
test starts must end with status 0 when it is told to, remove its socket, and leave no descriptor behind; a test that
expects otherwise says so with Daemon.expect_exit().
"""

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
import websockets

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))

import wsplex_client  # noqa: E402  (only now does the path hold it)

BUILD = os.path.abspath(os.environ.get("WSPLEX_BUILD", os.path.join(TOP, "build")))
# Sanitizers and a busy machine are slow; a test that waits this long has failed.
PATIENCE = 20


def program(name):
    return os.path.join(BUILD, name)


def wait_until(condition, what, timeout=PATIENCE):
    """The condition's first true value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)


# --- the daemon ---


class Daemon:
    """A wsplexd of the test's own."""

    def __init__(self, directory, *arguments, env=None, config=None, socket_path=None, log_level="debug"):
        self.directory = os.fspath(directory)
        self.path = socket_path or os.path.join(self.directory, "wsplex.sock")
        self.log_path = os.path.join(self.directory, "stderr")
        self.config_path = os.path.join(self.directory, "wsplexd.conf")
        self.exit_status = 0
        command = [program("wsplexd"), f"--socket={self.path}", f"--log-level={log_level}", *arguments]
        self.write_config(config or "")
        command.append(f"--config={self.config_path}")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stderr=log, stdin=subprocess.DEVNULL, stdout=log, env={**os.environ, **(env or {})}
            )
        self.pid = self.process.pid

    def write_config(self, text):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    def wait_ready(self):
        wait_until(lambda: self.process.poll() is not None or "[started]" in self.log(), "started")
        assert self.process.poll() is None, self.log()
        self.n_descriptors = self.descriptors()
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def wait_log(self, pattern, timeout=PATIENCE):
        """The first match of the regular expression in the log."""
        return wait_until(lambda: re.search(pattern, self.log()), f"{pattern!r} in the log", timeout)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def client(self, **options):
        return wsplex_client.Client(self.path, timeout=options.pop("timeout", PATIENCE), **options)

    def request(self, *words):
        with self.client() as client:
            return client.request(*words)

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, timeout=PATIENCE):
        return self.process.wait(timeout)

    def expect_exit(self, status):
        self.exit_status = status

    def check_idle(self):
        """With every client and channel gone the daemon holds what it held at its start."""
        wait_until(lambda: self.descriptors() <= self.n_descriptors, "descriptors given back")
        counts = self.request("status")
        assert (counts["upstreams"], counts["channels"], counts["clients"]) == (0, 0, 1)

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait_exit()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"wsplexd did not stop:\n{self.log()}")
        assert self.process.returncode == self.exit_status, self.log()
        if self.exit_status == 0:
            assert not os.path.exists(self.path)
            assert not os.path.exists(self.path + ".lock")


@pytest.fixture(name="start_daemon")
def fixture_start_daemon(tmp_path):
    """A function that starts a daemon, waits until it listens, and has it stopped and checked in the end."""
    daemons = []

    def start(*arguments, ready=True, **options):
        directory = tmp_path / f"daemon-{len(daemons)}"
        directory.mkdir()
        daemons.append(Daemon(directory, *arguments, **options))
        return daemons[-1].wait_ready() if ready else daemons[-1]

    yield start
    failures = []
    for daemon in daemons:
        try:
            daemon.stop()
        except BaseException as failure:  # every one of them has to be stopped
            failures.append(failure)
        for line in daemon.log().splitlines():
            print(line)
    if failures:
        raise failures[0]


@pytest.fixture(name="daemon")
def fixture_daemon(start_daemon):
    return start_daemon()


# --- servers ---


class Server:
    """A WebSocket server by python3-websockets, in a thread of its own.

    handler(websocket) is a coroutine; self.connections are the open ones, self.n_connections counts all that ever were.
    """

    def __init__(self, handler, host="127.0.0.1", tls=None, **options):
        self.handler = handler
        self.host = host
        self.is_tls = tls is not None
        self.connections = []
        self.n_connections = 0
        self.closes = []  # (code, reason) that the other side gave, in the order of the ends
        self.requests = []  # headers
        self._started = threading.Event()
        options.setdefault("max_size", None)
        options.setdefault("ping_interval", None)
        options.setdefault("compression", None)
        self._options = dict(options, ssl=tls)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(PATIENCE)

    def url(self, path="/"):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.is_tls else 'ws'}://{host}:{self.port}{path}"

    def _run(self):
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self):
        self._stop = self.loop.create_future()
        async with websockets.serve(self._handle, self.host, 0, **self._options) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._started.set()
            await self._stop

    async def _handle(self, websocket):
        self.connections.append(websocket)
        self.n_connections += 1
        self.requests.append(websocket.request_headers)
        try:
            await self.handler(websocket)
            await websocket.wait_closed()
        except websockets.ConnectionClosed:
            pass
        finally:
            self.connections.remove(websocket)
            self.closes.append((websocket.close_code, websocket.close_reason))

    def call(self, coroutine):
        """Runs a coroutine in the server's thread and gives its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def wait_connections(self, count):
        wait_until(lambda: len(self.connections) == count, f"{count} connections at the server")
        return list(self.connections)

    def wait_closes(self, count=1):
        """The codes and reasons of the connections that have ended, once they are as many."""
        wait_until(lambda: len(self.closes) >= count, f"{count} ends at the server")
        return self.closes

    def broadcast(self, *messages):
        async def send():
            for message in messages:
                for websocket in list(self.connections):
                    await websocket.send(message)

        self.call(send())

    def stop(self):
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(lambda: self._stop.done() or self._stop.set_result(None))
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive()


async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


async def silence(websocket):
    """Takes what comes; the test sends with Server.broadcast()."""
    async for _message in websocket:
        pass


@pytest.fixture(name="start_server")
def fixture_start_server():
    servers = []

    def start(handler=echo, **options):
        servers.append(Server(handler, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(name="echo_server")
def fixture_echo_server(start_server):
    return start_server(echo)


@pytest.fixture(name="feed_server")
def fixture_feed_server(start_server):
    return start_server(silence)


# --- certificates ---


class Authority:
    """A certificate authority made by openssl(1), for as long as the tests run."""

    def __init__(self, directory):
        self.directory = os.fspath(directory)
        self.ca_file = self._file("ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=wsplex test authority", "-keyout", self._file("ca.key"), "-out", self.ca_file)  # fmt: skip

    def _file(self, name):
        return os.path.join(self.directory, name)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def certificate(self, names="DNS:localhost,IP:127.0.0.1,IP:::1", days=1, name="server"):
        """Files of a certificate and its key. days below 0: it has expired."""
        key, request, certificate = (self._file(f"{name}.{kind}") for kind in ("key", "csr", "pem"))
        extensions = self._file(f"{name}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test",
                      "-keyout", key, "-out", request)  # fmt: skip
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", self._file("ca.key"),
                      "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", certificate)  # fmt: skip
        return certificate, key

    def context(self, **wishes):
        """For a server: TLS with such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate(**wishes))
        return context


@pytest.fixture(name="authority", scope="session")
def fixture_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(name="echo_server_tls")
def fixture_echo_server_tls(start_server, authority):
    return start_server(echo, tls=authority.context())


@pytest.fixture(name="free_port")
def fixture_free_port():
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]
