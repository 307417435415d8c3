# SPDX-License-Identifier: MIT
"""The daemon as a service: sd_notify, socket activation, the units, and all of it under a real service manager."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest
from process import DEADLINE

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WSPLEX_BUILD", TOP)).resolve()
WSPLEXD, WSPLEXCTL = BUILD / "wsplexd", BUILD / "wsplexctl"


class Notifications:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(DEADLINE)

    def next(self):
        lines = self.socket.recv(65536).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def until(self, name):
        """All that was said until the name was, as one dictionary."""
        said = {}
        while name not in said:
            said.update(self.next())
        return said


@pytest.fixture
def notifications(tmp_path):
    end = Notifications(tmp_path / "notify")
    yield end
    end.socket.close()


def start(tmp_path, notifications, **more):
    environment = dict(os.environ, NOTIFY_SOCKET=str(notifications.path), **more)
    environment.pop("XDG_CONFIG_HOME", None)
    config = tmp_path / "wsplexd.conf"
    if not config.exists():
        config.write_text("")
    return subprocess.Popen([WSPLEXD, "--socket", tmp_path / "wsplex.sock", "--config", config],
                            env=environment, stderr=subprocess.PIPE, text=True)


def stop(process):
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=DEADLINE)[1]
    assert process.returncode == 0, errors


def ctl(tmp_path, *argv):
    return subprocess.run([WSPLEXCTL, "--socket", tmp_path / "wsplex.sock", *argv], capture_output=True, text=True,
                          timeout=DEADLINE)


def test_ready_is_told_when_the_socket_listens(tmp_path, notifications):
    process = start(tmp_path, notifications)
    said = notifications.until("READY")
    assert said["READY"] == "1"
    assert ctl(tmp_path, "status").returncode == 0
    stop(process)
    assert notifications.until("STOPPING")["STOPPING"] == "1"


def test_status_text_says_what_is_held(tmp_path, notifications):
    process = start(tmp_path, notifications)
    assert "0 upstreams" in notifications.until("STATUS")["STATUS"]
    stop(process)


def test_reload_is_announced_and_ended(tmp_path, notifications):
    process = start(tmp_path, notifications)
    notifications.until("READY")
    process.send_signal(signal.SIGHUP)
    said = notifications.until("RELOADING")
    assert int(said["MONOTONIC_USEC"]) > 0
    if "READY" not in said:
        notifications.until("READY")
    stop(process)


def test_a_reload_that_fails_keeps_what_was(tmp_path, notifications):
    config = tmp_path / "wsplexd.conf"
    config.write_text('endpoint "one" { url = "ws://127.0.0.1:1/" }\n')
    process = start(tmp_path, notifications)
    notifications.until("READY")
    config.write_text('endpoint "one" { urll = "ws://127.0.0.1:1/" }\n')
    process.send_signal(signal.SIGHUP)
    notifications.until("RELOADING")
    shown = ctl(tmp_path, "endpoints")
    assert shown.returncode == 0 and "one" in shown.stdout
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=DEADLINE)[1]
    assert process.returncode == 0
    assert "wsplexd.conf:1" in errors and "url" in errors


def test_the_watchdog_is_fed(tmp_path, notifications):
    process = start(tmp_path, notifications, WATCHDOG_USEC="200000")
    for _ in range(3):
        assert notifications.until("WATCHDOG")["WATCHDOG"] == "1"
    stop(process)


def test_another_process_watchdog_is_not_ours(tmp_path, notifications):
    process = start(tmp_path, notifications, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
    notifications.until("READY")
    assert ctl(tmp_path, "status").returncode == 0
    stop(process)
    assert "WATCHDOG" not in notifications.until("STOPPING")


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="systemd-socket-activate is not installed")
def test_the_first_connect_starts_it(tmp_path):
    path = tmp_path / "wsplex.sock"
    process = subprocess.Popen(["systemd-socket-activate", "-l", path, WSPLEXD], stderr=subprocess.PIPE, text=True)
    # It says so when it does; the socket is in its place a little earlier.
    assert process.stderr.readline().startswith("Listening on ")
    reply = ctl(tmp_path, "status")
    assert reply.returncode == 0, reply.stderr
    stop(process)
    # The socket is its manager's: whoever gave it removes it.
    assert path.is_socket()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("scope", ["--system", "--user"])
def test_the_units_are_sound(tmp_path, scope):
    installed = tmp_path / "installed"
    subprocess.run(["make", "-s", "-C", BUILD, "install-nodist_systemdsystemunitDATA",
                    "install-dist_systemdsystemunitDATA", "install-nodist_systemduserunitDATA",
                    "install-dist_systemduserunitDATA", f"DESTDIR={installed}"], check=True, stdout=subprocess.DEVNULL)
    folder = next(p.parent for p in installed.rglob("wsplexd.service") if ("user" in p.parts) == (scope == "--user"))
    service = folder / "wsplexd.service"
    # It is not the folder of its program that is looked at here.
    service.write_text(service.read_text().replace(next(
        line for line in service.read_text().splitlines() if line.startswith("ExecStart=")), "ExecStart=/bin/true"))
    verified = subprocess.run(["systemd-analyze", scope, "verify", "--man=no", service, folder / "wsplexd.socket"],
                              capture_output=True, text=True, timeout=2 * DEADLINE,
                              env=dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path)))
    assert verified.returncode == 0, verified.stderr
    assert "wsplexd" not in verified.stderr, verified.stderr


def is_sanitized():
    return b"__asan_init" in WSPLEXD.read_bytes() or b"__asan_init" in (BUILD / ".libs/wsplexctl").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not shutil.which("systemd-nspawn"), reason="systemd-container is not installed")
def test_under_a_real_service_manager():
    if is_sanitized():
        pytest.skip("a sanitized program does not fit into the unit's sandbox")
    service = TOP / "tests/service"
    with subprocess.Popen([service / "boot", service / "prepare", service / "inside"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=dict(os.environ, WSPLEX_BUILD=str(BUILD)),
                          start_new_session=True) as boot:
        try:
            output, errors = boot.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            os.killpg(boot.pid, signal.SIGTERM)  # the container goes with it
            output, errors = boot.communicate(timeout=DEADLINE)
            pytest.fail(output + errors)
    if boot.returncode == 77:
        pytest.skip(errors.strip())
    assert boot.returncode == 0, output + errors
