# SPDX-License-Identifier: MIT
"""One program and the daemon: a WebSocket end to end."""

import errno
import fcntl
import os
import socket as sockets
import subprocess

import pytest
from process import DEADLINE, Process, built, wait_until
from servers import new_path
from wsplex_client import Closed, Message, Opened


def test_a_private_channel_echoes(daemon, server):
    path = new_path("echo") + "?b"
    with daemon.client() as client:
        channel = client.open(server.url(path))
        opened = channel.wait(Opened)
        assert opened.protocol == ""
        # python3-websockets takes what is offered, and ws is told not to.
        assert opened.extensions.startswith("permessage-deflate" if server.kind == "websockets" else "")
        assert bool(opened.extensions) == (server.kind == "websockets")
        channel.send("hällo")
        assert channel.wait(Message).data == "hällo"
        channel.send(b"\x00\xff")
        assert channel.wait(Message).data == b"\x00\xff"
        channel.close(3001, "bye")
        assert channel.wait(Closed) == Closed(True, 3001, "bye")
    assert server.connection(path).closed() == (3001, "bye")


def test_closed_by_the_caller(folder):
    """Nothing that the daemon opens is taken for what the caller has closed: the log would be written into it."""
    socket = os.path.join(folder, "w.sock")
    call = [built("wsplexd"), "--socket", socket, "--log-level", "debug"]
    with Process(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *call]) as daemon:
        wait_until(lambda: os.path.exists(socket), "it listens")
        assert {os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}


def refusal_to_start(*call, **options):
    done = subprocess.run(call, capture_output=True, timeout=DEADLINE, text=True, check=False, **options)
    assert done.returncode == 1, done
    return done.stderr


@pytest.mark.parametrize(
    "kinds, told",
    [
        (["listening", "listening"], "more than one socket; give wsplexd exactly one"),
        (["unbound"], "not a listening Unix stream socket"),
        (["datagram"], "not a listening Unix stream socket"),
        (["internet"], "not a listening Unix stream socket"),
    ],
)
def test_one_listening_socket_is_handed_over(folder, kinds, told):
    """Whatever else a service manager hands over is told, and not served."""
    made = []
    for i, kind in enumerate(kinds):
        family = sockets.AF_INET if kind == "internet" else sockets.AF_UNIX
        made.append(sockets.socket(family, sockets.SOCK_DGRAM if kind == "datagram" else sockets.SOCK_STREAM))
        if kind == "listening":
            made[-1].bind(os.path.join(folder, f"{i}.sock"))
        if kind in ("listening", "internet"):
            made[-1].listen()
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, 20) for one in made]
    moves = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(high))
    shell = f'exec {moves}; LISTEN_FDS={len(high)} LISTEN_PID=$$ exec "$0"'
    try:
        assert told in refusal_to_start("bash", "-c", shell, built("wsplexd"), pass_fds=high)
    finally:
        for fd in high:
            os.close(fd)
        for one in made:
            one.close()


def test_a_socket_that_cannot_be_made(folder):
    """The path and the reason are told; nobody waits for a socket that never comes."""
    long = os.path.join(folder, 108 * "x")
    assert f"{long}: " in refusal_to_start(built("wsplexd"), "--socket", long)
    nowhere = os.path.join(folder, "nowhere", "w.sock")
    said = refusal_to_start(built("wsplexd"), "--socket", nowhere)
    assert f"{nowhere}.lock: " in said and os.strerror(errno.ENOENT) in said, said
    taken = os.path.join(folder, "w.sock")
    os.mkdir(taken)
    said = refusal_to_start(built("wsplexd"), "--socket", taken)
    assert f"{taken}: " in said, said
    assert os.path.isdir(taken)
