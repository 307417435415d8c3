# SPDX-License-Identifier: MIT
"""A network of a test's own: a namespace with addresses that answer, refuse and swallow, and its own name service.

    with Network(folder) as network:
        network.hosts({"feed.example": ["2001:db8::66", "192.0.2.10"]})
        server = network.inside(lambda: RawServer(script, "192.0.2.10"))
        daemon = make_daemon(command=network.command)

Everything else of the machine is as it is: only /etc/hosts, /etc/resolv.conf and the interfaces are others.
"""

import ctypes
import functools
import os
import socket
import struct
import subprocess
import threading

from process import DEADLINE, Process, wait_until

CLONE_NEWNET = 0x40000000

FILES = ("/etc/hosts", "/etc/resolv.conf")
LINK = ["ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"]

# Addresses of the namespace's interface, which swallows what is sent to any other address of its networks.
IPV4, IPV4_TOO, IPV4_SILENT = "192.0.2.10", "192.0.2.11", "192.0.2.66"
IPV6, IPV6_TOO, IPV6_SILENT = "2001:db8::10", "2001:db8::11", "2001:db8::66"
# There is no way to them.
IPV4_LOST, IPV6_LOST = "198.51.100.1", "2001:db8:dead::1"


@functools.cache
def why_not():
    """Why there can be no namespace here; None if there can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    if not os.path.exists("/proc/net/if_inet6"):
        return "this kernel has no IPv6"
    return _try("--net", *LINK) or why_no_mounts()


@functools.cache
def why_no_ipv6():
    """Why nobody can listen on ::1 here; None if one can."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return None
    except OSError as error:
        return f"no IPv6 loopback: {error.strerror}"


@functools.cache
def why_no_mounts():
    """Why no program can be given an /etc/hosts and an /etc/resolv.conf of its own here; None if it can."""
    if os.geteuid() != 0:
        return "only root mounts"
    return next(filter(None, (_try("mount", "--bind", path, path) for path in FILES)), None)


def _try(*words):
    try:
        done = subprocess.run(["unshare", "--mount", *words], capture_output=True, check=False)
    except FileNotFoundError as error:
        return f"{error.filename} is not installed (packages util-linux, iproute2)"
    return done.stderr.decode().strip() if done.returncode else None


class Network:
    def __init__(self, folder):
        self._files = {name: os.path.join(folder, name) for name in ("hosts", "resolv.conf")}
        for path in self._files.values():
            open(path, "w", encoding="ascii").close()
        # The namespaces are there when it prints.
        self._holder = Process(["unshare", "--net", "--mount", "sh", "-c", "echo ready; exec sleep infinity"])
        self._holder.out.wait(lambda line: line == "ready", "ready")
        self.command = ["nsenter", "-t", str(self._holder.pid), "-n", "-m"]
        for name, path in self._files.items():
            self.run("mount", "--bind", path, f"/etc/{name}")
        self.run("ip", "link", "set", "lo", "up")
        # Nobody listens at the other end, and nobody has to be asked for before something is sent there.
        self.run(*LINK)
        self.run("ip", "link", "set", "d1", "up")
        self.run("ip", "link", "set", "d0", "arp", "off", "up")
        for address in (IPV4, IPV4_TOO):
            self.run("ip", "address", "add", f"{address}/24", "dev", "d0")
        for address in (IPV6, IPV6_TOO):
            self.run("ip", "address", "add", f"{address}/64", "dev", "d0", "nodad")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._holder.end()

    def run(self, *command):
        done = subprocess.run([*self.command, *command], capture_output=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0, (command, done.stderr)

    def inside(self, function):
        """What function returns when it runs in the namespace; sockets that it makes are of it for ever."""
        result = []

        def run():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/proc/{self._holder.pid}/ns/net", "rb") as namespace:
                assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            result.append(function())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return result[0]

    def _write(self, name, text):
        with open(self._files[name], "w", encoding="ascii") as file:
            file.write(text)

    def hosts(self, names):
        """names: addresses by name."""
        self._write("hosts", "".join(f"{address} {name}\n" for name in names for address in names[name]))

    def resolv_conf(self, *name_servers, more=""):
        self._write("resolv.conf", "".join(f"nameserver {address}\n" for address in name_servers) + more)

    def dnsmasq(self, *options):
        """A name server that is not ours, on 127.0.0.1 and port 53."""
        server = Process([*self.command, "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts",
                          "--conf-file=/dev/null", "--log-facility=-", "--user=root",
                          "--listen-address=127.0.0.1", "--bind-interfaces", *options])  # fmt: skip
        server.err.wait(lambda line: "started" in line, "started")
        return server


A, AAAA = 1, 28


class NameServer:
    """A name server by script, for what no real one does: answer(name, type, is_tcp) gives a list of addresses, an RCODE,
    "truncated" or None for silence. Made inside of a Network; port 53 of its address."""

    def __init__(self, address, answer):
        self._answer = answer
        self.questions = []  # (name, type, is_tcp)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind((address, 53))
        self._tcp = socket.create_server((address, 53), family=family)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception):
        for listener in (self._udp, self._tcp):
            # Wakes who waits in it; a datagram socket that is not connected says that it is not, and wakes all the same.
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()

    def _serve_udp(self):
        while True:
            try:
                question, asker = self._udp.recvfrom(4096)
            except OSError:
                return
            if not question:
                return
            reply = self._reply(question, False)
            if reply:
                self._udp.sendto(reply, asker)

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as read:
                while head := read.read(2):
                    reply = self._reply(read.read(struct.unpack(">H", head)[0]), True)
                    if reply:
                        connection.sendall(struct.pack(">H", len(reply)) + reply)

    def _reply(self, question, is_tcp):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        (kind,) = struct.unpack(">H", question[at + 1 : at + 3])
        name = ".".join(labels)
        self.questions.append((name, kind, is_tcp))
        answer = self._answer(name, kind, is_tcp)
        if answer is None:
            return None
        addresses = answer if isinstance(answer, list) else []
        # QR, RD and RA, TC for a truncated answer; then the RCODE.
        flags = 0x8180 | (0x0200 if answer == "truncated" else 0) | (answer if isinstance(answer, int) else 0)
        records = b"".join(self._record(kind, address) for address in addresses)
        return question[:2] + struct.pack(">HHHHH", flags, 1, len(addresses), 0, 0) + question[12 : at + 5] + records

    @staticmethod
    def _record(kind, address):
        data = socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, address)
        return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(data)) + data


NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5


def wait_for_question(server, name):
    wait_until(lambda: any(question[0] == name for question in server.questions), f"a question for {name}")
