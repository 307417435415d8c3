# SPDX-License-Identifier: MIT
"""WebSocket servers and reverse proxies that wsplex did not write, for test_interop.py: one row each in TABLE.

A row says what must be installed, how the server is started, and what it cannot do. The servers are small
programs in tests/interop, started as `PROGRAM WS_PORT WSS_PORT CHAIN KEY`; they listen on 127.0.0.1 without
and with TLS, speak the subprotocols echo.v2 and echo.v1, ping every second and end a connection whose pong
is not there after five. What a connection gets depends on its path:

    /echo...   every message comes back
    /silent... the same without the server's pings (ws and the proxies in front of it)
    /quiet...  the same as /silent, and a proxy ends it after QUIET_SECONDS of silence
    /obey...   text messages are orders: `close CODE [REASON]`, `ping DATA` (the pong is told as text
               `pong DATA`), `last` (told as text: code and reason of the last connection to close),
               `drop` (ends the stream without a Close frame)

A proxy is a row whose server stands behind it. All of it lives in a folder of its own, and ends with it.
"""

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import tempfile

import users
from process import TOP, Process, reserve_port, wait_until

PROTOCOLS = ("echo.v2", "echo.v1")
# Long enough for a ping of 300 ms to come in time, however busy the machine is.
QUIET_SECONDS = 5
MIB = 1 << 20

INTEROP = os.path.join(TOP, "tests", "interop")
PYTHON_MODULES = "/usr/lib/python3/dist-packages"
JAVA_JARS = "/usr/share/java"


# What some of them cannot do.
FEATURES = {
    "binary": "binary messages",
    "subprotocol": "echo.v2 and echo.v1",
    "orders": "the paths /obey...",
    "drop": "the order drop",
    "flood": "many messages that are sent before the first has come back",
    "silence": "a limit on the silence of /quiet... (proxies)",
    "empty deflated": "empty messages on a connection that compresses",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One server."""

    packages: tuple  # what to install (npm's ws is scripts/node-modules')
    needs: tuple  # what must be there for it: programs by name, files by path
    start: object  # start(place) returns the commands of its processes
    lacks: frozenset = frozenset()  # of FEATURES
    max_size: int = 16 * MIB  # of a message that it sends back
    max_deflated: int = 16 * MIB  # the same, on a connection that compresses
    behind: str = None  # a proxy: the row that it stands in front of
    is_heavy: bool = False  # for scripts/verify only


@dataclasses.dataclass(frozen=True)
class Place:
    """What a server is started with."""

    folder: str
    ws_port: int
    wss_port: int
    chain: str
    key: str
    behind_port: int = None  # of the server behind a proxy

    @property
    def arguments(self):
        return [str(self.ws_port), str(self.wss_port), self.chain, self.key]

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


# --- servers ---


def script(interpreter, name):
    return lambda place: [[interpreter, os.path.join(INTEROP, name), *place.arguments]]


def compiled(compile_command, name, env=None):
    """Compiles the server at its first start."""

    def start(place):
        program = place.path("server")
        if not os.path.exists(program):
            command = compile_command(program, os.path.join(INTEROP, name), place)
            with Process(command, env=env and env(place)) as compiler:
                assert compiler.wait(300) == 0, compiler.err.all()
        return [[program, *place.arguments]]

    return start


def gcc(*libraries):
    return lambda program, source, _place: ["cc", "-O1", "-o", program, source, *libraries]


def go(program, source, _place):
    return ["go", "build", "-o", program, source]


def go_environment(place):
    """Debian's packages of Go, and nothing of the network."""
    return {
        "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": place.path("cache"),
        "GOFLAGS": "", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0",
    }  # fmt: skip


def tomcat(place):
    """Compiled by Eclipse's compiler, which Tomcat needs for itself, so a Java runtime is enough."""
    jars = ("embed-core", "embed-websocket", "embed-el", "annotations-api")
    classpath = ":".join(f"{JAVA_JARS}/tomcat10-{jar}.jar" for jar in jars)
    classes = place.path("classes")
    if not os.path.exists(classes):
        command = [
            "java", "-cp", f"{JAVA_JARS}/eclipse-jdt-core.jar",
            "org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-proc:none", "-cp", classpath,
            "-d", classes, os.path.join(INTEROP, "TomcatServer.java"),
        ]  # fmt: skip
        with Process(command) as compiler:
            assert compiler.wait(120) == 0, compiler.err.all()
    heap = "-Xmx1g"
    return [["java", heap, "-cp", f"{classpath}:{classes}", "TomcatServer", *place.arguments, place.folder]]


def websocketd(place):
    """A process for each scheme; each connection is a cat of its own."""
    plain = ["websocketd", "--address=127.0.0.1", f"--port={place.ws_port}", "cat"]
    tls = ["--ssl", f"--sslcert={place.chain}", f"--sslkey={place.key}"]
    return [plain, ["websocketd", *tls, "--address=127.0.0.1", f"--port={place.wss_port}", "cat"]]


# --- proxies ---


def unprivileged(command):
    """As nobody where the test is root: the configurations name no user."""
    if os.geteuid() != 0:
        return command
    return [*users.words(users.OVERFLOW), "--", *command]


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $http_host;
    server {{
        listen 127.0.0.1:{ws_port};
        listen 127.0.0.1:{wss_port} ssl http2;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://127.0.0.1:{behind_port};
        }}
        location /quiet {{
            proxy_pass http://127.0.0.1:{behind_port};
            proxy_read_timeout {quiet}s;
        }}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    maxconn 200
    timeout connect 10s
    timeout client 30s
    timeout server 30s
    timeout tunnel 1h
frontend all
    bind 127.0.0.1:{ws_port}
    bind 127.0.0.1:{wss_port} ssl crt {chain_and_key} alpn h2,http/1.1
    use_backend quiet if {{ path_beg /quiet }}
    default_backend server
backend server
    server it 127.0.0.1:{behind_port}
backend quiet
    timeout tunnel {quiet}s
    server it 127.0.0.1:{behind_port}
"""

APACHE = """
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ServerName localhost
ErrorLog {folder}/error.log
LogLevel error
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule proxy_wstunnel_module {modules}/mod_proxy_wstunnel.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule ssl_module {modules}/mod_ssl.so
Listen 127.0.0.1:{ws_port}
Listen 127.0.0.1:{wss_port}
ProxyPass / http://127.0.0.1:{behind_port}/ upgrade=websocket
<VirtualHost 127.0.0.1:{wss_port}>
    SSLEngine on
    SSLCertificateFile {chain}
    SSLCertificateKeyFile {key}
    ProxyPass / http://127.0.0.1:{behind_port}/ upgrade=websocket
</VirtualHost>
"""
APACHE_MODULES = "/usr/lib/apache2/modules"


def configuration(place, template):
    """template filled in, as a file; HAProxy has chain and key in one."""
    both = place.path("chain-and-key.pem")
    with open(both, "wb") as to:
        for path in (place.chain, place.key):
            with open(path, "rb") as file:
                to.write(file.read())
    members = dataclasses.asdict(place)
    text = template.format(chain_and_key=both, modules=APACHE_MODULES, quiet=QUIET_SECONDS, **members)
    return place.write("proxy.conf", text)


def proxy(template, command):
    def start(place):
        path = configuration(place, template)
        return [unprivileged([path if word == "CONFIG" else word for word in command])]

    return start


# --- the table ---

# It reads nothing while its program does not: a program that echoes and it end up waiting for each other.
WEBSOCKETD_LACKS = frozenset({"binary", "subprotocol", "orders", "flood"})
# 4.1 crashes when it is to send an empty message compressed, and often with a long one that does not shrink,
# whoever the client is.
LIBWEBSOCKETS_LACKS = frozenset({"drop", "empty deflated"})


def python(name):
    return ("/usr/bin/python3", f"{PYTHON_MODULES}/{name}")


TABLE = {
    "ws": Row((), ("node",), script("node", "ws_server.js")),
    "websockets": Row(
        ("python3-websockets",), python("websockets"), script("/usr/bin/python3", "websockets_server.py")
    ),
    "aiohttp": Row(("python3-aiohttp",), python("aiohttp"), script("/usr/bin/python3", "aiohttp_server.py")),
    "tornado": Row(("python3-tornado",), python("tornado"), script("/usr/bin/python3", "tornado_server.py")),
    "libwebsockets": Row(
        ("libwebsockets-dev",), ("cc", "/usr/include/libwebsockets.h"),
        compiled(gcc("-lwebsockets"), "libwebsockets_server.c"), lacks=LIBWEBSOCKETS_LACKS, max_deflated=1 << 16,
    ),
    "gorilla": Row(
        ("golang-go", "golang-github-gorilla-websocket-dev"),
        ("go", "/usr/share/gocode/src/github.com/gorilla/websocket"),
        compiled(go, "gorilla_server.go", go_environment), is_heavy=True,
    ),
    "tomcat": Row(
        ("libtomcat10-embed-java", "libtomcat10-java", "default-jre-headless"),
        ("java", f"{JAVA_JARS}/tomcat10-embed-websocket.jar", f"{JAVA_JARS}/tomcat10-annotations-api.jar"),
        tomcat, lacks=frozenset({"drop"}), is_heavy=True,
    ),
    "websocketd": Row(("websocketd",), ("websocketd",), websocketd, lacks=WEBSOCKETD_LACKS),
    "nginx": Row(
        ("nginx-light",), ("/usr/sbin/nginx",),
        proxy(NGINX, ["/usr/sbin/nginx", "-e", "stderr", "-c", "CONFIG"]), behind="ws",
    ),
    "haproxy": Row(
        ("haproxy",), ("/usr/sbin/haproxy",),
        proxy(HAPROXY, ["/usr/sbin/haproxy", "-db", "-q", "-f", "CONFIG"]), behind="ws",
    ),
    "apache": Row(
        ("apache2-bin",), ("/usr/sbin/apache2", f"{APACHE_MODULES}/mod_proxy_wstunnel.so"),
        proxy(APACHE, ["/usr/sbin/apache2", "-X", "-f", "CONFIG"]),
        behind="ws", lacks=frozenset({"silence"}),  # its timeouts do not hold for what was upgraded
    ),
}  # fmt: skip


def missing(name):
    """What has to be installed for a row; None if it is all there."""
    row = TABLE[name]
    for need in row.needs:
        if not (os.path.exists(need) if need.startswith("/") else shutil.which(need)):
            return f"{need} is not there; packages: {' '.join(row.packages)}"
    if row.behind and os.geteuid() == 0 and users.why_not_programs():
        return users.why_not_programs()
    return missing(row.behind) if row.behind else None


def lacks(name, feature):
    """Whether it cannot do something, by itself or by what stands behind it."""
    assert feature in FEATURES, feature
    row = TABLE[name]
    return feature in row.lacks or bool(row.behind and lacks(row.behind, feature))


# --- a running one ---


class Foreign:
    """A server of the table, or a proxy with the server behind it. Ends with the `with` block."""

    def __init__(self, name, certificate):
        self.name = name
        self.row = TABLE[name]
        self._processes = []
        with contextlib.ExitStack() as stack:
            self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"wsplex-{name}-"))
            self._keepers = [stack.enter_context(reserve_port()) for _ in range(2)]
            ports = [keeper.getsockname()[1] for keeper in self._keepers]
            self.behind = None
            if self.row.behind:
                self.behind = stack.enter_context(Foreign(self.row.behind, certificate))
            chain, key = self._copy(certificate)
            behind_port = self.behind and self.behind.place.ws_port
            self.place = Place(self.folder, *ports, chain, key, behind_port)
            stack.callback(self._end_processes)
            self.start()
            self._stack = stack.pop_all()

    def _copy(self, certificate):
        """Where a proxy that runs as nobody can read it."""
        paths = []
        for path in (certificate.chain, certificate.key):
            paths.append(shutil.copy(path, self.folder))
            os.chmod(paths[-1], 0o644)
        os.chmod(self.folder, 0o777)
        return paths

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._stack.close()

    def url(self, path, scheme="ws"):
        port = self.place.wss_port if scheme == "wss" else self.place.ws_port
        return f"{scheme}://127.0.0.1:{port}{path}"

    def lacks(self, feature):
        return lacks(self.name, feature)

    def takes(self, length, deflate):
        """Whether it sends a message of that length back."""
        if length == 0 and deflate and self.lacks("empty deflated"):
            return False
        return length <= min(self.row.max_size, self.row.max_deflated if deflate else self.row.max_size)

    def has_ended(self):
        return any(process.has_ended() for process in self._processes)

    def start(self):
        """Also again, on the same ports, after stop() or kill()."""
        env = {"NODE_PATH": os.environ.get("WSPLEX_NODE_MODULES", "")}
        for command in self.row.start(self.place):
            self._processes.append(Process(command, env=env, cwd=self.folder))
        for port in (self.place.ws_port, self.place.wss_port):
            wait_until(lambda port=port: self._listens(port), f"{self.name} listens on port {port}")

    def _listens(self, port):
        for process in self._processes:
            if process.has_ended():
                raise RuntimeError(f"{self.name} has ended: {process.out.all()} {process.err.all()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self, number=signal.SIGTERM):
        """As an administrator stops it."""
        for process in self._processes:
            process.kill(number)
            process.wait()
        self._end_processes()

    def kill(self):
        self.stop(signal.SIGKILL)

    def _end_processes(self):
        for process in self._processes:
            process.end()
        self._processes = []
