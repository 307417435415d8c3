# SPDX-License-Identifier: MIT
"""TLS of the real daemon, against servers of OpenSSL and of Python."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading

import pytest
import users
from daemon import check_config
from process import DEADLINE, built, wait_until
from program import Program
from servers import CLOSE, TEXT, Peer, RawServer, frame, new_path


# --- openssl s_server, which does as it is told on its standard input ---


class OpenSsl:
    """A WebSocket server made of `openssl s_server`: what it reads it prints, what is typed it sends."""

    def __init__(self, certificate, *options):
        self._process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate.chain, "-key", certificate.key,
             *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.url = None
        self._seen = b""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        self.url = "wss://" + self.wait(rb"ACCEPT (\S+)\n")[1].decode()
        return self

    def __exit__(self, *_exception):
        self._process.kill()
        self._process.wait()
        self._reader.join(DEADLINE)
        self._process.stdin.close()

    def _read(self):
        with self._process.stdout as out:
            while piece := os.read(out.fileno(), 65536):
                with self._changed:
                    self._seen += piece
                    self._changed.notify_all()

    def wait(self, pattern):
        """The first match in what it has printed; what stands up to its end is not looked at again."""
        with self._changed:
            assert self._changed.wait_for(lambda: re.search(pattern, self._seen, re.S), DEADLINE), self._seen
            match = re.search(pattern, self._seen, re.S)
            self._seen = self._seen[match.end() :]
            return match

    def type(self, data):
        """In one piece: s_server looks for its commands at the beginning of each that it reads."""
        os.write(self._process.stdin.fileno(), data)

    def send(self, data):
        """With -msg and TLS 1.3: until it has gone, so that what is typed next is a piece of its own."""
        self.type(data)
        self.wait(rb">>> [^\n]*InnerContent[^\n]*\n +17\n")

    def upgrade(self):
        peer = Peer.__new__(Peer)
        peer.headers = {"sec-websocket-key": self.wait(rb"Sec-WebSocket-Key: (\S+)\r\n.*?\r\n\r\n")[1].decode()}
        peer.raw = self.type
        peer.accept()

    def read_text(self, length):
        """The payload of the next short masked text frame."""
        mask, payload = self.wait(rb"\x81" + bytes([0x80 | length]) + rb"(.{4})(.{%d})" % length).groups()
        return bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)).decode()


@pytest.mark.parametrize("command", [b"k\n", b"K\n"])
def test_key_updates_in_the_midst_of_traffic(daemon, program, certificate, command):
    """`K` asks for one of ours as well."""
    with OpenSsl(certificate, "-tls1_3", "-msg") as server:
        program.open("a", server.url)
        server.upgrade()
        program.event("open")
        # A message in two frames, with updates before, between and behind them.
        for round_ in range(2):
            server.type(command)
            server.wait(rb">>> TLS 1.3, Handshake[^\n]*KeyUpdate")
            server.send(frame(TEXT, b"one", is_last=False))
            server.type(command)
            server.wait(rb">>> TLS 1.3, Handshake[^\n]*KeyUpdate")
            server.send(frame(0, b"two"))
            assert program.event("message", name="a")["data"] == "onetwo"
            program.text("a", f"{round_}-back")
            if command == b"K\n":
                server.wait(rb"<<< TLS 1.3, Handshake[^\n]*KeyUpdate")
            assert server.read_text(6) == f"{round_}-back"
        server.send(frame(CLOSE, struct.pack(">H", 1000)))
        assert program.event("close")["code"] == 1000


def test_renegotiation_is_refused(daemon, program, certificate):
    """s_server does not live with that, and says so; we never begin a second handshake."""
    with OpenSsl(certificate, "-tls1_2", "-state") as server:
        program.open("a", server.url)
        server.upgrade()
        program.event("open")
        server.type(b"r\n")
        assert server.wait(rb"(no renegotiation|read client hello)")[1] == b"no renegotiation"
        cause, text = program.failure("a")
        assert cause in ("lost", "tls") and text
        daemon.expect("upstream-failed")


def test_older_versions_are_refused(daemon, program, certificate):
    with OpenSsl(certificate, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0") as server:
        program.open("a", server.url)
        cause, text = program.failure("a")
        assert cause == "tls" and "speaks no version of TLS that is safe" in text and "1.2 or 1.3" in text
        daemon.expect("upstream-failed", "tls: ")


# --- sessions ---


def connections(program, url, n_connections):
    """What was agreed on with each of them, one after the other."""
    for n in range(n_connections):
        program.open(f"c{n}", url)
        program.event("open", name=f"c{n}")
        # The ticket comes before what the server sends then.
        program.text(f"c{n}", "x")
        program.event("message", name=f"c{n}")
        program.close(f"c{n}")
        program.event("close", name=f"c{n}")


def resumed(daemon, n_connections):
    """Of each connection that was opened, whether it was resumed."""
    lines = wait_until(
        lambda: found if len(found := [line["text"] for line in daemon.log() if line["name"] == "upstream-open"]) >= n_connections else None,
        "the connections are logged",
    )  # fmt: skip
    assert len(lines) == n_connections and all(", TLSv1.3 " in line for line in lines), lines
    return [line.endswith(", resumed") for line in lines]


def test_next_connection_resumes(daemon, program, server):
    connections(program, server.url(new_path("echo"), "wss"), 3)
    assert resumed(daemon, 3) == [False, True, True]


def test_reload_forgets(daemon, program, one_server):
    url = one_server.url(new_path("echo"), "wss")
    connections(program, url, 2)
    daemon.process.kill(signal.SIGHUP)
    daemon.expect("reloaded")
    connections(program, url, 1)
    assert resumed(daemon, 3) == [False, True, False]


@pytest.mark.skipif(users.why_not_programs() is not None, reason=f"no other users: {users.why_not_programs()}")
def test_other_users_do_not_resume(make_daemon, one_server):
    daemon = make_daemon("socket-mode = 0666")
    url = one_server.url(new_path("echo"), "wss")
    with contextlib.ExitStack() as stack:
        for uid in (12345, 65534, 12345):
            program = stack.enter_context(Program(daemon.socket, prefix=users.words(uid)))
            connections(program, url, 1)
            program.finish()
    assert resumed(daemon, 3) == [False, False, True]


# --- the end of the stream ---


@pytest.mark.parametrize("is_complete", [True, False])
def test_end_without_close_notify(daemon, program, certificate, is_complete):
    """After the closing handshake of the WebSocket it is nothing to anybody; before it the stream was cut off."""

    def script(peer):
        peer.upgrade()
        peer.raw(frame(TEXT, b"x"))
        if is_complete:
            peer.raw(frame(CLOSE, struct.pack(">H", 1001) + b"bye"))
            assert peer.read_close() == 1001
        # A FIN under TLS.
        socket.socket.shutdown(peer.socket, socket.SHUT_WR)

    with RawServer(script, certificate=certificate) as raw:
        program.open("a", raw.url)
        assert program.event("message", name="a")["data"] == "x"
        if is_complete:
            event = program.event("close")
            assert (event["clean"], event["code"], event["reason"]) == (True, 1001, "bye")
        else:
            cause, text = program.failure("a")
            assert cause == "lost" and "close_notify" in text
            daemon.expect("upstream-failed", "close_notify")


# --- what an endpoint shows and insists on ---


def serve(peer):
    peer.upgrade()
    assert peer.read_close() == 1000
    peer.raw(frame(CLOSE, struct.pack(">H", 1000)))


def serve_client(seen):
    def script(peer):
        seen.append(dict(item[0] for item in peer.socket.getpeercert()["subject"])["commonName"])
        serve(peer)

    return script


def come_and_go(program, url):
    program.open("a", url)
    program.event("open", name="a")
    program.close("a", "1000")
    assert program.event("close", name="a")["clean"]


def test_client_certificate(make_daemon, make_program, authority, certificate, folder):
    """The one that its files hold at the time, with and without a reload."""
    own = os.path.join(folder, "own")
    os.mkdir(own)
    cert, key = os.path.join(own, "c.pem"), os.path.join(own, "k.pem")

    def renew(name):
        fresh = authority.issue(name, usage="clientAuth")
        for source, target in ((fresh.chain, cert), (fresh.key, key)):
            shutil.copy(source, target + ".new")
            os.chmod(target + ".new", 0o600)
            os.rename(target + ".new", target)

    renew("me")
    seen = []
    with RawServer(serve_client(seen), certificate=certificate, client_authority=authority) as raw:
        daemon = make_daemon(
            f'endpoint "with" {{ url = "{raw.url}" share = no cert-file = "{cert}" key-file = "{key}" }}\n'
            f'endpoint "without" {{ url = "{raw.url}" share = no }}'
        )
        program = make_program(daemon)
        come_and_go(program, "wsplex-endpoint:with")
        renew("me-renewed")
        come_and_go(program, "wsplex-endpoint:with")
        renew("me-reloaded")
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        come_and_go(program, "wsplex-endpoint:with")
        program.open("b", "wsplex-endpoint:without")
        cause, text = program.failure("b")
        assert cause == "tls" and "cert-file" in text
        daemon.expect("upstream-failed", "tls: .*cert-file")
    assert seen == ["me", "me-renewed", "me-reloaded"]


def test_programs_of_the_daemons_user_may_name_files(daemon, program, authority, certificate):
    own = authority.issue("mine", usage="clientAuth")
    seen = []
    with RawServer(serve_client(seen), certificate=certificate, client_authority=authority) as raw:
        program.open("a", raw.url, f"option=cert-file={own.chain}", f"option=key-file={own.key}",
                     f"option=pin={certificate.pin}")  # fmt: skip
        program.event("open", name="a")
        program.close("a", "1000")
        assert program.event("close", name="a")["clean"]
    assert seen == ["mine"]


def test_pins(daemon, program, one_server, certificate, authority):
    url = one_server.url(new_path(), "wss")
    other = authority.issue("spare").pin
    program.open("good", url, f"option=pin={other},{certificate.pin}")
    program.event("open", name="good")
    program.open("bad", url, f"option=pin={other}")
    cause, text = program.failure("bad")
    assert cause == "tls" and "(pin)" in text and certificate.pin in text
    daemon.expect("upstream-failed", "tls: .*pin")
    program.open("wrong", url, "option=pin=sha256/short")
    cause, text = program.failure("wrong")
    assert cause == "option" and text.startswith("pin: ")


def test_directory_of_certificates(make_daemon, make_program, folder, tmp_path_factory, authority):
    """Nothing in it is hashed; beside the daemon's own --ca-file it counts alone."""
    others = type(authority)(tmp_path_factory.mktemp("tls"), "others")
    trusted = os.path.join(folder, "trusted")
    os.mkdir(trusted)
    shutil.copy(others.file, os.path.join(trusted, "others.pem"))
    with RawServer(serve, certificate=others.issue("x")) as raw:
        daemon = make_daemon(
            f'endpoint "a" {{ url = "{raw.url}" linger = 0 ca-path = "{trusted}" }}\nendpoint "b" {{ url = "{raw.url}" }}'
        )
        program = make_program(daemon)
        program.open("a", "wsplex-endpoint:a")
        program.event("open", name="a")
        program.open("b", "wsplex-endpoint:b")
        assert program.failure("b")[0] == "tls"
        daemon.expect("upstream-failed", "unknown issuer")
        program.close("a", "1000")
        program.event("close", name="a")


# --- insecure ---


def on_terminal(daemon, *arguments):
    """What wsplexctl writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([built("wsplexctl"), "--socket", daemon.socket, *arguments], stdout=theirs) as process:
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # EIO at the end
            while select.select([ours], [], [], DEADLINE)[0] and (piece := os.read(ours, 65536)):
                text += piece
        assert process.wait(DEADLINE) == 0
    os.close(ours)
    return text.decode()


def test_insecure_is_named_warned_of_and_red(make_daemon, make_program, authority, one_server):
    bad = authority.self_signed("nobody", "DNS:elsewhere.test")
    with RawServer(serve, certificate=bad) as raw:
        daemon = make_daemon(
            f'endpoint "lab" {{ url = "{raw.url}" insecure-tls = "lab" linger = 0 }}\n'
            f'endpoint "safe" {{ url = "{one_server.url(new_path(), "wss")}" }}'
        )
        daemon.expect("insecure-tls", 'endpoint "lab" does not verify')
        program = make_program(daemon)
        for name in ("lab", "safe"):
            program.open(name, f"wsplex-endpoint:{name}")
            program.event("open", name=name)
        rows = {row["url"]: row for row in daemon.upstreams()}
        assert rows["wsplex-endpoint:lab"]["insecure_tls"] is True
        assert rows["wsplex-endpoint:safe"]["insecure_tls"] is False
        assert {row["name"]: row["insecure_tls"] for row in daemon.request("endpoints")} == {"lab": True, "safe": False}
        numbers = {name: str(rows[f"wsplex-endpoint:{name}"]["id"]) for name in ("lab", "safe")}
        red = re.compile(r"\x1b\[1;31m *yes *\x1b\[0m")
        for verb in ("upstreams", "endpoints"):
            lines = on_terminal(daemon, verb).splitlines()
            assert [bool(red.search(line)) for line in lines if "lab" in line] == [True], lines
            assert [bool(red.search(line)) for line in lines if "safe" in line] == [False], lines
        assert red.search(on_terminal(daemon, "show", numbers["lab"]))
        assert not red.search(on_terminal(daemon, "show", numbers["safe"]))
        assert b"\x1b" not in daemon.ctl("upstreams", check=0).stdout
        # It is gone with its line, also for who comes while the old connection stands.
        daemon.configure(f'endpoint "lab" {{ url = "{raw.url}" }}')
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        program.open("again", "wsplex-endpoint:lab")
        assert program.failure("again")[0] == "tls"
        daemon.expect("upstream-failed", "tls: ")
        program.close("lab", "1000")
        assert program.event("close", name="lab")["clean"]


def test_insecure_is_no_programs_to_ask_for(daemon, program, one_server):
    for option in ("insecure-tls=lab", "insecure-tls=", "insecure-tls=yes"):
        program.open("a", one_server.url(new_path(), "wss"), f"option={option}")
        cause, text = program.failure("a")
        assert (cause, text) == ("option", "insecure-tls: only the configuration of an endpoint can set it")


# --- files that cannot be used are found out when the configuration is read ---


def check(folder, config):
    file = os.path.join(folder, "checked.conf")
    with open(file, "w", encoding="utf-8") as to:
        to.write(config)
    done = check_config(file)
    return done.returncode, done.stderr


def test_configuration_is_checked_with_its_files(folder, authority):
    own = authority.issue("own", usage="clientAuth")
    key, fifo, empty = (os.path.join(folder, name) for name in ("key.pem", "fifo", "empty"))
    shutil.copy(own.key, key)
    os.chmod(key, 0o644)
    os.mkfifo(fifo)
    os.mkdir(empty)
    assert stat.S_IMODE(os.stat(own.key).st_mode) == 0o600

    def pins(n):
        return "pin = {" + ", ".join([f'"{own.pin}"'] * n) + "}"

    rows = {
        f'cert-file = "{own.chain}" key-file = "{key}"': "key.pem: others can read it",
        f'cert-file = "{own.chain}"': "no key in PEM",
        f'key-file = "{own.key}"': "key-file: there is no certificate that it belongs to",
        f'cert-file = "{authority.file}" key-file = "{own.key}"': "not the key of the certificate",
        f'ca-file = "{fifo}"': "fifo is not a regular file",
        f'ca-file = "{empty}"': "empty is not a regular file",
        f'ca-file = "{own.key}"': "holds no certificate",
        f'ca-path = "{own.key}"': "is not a directory",
        f'ca-path = "{empty}"': "no file of it that ends in .pem or .crt",
        'insecure-tls = "yes"': 'insecure-tls: it must be the name of the endpoint that it stands in',
        'pin = {"sha256/x"}': 'pin: "sha256/x" is not understood',
        pins(17): "pin: more than 16",
    }
    for text, words in rows.items():
        status, problems = check(folder, f'endpoint "x" {{\n url = "wss://x.test"\n {text}\n}}\n')
        assert status == 1 and words in problems, (text, problems)
        assert "checked.conf:3: " in problems, problems
    for text in (f'cert-file = "{own.chain}" key-file = "{own.key}"', pins(16),
                 f'ca-path = "{os.path.dirname(authority.file)}"', 'insecure-tls = "x"'):  # fmt: skip
        status, problems = check(folder, f'endpoint "x" {{ url = "wss://x.test" {text} }}\n')
        assert status == 0, problems
    status, problems = check(folder, f'ca-path = "{empty}"\n')
    assert status == 1 and "no file of it" in problems
