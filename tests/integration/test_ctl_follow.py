# SPDX-License-Identifier: MIT
"""wsplexctl connect, as it follows a feed: the daemon goes and comes, a position is kept in a file, and what is missing
is told."""

import os
import re

import pytest
from process import Process, built, wait_until
from servers import new_path

FEED = """
endpoint "feed" {{
    url = "{url}"
    share = yes
    replay = 100
}}
"""


def started(daemon, *arguments, **options):
    return Process([built("wsplexctl"), "--socket", daemon.socket, "connect", *arguments], **options)


def line(process, text):
    process.out.wait(lambda found: found == text, text)


def told(process, start):
    """The line of stderr that begins so."""
    return process.err.wait(lambda found: found if found.startswith(f"wsplexctl: {start}") else None, start)[1]


def held_open(make_program, daemon):
    """The connection of the endpoint stays, whoever else leaves."""
    program = make_program(daemon)
    program.open("keeper", "wsplex-endpoint:feed")
    program.event("open", name="keeper")
    return program


def test_the_daemon_may_go_and_come(daemon, again, one_server):
    path = new_path("tell")
    with started(daemon, "--reconnect", one_server.url(path)) as ctl:
        one_server.connection(path).order("text", text="one")
        line(ctl, "one")
        ctl.write("up")
        assert one_server.connection(path).event("message")["text"] == "up"
        daemon.request("status")  # behind it, wsplexctl has been told that the message is sent
        daemon.kill()
        told(ctl, "interrupted: ")
        ctl.write("waits")
        again(daemon)
        connection = one_server.connections(path, 2)[1]
        assert connection.event("message")["text"] == "waits"
        assert "nobody knows" in told(ctl, "gap: ")
        told(ctl, "resumed")
        connection.order("text", text="two")
        line(ctl, "two")
        connection.order("close", code=1000, reason="")
        assert ctl.wait() == 0
        assert ctl.out.all() == ["one", "two"]
        assert [found.split(":")[1].strip() for found in ctl.err.all()] == ["interrupted", "gap", "resumed"]


def test_without_it_the_loss_of_the_daemon_is_the_end(daemon, one_server):
    path = new_path("tell")
    with started(daemon, one_server.url(path)) as ctl:
        one_server.connection(path).order("text", text="one")
        line(ctl, "one")
        daemon.kill()
        assert ctl.wait() == 1
        assert not [found for found in ctl.err.all() if "interrupted" in found]


def until_nothing_is_taken(daemon, ctl):
    """Messages until what the daemon holds of them stays: each look is a turn, in which it would write what it can."""
    held, n_same = 0, 0
    while n_same < 5:
        now = daemon.channels()[0]["unsent_bytes"]
        n_same = n_same + 1 if now == held and now > 0 else 0
        held = now
        if held == 0:
            ctl.write("x" * 100000)


def test_what_may_not_have_been_sent_is_told(daemon, again, own_server):
    """The server takes nothing any more, so the daemon dies with messages that it has not sent."""
    path = new_path("tell")
    with started(daemon, "--reconnect", own_server.url(path)) as ctl:
        connection = own_server.connection(path)
        own_server.freeze()
        until_nothing_is_taken(daemon, ctl)
        daemon.kill()
        own_server.thaw()
        again(daemon)
        assert re.search(r"unsent: \d+ messages? of \d+ bytes may have been sent or not", told(ctl, "unsent"))
        told(ctl, "resumed")
        second = own_server.connections(path, 2)[1]
        connection.event("close")
        ctl.close_input()
        second.event("close")
        assert ctl.wait() == 1


def test_a_file_keeps_the_position(make_daemon, make_program, one_server, tmp_path):
    path = new_path("tell")
    daemon = make_daemon(FEED.format(url=one_server.url(path)))
    keeper = held_open(make_program, daemon)
    connection = one_server.connection(path)
    file = tmp_path / "position"
    arguments = ["--resume", os.fspath(file), "--no-input", "wsplex-endpoint:feed"]
    n_said = 0
    for n_more in (3, 4, 0, 2):
        with started(daemon, *arguments) as ctl:
            expected = []
            for _ in range(n_more):
                connection.order("text", text=str(n_said))
                expected.append(str(n_said))
                n_said += 1
            # Those that came while nobody followed, and these.
            wait_until(lambda: file.exists() and file.read_text().endswith(f":{n_said}\n"), f"position {n_said}")
            # What is printed is there before its position is, but comes by another way.
            if expected:
                line(ctl, expected[-1])
            seen = ctl.out.all()
            assert seen[len(seen) - len(expected) :] == expected
            ctl.kill(9)
        for _ in range(2):
            connection.order("text", text=str(n_said))
            n_said += 1
        keeper.event("message", data=str(n_said - 1))
    with started(daemon, *arguments) as ctl:
        line(ctl, str(n_said - 1))
        assert ctl.out.all() == [str(n_said - 2), str(n_said - 1)]
    file.write_text("00112233445566778899aabbccddeeff:7\n")
    with started(daemon, *arguments) as ctl:
        assert "nobody knows" in told(ctl, "gap: ")
    keeper.finish()


@pytest.mark.parametrize("content", ["nonsense\n", "00112233445566778899aabbccddeeff:7x\n", "0" * 100])
def test_a_file_that_is_no_position_is_left_alone(daemon, one_server, tmp_path, content):
    file = tmp_path / "position"
    file.write_text(content)
    done = daemon.ctl("connect", "--resume", file, one_server.url(new_path("echo")), check=1)
    assert b"this is no position" in done.stderr
    assert file.read_text() == content


def test_a_file_that_cannot_be_written_is_told(daemon, one_server):
    done = daemon.ctl("connect", "--resume", "/proc/none/position", one_server.url(new_path("echo")), stdin=b"x\n", check=1)
    assert b"/proc/none/position" in done.stderr


def test_a_file_that_cannot_be_written_is_the_end(daemon, one_server):
    """What comes without a place in the file would come again each time."""
    path = new_path()
    with started(daemon, "--no-input", "--resume", "/proc/none/position", one_server.url(path)) as ctl:
        connection = one_server.connection(path)
        connection.order("text", text="a")
        assert ctl.wait() == 1
        assert connection.closed() == (1000, "")


def test_replay_and_policy_are_options(make_daemon, make_program, one_server):
    path = new_path("tell")
    daemon = make_daemon(FEED.format(url=one_server.url(path)))
    keeper = held_open(make_program, daemon)
    connection = one_server.connection(path)
    for number in range(10):
        connection.order("text", text=str(number))
    keeper.event("message", data="9")
    with started(daemon, "--replay", "3", "-n", "wsplex-endpoint:feed") as ctl:
        line(ctl, "9")
        assert ctl.out.all() == ["7", "8", "9"]
    done = daemon.ctl("connect", "--slow-consumer", "nonsense", "wsplex-endpoint:feed", check=1)
    assert b"slow-consumer" in done.stderr
    done = daemon.ctl("connect", "--replay", "many", "wsplex-endpoint:feed", check=1)
    assert b"replay" in done.stderr
    keeper.finish()


def test_subscriptions_are_made_again(daemon, again, one_server):
    path = new_path("tell")
    arguments = ["--on-connect", "sub 1", "--on-leave", "unsub 1", "--on-connect", "sub 2", "--reconnect", "--shared"]
    with started(daemon, *arguments, one_server.url(path)) as ctl:
        connection = one_server.connection(path)
        assert [event["text"] for event in connection.messages(2)] == ["sub 1", "sub 2"]
        daemon.kill()
        again(daemon)
        connection = one_server.connections(path, 2)[1]
        assert [event["text"] for event in connection.messages(2)] == ["sub 1", "sub 2"]
        told(ctl, "resumed")
        ctl.close_input()
        assert ctl.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--on-leave", "x"], "--on-leave: it belongs behind"),
        (["--on-connect", "a", "--on-leave", "b", "--on-leave", "c"], "--on-leave: it belongs behind"),
        (["--on-connect", ""], "--on-connect: there is no text"),
        (["--on-connect", "x"] * 65, "--on-connect: at most 64"),
    ],
)
def test_what_makes_no_sense_is_refused(daemon, arguments, said):
    done = daemon.ctl("connect", *arguments, "ws://127.0.0.1:1/", check=2)
    assert said in done.stderr.decode()
