# SPDX-License-Identifier: MIT
"""The daemon's configuration: endpoints, what is wrong with a file and where, and the limits of users."""

import errno
import os
import signal
import threading

import pytest
from daemon import check_config, run
from process import DEADLINE, wait_until
from servers import RawServer, new_path
from wsplex_client import Closed, DaemonError, Failed, Message, Opened

SECRET = "Bearer 9f86d081"


def refusal(client, url, **more):
    """Cause and text of a channel that cannot be; nothing else comes of it."""
    channel = client.open(url, **more)
    failed = channel.wait(Failed)
    assert channel.wait(Closed) == Closed(False, 1006, "")
    return failed.cause, failed.text


# --- endpoints ---


@pytest.fixture
def endpoint(make_daemon, one_server, authority):
    """A daemon with an endpoint, and the path at the server that only the daemon knows."""
    path = new_path("echo") + "?token=hidden"
    daemon = make_daemon(
        f"""
        # The daemon's own trust is the command line's.
        endpoint "feed" {{
            url = "{one_server.url(path, "wss")}"
            protocols = {{"chat.v2", "chat.v1"}}
            headers = {{"Authorization: {SECRET}", 'X-Two: "a, b"'}}
            ca-file = "{authority.file}"
            linger = 0
            queue = 1MiB
        }}
        endpoint "alone" {{ url = "{one_server.url(new_path())}" share = no }}
        endpoint "lenient" {{
            url = "{one_server.url(new_path("echo"))}"
            linger = 1s
            queue = 1MiB
            slow-consumer = disconnect
            allow-slow-consumer = {{"block", "auto"}}
        }}
        """
    )
    daemon.path = path
    return daemon


def test_endpoint_gets_what_the_file_says(endpoint, make_program, one_server):
    """The program knows a name; URL, headers and trust are the daemon's."""
    program = make_program(endpoint)
    program.open("a", "wsplex-endpoint:feed")
    event = program.event("open")
    assert (event["protocol"], event["url"]) == ("chat.v2", "wsplex-endpoint:feed")
    connection = one_server.connection(endpoint.path)
    assert connection.header("authorization") == [SECRET]
    assert connection.header("x-two") == ['"a, b"']
    assert connection.header("sec-websocket-protocol") == ["chat.v2, chat.v1"]
    # It shares by itself, as endpoints do unless they say otherwise.
    program.open("b", "wsplex-endpoint:feed")
    program.event("open", name="b")
    program.open("c", "wsplex-endpoint:feed", "shared")
    program.event("open", name="c")
    one_server.expect_connections(endpoint.path, 1)
    program.text("c", "hello")
    for name in "abc":
        assert program.event("message", name=name)["data"] == "hello"


def test_nothing_of_an_endpoint_gets_out(endpoint, make_program):
    """Neither in a list nor in a log nor to the program."""
    program = make_program(endpoint)
    program.open("a", "wsplex-endpoint:feed")
    program.event("open")
    shown = []
    for what in ("status", "upstreams", "clients", "channels", "endpoints"):
        for words in ([what], ["--json", what]):
            shown.append(endpoint.ctl(*words, check=0).stdout.decode())
    for row in endpoint.upstreams() + endpoint.channels():
        assert row["url"] == "wsplex-endpoint:feed"
        shown.append(endpoint.ctl("show", str(row["id"]), check=0).stdout.decode())
    shown += program.out.all() + endpoint.process.err.all()
    for text in shown:
        assert "hidden" not in text and "9f86d081" not in text, text


@pytest.mark.parametrize(
    "name, more",
    [
        ("headers", {"headers": {"X-Mine": "1"}}),
        ("ca-file", {"options": {"ca-file": "/etc/hostname"}}),
        ("queue", {"options": {"queue": "2MiB"}}),
        ("url", {"options": {"url": "ws://127.0.0.1/"}}),
        ("protocols", {"protocols": ["chat.v1", "chat.v3"]}),
        ("share", {"sharing": "private"}),
    ],
)
def test_nobody_leads_an_endpoint_elsewhere(endpoint, name, more):
    """A conflict that names the option, whatever the option."""
    with endpoint.client() as client:
        more.setdefault("sharing", "default")
        cause, text = refusal(client, "wsplex-endpoint:feed", **more)
        assert cause == "conflict"
        assert text.startswith(f"{name}: "), text
        assert endpoint.upstreams() == []


def test_an_option_of_an_endpoint_that_does_not_exist(endpoint):
    """It is not the endpoint that decides what is just mistyped."""
    with endpoint.client() as client:
        for name, text in [("lingr", "; did you mean linger?"), ("banana", "")]:
            told = refusal(client, "wsplex-endpoint:feed", sharing="default", options={name: "1s"})
            assert told == ("option", f"{name}: there is no such option{text}")
        assert endpoint.upstreams() == []


def test_less_than_an_endpoint_grants_may_be_chosen(endpoint):
    """For oneself alone, on the connection that others share."""
    with endpoint.client() as client:
        client.open("wsplex-endpoint:lenient", sharing="default").wait(Opened)
        own = {"queue": "64KiB", "linger": "0", "slow-consumer": "block"}
        client.open("wsplex-endpoint:lenient", sharing="default", options=own).wait(Opened)
        assert len(endpoint.upstreams()) == 1
        shown = [endpoint.request("show", str(row["id"])) for row in endpoint.channels()]
        assert [(row["queue_bytes"], row["slow_consumer"]) for row in shown] == [
            (1 << 20, "disconnect"), (64 << 10, "block"),
        ]  # fmt: skip
        for name, value, text in [
            ("queue", "1MiB", None), ("queue", "1025KiB", "more than the endpoint lenient allows, which is 1MiB"),
            ("linger", "1s", None), ("linger", "1001ms", "which is 1s"), ("slow-consumer", "auto", None),
            ("slow-consumer", "disconnect", None),
        ]:  # fmt: skip
            if text is None:
                client.open("wsplex-endpoint:lenient", sharing="default", options={name: value}).wait(Opened)
                continue
            cause, told = refusal(client, "wsplex-endpoint:lenient", sharing="default", options={name: value})
            assert cause == "conflict" and told.startswith(f"{name}: ") and text in told, told
        for name, value in [("queue", "much"), ("queue", "1"), ("slow-consumer", "never")]:
            cause, told = refusal(client, "wsplex-endpoint:lenient", sharing="default", options={name: value})
            assert cause == "option" and told.startswith(f"{name}: "), told
        twice = [("queue", "8KiB"), ("queue", "4KiB")]
        assert refusal(client, "wsplex-endpoint:lenient", sharing="default", options=twice)[0] == "option"
        # What is not listed is not allowed, whatever would be gentler.
        cause, told = refusal(client, "wsplex-endpoint:feed", sharing="default", options={"slow-consumer": "block"})
        assert cause == "conflict" and told.startswith("slow-consumer: ")


def test_protocols_are_chosen_among_those_listed(endpoint):
    with endpoint.client() as client:
        channel = client.open("wsplex-endpoint:feed", ["chat.v1"], sharing="default")
        assert channel.wait(Opened).protocol == "chat.v1"
        other = client.open("wsplex-endpoint:feed", ["chat.v2"], sharing="default")
        assert other.wait(Opened).protocol == "chat.v2"
        assert len(endpoint.upstreams()) == 2


def test_an_endpoint_and_its_url_do_not_meet(endpoint, one_server):
    """Else whoever guesses the URL would be on a connection with another's credentials."""
    with endpoint.client() as client:
        client.open("wsplex-endpoint:feed", sharing="default").wait(Opened)
        client.open(
            one_server.url(endpoint.path, "wss"), ["chat.v2", "chat.v1"], sharing="shared",
            headers=[("Authorization", SECRET), ("X-Two", '"a, b"')], options={"linger": "0"},
        ).wait(Opened)  # fmt: skip
        assert len(endpoint.upstreams()) == 2


def test_share_no(endpoint):
    with endpoint.client() as client:
        for _ in range(2):
            client.open("wsplex-endpoint:alone", sharing="default").wait(Opened)
        assert len(endpoint.upstreams()) == 2
        cause, text = refusal(client, "wsplex-endpoint:alone", sharing="shared")
        assert cause == "conflict" and text.startswith("share: ")


@pytest.mark.parametrize("name", ["nobody", "", "Feed", "feed/", "x" * 1000])
def test_no_such_endpoint(endpoint, name):
    with endpoint.client() as client:
        cause, text = refusal(client, f"wsplex-endpoint:{name}", sharing="default")
        assert cause == "no-endpoint" and text


def test_options_of_a_free_url(daemon, one_server):
    url = one_server.url(new_path())
    with daemon.client() as client:
        for name, value in [
            ("linger", "soon"), ("queue", "1"), ("lingre", "1s"), ("connect-timeout", "1s"),
            ("share", "yes"), ("protocols", "x"), ("headers", "X: y"), ("max-message", "0"),
            ("max-message", "32MiB"), ("ca-file", "relative.pem"), ("ca-file", "/nonexistent.pem"), ("deflate", "some"),
            ("deflate-context-takeover", "server"), ("deflate-window-bits", "7"), ("deflate-window-bits", "16"),
            ("", "x"),
        ]:  # fmt: skip
            cause, text = refusal(client, url, options={name: value})
            assert cause == "option", (name, value, text)
            assert text.startswith(name), text
        for headers in ({"Host": "x"}, {"Sec-WebSocket-Key": "x"}, {"X": "a\r\nY: b"}, {"X Y": "1"}, {"": "1"}):
            cause, text = refusal(client, url, headers=headers)
            assert cause == "header" and text, headers
        for protocols in (["a b"], ["x", "x"], [""]):
            assert refusal(client, url, protocols=protocols)[0] == "subprotocol"
        for wrong in ("ftp://x/", "ws://x/#f", "ws://", "", "wss//x", "ws://x:99999"):
            assert refusal(client, wrong)[0] == "url"


def test_headers_of_a_free_url_arrive(daemon, server):
    path = new_path()
    with daemon.client() as client:
        headers = [("X-Token", "grüße"), ("Cookie", "a=b"), ("X-Token", "again")]
        client.open(server.url(path), headers=headers).wait(Opened)
        connection = server.connection(path)
        assert connection.header("cookie") == ["a=b"]
        assert len(connection.header("x-token")) == 2


# --- reload ---


def test_reload_leaves_alone_what_is_open(make_daemon, one_server):
    """SIGHUP: what opens from now on is of the new configuration, and a wrong one changes nothing."""
    path = new_path("echo")
    one = 'endpoint "one" {{ url = "{url}" linger = 0 }}\n'.format(url=one_server.url(path))
    daemon = make_daemon(one)
    with daemon.client() as client:
        channel = client.open("wsplex-endpoint:one", sharing="default")
        channel.wait(Opened)
        daemon.configure("nonsense\n")
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("configuration", f"{daemon.config_file}:1: ")
        daemon.expect("not-reloaded")
        client.open("wsplex-endpoint:one", sharing="default").wait(Opened)
        daemon.configure('endpoint "two" {{ url = "{url}" linger = 0 }}\n'.format(url=one_server.url(path)))
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded", "1 endpoint")
        assert refusal(client, "wsplex-endpoint:one", sharing="default")[0] == "no-endpoint"
        client.open("wsplex-endpoint:two", sharing="default").wait(Opened)
        channel.send("still there")
        assert channel.wait(Message).data == "still there"


def test_each_channel_has_the_limit_of_its_endpoint(make_daemon, make_program, one_server, tmp_path):
    """OPENED tells it, so a reload allows more to the next WebSocket of a program that is connected."""
    endpoint = 'endpoint "feed" {{ url = "{url}" linger = 0 max-message = {limit} }}\n'
    url = one_server.url(new_path("echo"))
    data = tmp_path / "long"
    data.write_bytes(bytes(20 << 20))
    daemon = make_daemon(endpoint.format(url=url, limit="1MiB"))
    program = make_program(daemon)
    program.open("before", "wsplex-endpoint:feed")
    program.event("open")
    program.write(f"file before binary {data}")
    refused = program.event("refused")
    assert refused["error"] == -errno.EMSGSIZE and "1048576" in refused["text"]
    with daemon.client() as client:
        assert client.open("wsplex-endpoint:feed", sharing="default").wait(Opened).max_message == 1 << 20
        daemon.configure(endpoint.format(url=url, limit="32MiB"))
        daemon.process.kill(signal.SIGHUP)
        daemon.expect("reloaded")
        assert client.open("wsplex-endpoint:feed", sharing="default").wait(Opened).max_message == 32 << 20
    program.open("after", "wsplex-endpoint:feed")
    program.event("open", name="after")
    program.write(f"file after binary {data}")
    event = program.event("message", name="after")
    assert (event["binary"], event["length"]) == (True, 20 << 20)


# --- what is wrong with a file ---


def check(folder, text, *more_files):
    path = os.path.join(folder, "wsplexd.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    for name, more in more_files:
        os.makedirs(os.path.join(folder, "conf.d"), exist_ok=True)
        with open(os.path.join(folder, "conf.d", name), "w", encoding="utf-8") as file:
            file.write(more)
    return check_config(path)


def test_a_good_file(folder):
    done = check(folder, 'max-clients = 5\nendpoint "a" { url = "wss://x/" }\n', ("1.conf", 'endpoint "b" { url = "ws://y" }'))
    assert done.returncode == 0, done
    assert "2" in done.stdout and done.stderr == ""


WRONG = {
    "unknown key": ("\nmax-clents = 5\n", 2, "max-clients"),
    "key of an endpoint outside": ("linger = 5s\n", 1, "linger"),
    "key of the daemon inside": ('endpoint "a" {\n url = "ws://x"\n socket = /x\n}\n', 3, "socket"),
    "not a number": ("# one\n# two\nmax-clients = many\n", 3, "max-clients"),
    "too small": ("max-clients = 0\n", 1, "max-clients"),
    "not a duration": ('endpoint "a" {\n\n url = "ws://x"\n linger = 5 parsecs\n}\n', 4, ""),
    "no url": ('endpoint "a" {\n linger = 1s\n}\n', 1, "url"),
    "bad url": ('endpoint "a" {\n url = "ftp://x"\n}\n', 2, "url"),
    "bad header": ('endpoint "a" {\n url = "ws://x"\n headers = {"no colon"}\n}\n', 3, "headers"),
    "header not to be set": ('endpoint "a" {\n url = "ws://x"\n headers = {"Host: x"}\n}\n', 3, "headers"),
    "bad protocol": ('endpoint "a" {\n url = "ws://x"\n protocols = {"a b"}\n}\n', 3, "protocols"),
    "file that is not there": ("ca-file = /nonexistent.pem\n", 1, "ca-file"),
    "bad level": ("log-level = loud\n", 1, "log-level"),
    "twice": ("max-clients = 1\nmax-clients = 2\n", 2, "max-clients"),
    "endpoint twice": ('endpoint "a" { url = "ws://x" }\nendpoint "a" { url = "ws://y" }\n', 2, "a"),
    "bad name": ('endpoint "a b" { url = "ws://x" }\n', 1, "endpoint"),
    "brace left open": ('# {\nendpoint "a" {\n url = "ws://x/{"\n', 2, "brace"),
    "brace of a list left open": ('endpoint "a" {\n url = "ws://x"\n headers = {"a: b"\n}\n', 1, "brace"),
    "one brace too many": ('endpoint "a" {\n url = "ws://x"\n}\n}\n', 4, "brace"),
    "quote left open": ('log-level = info\nendpoint "a" {\n url = "ws://x\n}\n', 3, ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_told_with_their_line(folder, name):
    text, line, word = WRONG[name]
    done = check(folder, text)
    assert done.returncode == 1, done
    first = done.stderr.splitlines()[0]
    assert first.startswith(f"{folder}/wsplexd.conf:{line}: "), done.stderr
    assert word in first
    # Neither does the daemon start with it, and it says the same.
    daemon = run("--config", f"{folder}/wsplexd.conf", "--socket", f"{folder}/s")
    assert daemon.returncode == 1
    assert f"wsplexd.conf:{line}: " in daemon.stderr and "[configuration]" in daemon.stderr
    assert not os.path.exists(f"{folder}/s")


def test_a_problem_of_every_file_is_told(folder):
    """All that is wrong with values, up to what makes no sense in its place: what follows may only follow from it."""
    done = check(folder, "max-clients = x\nlog-level = y\n", ("a.conf", "\nqueue = 1\nlog-level = z\n"), ("b.conf", "x = y"))
    assert done.returncode == 1
    places = [line.split(": ")[0] for line in done.stderr.splitlines()]
    main = f"{folder}/wsplexd.conf"
    assert places == [f"{main}:1", f"{main}:2", f"{folder}/conf.d/a.conf:2", f"{folder}/conf.d/b.conf:1"]


@pytest.mark.parametrize(
    "words", [["--socket"], ["--nonsense"], ["one"], ["--log-level", "loud"], ["--ca-file", "/nonexistent.pem"]]
)
def test_wrong_command_lines(words):
    done = run(*words)
    assert done.returncode == 2, done
    assert done.stderr and done.stdout == ""


def test_missing_file_that_was_named(folder):
    done = check_config(f"{folder}/missing")
    assert done.returncode == 1
    assert f"{folder}/missing" in done.stderr


# --- limits of a user ---


def test_max_clients(make_daemon):
    daemon = make_daemon("max-clients = 3")
    clients = [daemon.client() for _ in range(3)]
    for client in clients:
        client.wait_hello()
    with daemon.client() as one_more:
        error = one_more.wait_end()
        assert isinstance(error, DaemonError) and error.name == "quota"
    daemon.expect("client-refused", "3")
    clients.pop().disconnect()

    def fits():
        with daemon.client() as client:
            try:
                return client.request("status")
            except DaemonError:
                return None

    wait_until(fits, "there is room again")
    for client in clients:
        client.disconnect()
    wait_until(lambda: (fits() or {}).get("clients") == 1, "all are gone")
    daemon.forgive("client-refused")


def test_max_channels(make_daemon, one_server):
    """Of all programs together."""
    daemon = make_daemon("max-channels = 16")
    url = one_server.url(new_path())
    with daemon.client() as client, daemon.client() as other:
        channels = [client.open(url) for _ in range(10)] + [other.open(url) for _ in range(6)]
        for channel in channels:
            channel.wait(Opened)
        cause, text = refusal(other, url)
        assert cause == "quota" and "16" in text
        channels[0].close(1000)
        channels[0].wait(Closed)
        other.open(url).wait(Opened)
        assert len(daemon.upstreams()) == 16


def test_max_upstreams(make_daemon, one_server):
    """A shared one counts once, however many are on it."""
    daemon = make_daemon("max-upstreams = 3")
    url = one_server.url(new_path())
    with daemon.client() as client:
        first, _ = [client.open(url) for _ in range(2)]
        shared = [client.open(url, sharing="shared", options={"linger": "0"}) for _ in range(10)]
        for channel in [first, *shared]:
            channel.wait(Opened)
        for sharing in ("private", "shared"):
            cause, text = refusal(client, url + "other", sharing=sharing)
            assert cause == "quota" and "3" in text
        # Who joins needs none.
        client.open(url, sharing="shared").wait(Opened)
        first.close(1000)
        first.wait(Closed)
        wait_until(lambda: len(daemon.upstreams()) == 2, "one less")
        client.open(url + "other").wait(Opened)


def test_limits_of_one_user_are_nothing_to_another(make_daemon, one_server, make_program):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    daemon = make_daemon("max-upstreams = 1\nsocket-mode = 0666")
    url = one_server.url(new_path())
    for uid in (0, 12345, 23456):
        prefix = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        program = make_program(daemon, prefix=prefix)
        program.open("a", url)
        program.event("open")
        program.open("b", url)
        assert program.failure("b")[0] == "quota"


def test_max_queued_is_kept(make_daemon, make_program):
    """A program that reads nothing, on many private channels with much to come: the daemon holds what it may."""
    max_queued, n_channels = 4 << 20, 8

    def script(peer):
        peer.upgrade()
        for _ in range(256):
            peer.raw(b"\x82\x7f" + (65536).to_bytes(8, "big") + bytes(65536))

    with RawServer(script) as raw:
        daemon = make_daemon(f'max-queued = 4MiB\nendpoint "mute" {{ url = "{raw.url}" share = no ping = 0 }}')
        program = make_program(daemon)
        for i in range(n_channels):
            program.open(f"c{i}", "wsplex-endpoint:mute")
        for i in range(n_channels):
            program.event("open", name=f"c{i}")
        program.freeze()

        def held():
            return sum(upstream["held_bytes"] for upstream in daemon.upstreams())

        wait_until(lambda: held() > max_queued // 2, "the daemon holds something")
        queued = daemon.request("status")["you"]["queued_bytes"]
        assert queued["limit"] == max_queued
        # What was read in one turn before anyone could say stop comes on top.
        assert queued["used"] < max_queued + n_channels * (256 << 10) + (1 << 20)
        program.thaw()
        for i in range(n_channels):
            for _ in range(256):
                assert program.event("message", name=f"c{i}")["length"] == 65536
        for i in range(n_channels):
            program.failure(f"c{i}")
    daemon.expect("upstream-failed", "lost", n_lines=n_channels)


def test_unfinished_messages_of_servers_are_bounded(make_daemon, make_program):
    """Each of many servers sends 15 MiB of a message and no more: one of them gets its turn, the others wait."""
    n_upstreams, length, announced = 20, 15 << 20, 16 << 20
    finish = threading.Event()
    n_sending = threading.Semaphore(0)

    def script(peer):
        peer.upgrade()
        n_sending.release()
        peer.raw(b"\x82\x7f" + announced.to_bytes(8, "big") + bytes(length))
        assert finish.wait(DEADLINE)
        peer.raw(bytes(announced - length))
        raw.over.wait()

    def used():
        you = daemon.request("status")["you"]
        return {name: you[name]["used"] for name in ("queued_bytes", "receiving_bytes", "reserved_bytes")}

    def waiting():
        ids = [upstream["id"] for upstream in daemon.upstreams()]
        return sum(daemon.request("show", str(id))["paused_for_turn"] for id in ids)

    with RawServer(script) as raw:
        # It answers no ping, however long it takes until all have had their turn.
        daemon = make_daemon(f'max-queued = 1MiB\nendpoint "mute" {{ url = "{raw.url}" share = no ping = 0 }}')
        program = make_program(daemon)
        for i in range(n_upstreams):
            program.open(f"c{i}", "wsplex-endpoint:mute")
        for _ in range(n_upstreams):
            assert n_sending.acquire(timeout=DEADLINE)
        wait_until(lambda: waiting() == n_upstreams - 1, lambda: f"{waiting()} wait")
        wait_until(lambda: used()["receiving_bytes"] > length - (1 << 20), lambda: f"used: {used()}")
        held = used()
        assert held["queued_bytes"] == 0
        assert held["reserved_bytes"] == 512 << 10
        # One message, and of each other one what was read before it had to wait.
        assert held["receiving_bytes"] + held["reserved_bytes"] <= announced + n_upstreams * (64 << 10)
        finish.set()
        for i in range(n_upstreams):
            assert program.event("message", name=f"c{i}")["length"] == announced
        wait_until(lambda: not any(used().values()), lambda: f"used: {used()}")
        assert waiting() == 0
    for i in range(n_upstreams):
        program.failure(f"c{i}")
    daemon.expect("upstream-failed", "lost", n_lines=n_upstreams)
