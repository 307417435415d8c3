# SPDX-License-Identifier: MIT
"""What all integration tests have in common: the harness, servers and daemons, and their ends.

A daemon that a test has made is stopped after it: it must be idle, with no more descriptors than at its start, end
with status 0, and have logged no warning that the test did not expect. After a test that failed, or was
skipped in its midst, it is just ended.
"""

import contextlib
import os
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))

# pylint: disable=wrong-import-position
from certificates import Authority
from daemon import Daemon
from program import Program
from servers import KINDS, Feed, Server
from topics import TopicsProgram

FAILED = pytest.StashKey()

# Daemons reach the servers of tests the straight way, whatever this machine's users do.
for variable in list(os.environ):
    if variable.lower().endswith("_proxy"):
        del os.environ[variable]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    # What a test that was skipped in its midst would have expected has nobody expected.
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed or report.skipped


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The CA that daemons trust unless a test says otherwise."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("good")


@pytest.fixture(scope="session")
def servers(certificate):
    """One server of each kind, for all tests that do it no harm."""
    running = {kind: Server(kind, certificate) for kind in KINDS}
    yield running
    for server in running.values():
        server.end()


@pytest.fixture(params=KINDS)
def server(request, servers):
    """Each kind in turn."""
    return servers[request.param]


@pytest.fixture
def one_server(servers):
    """Any of them, where it makes no difference."""
    return servers["ws"]


@pytest.fixture
def feed(one_server):
    """A path of it that nobody else asks for."""
    return Feed(one_server)


@pytest.fixture
def own_server(certificate):
    """One that the test may kill."""
    with Server("ws", certificate) as server:
        yield server


@pytest.fixture
def folder():
    """Short enough for a socket's address, and open to other users."""
    with tempfile.TemporaryDirectory(prefix="wsplex-") as path:
        os.chmod(path, 0o755)
        yield path


def end_all(request, daemons):
    """Daemons; what one had to say is looked at only where the test itself has not failed."""
    has_failed = request.node.stash.get(FAILED, False)
    for daemon in daemons:
        daemon.__exit__(AssertionError if has_failed else None)


@pytest.fixture
def make_daemon(request, folder, authority):
    """make_daemon(config, ...) starts a daemon that trusts the authority."""
    daemons = []

    def make(config="", options=(), **more):
        home = os.path.join(folder, str(len(daemons)))
        os.mkdir(home)
        daemons.append(Daemon(home, config, ["--ca-file", authority.file, *options], **more))
        return daemons[-1]

    yield make
    end_all(request, daemons)


@pytest.fixture
def again(request):
    """again(daemon) starts one in the place of a daemon that has ended."""
    daemons = []

    def start(daemon, **more):
        daemons.append(Daemon(daemon.folder, **more))
        return daemons[-1]

    yield start
    end_all(request, daemons)


@pytest.fixture
def daemon(make_daemon):
    return make_daemon()


@pytest.fixture
def make_program(request):
    """make_program(daemon, ...) starts a program on libwsplex; it must end in order."""
    programs = []

    def make(daemon, **options):
        programs.append(Program(daemon.socket, **options))
        return programs[-1]

    yield make
    try:
        for program in programs:
            if program.status is None and not request.node.stash.get(FAILED, False):
                program.finish()
    finally:
        for program in programs:
            program.end()


@pytest.fixture
def program(make_program, daemon, tmp_path):
    """One on the test's daemon, which saves what is long."""
    return make_program(daemon, save=tmp_path)


@pytest.fixture
def follow():
    """follow(daemon) starts a program that follows topics of the endpoint `feed`; it is open."""
    with contextlib.ExitStack() as stack:

        def start(daemon):
            program = stack.enter_context(TopicsProgram(daemon.socket, "wsplex-endpoint:feed"))
            program.expect("Opened")
            return program

        yield start
