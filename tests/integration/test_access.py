# SPDX-License-Identifier: MIT
"""Who may do what, with whom: several users on one daemon, by the raw protocol and by the library."""

import contextlib
import errno
import os
import signal
import threading

import pytest
from process import DEADLINE, wait_until
from servers import CLOSE, TEXT, RawServer, frame, new_path
from users import as_user, why_not
from wsplex_client import Closed, Failed, Gap, Interrupted, Message, Opened, RequestError, Resumed

WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no other users: {WHY_NOT}")

ALICE, BOB, CAROL, DAVE, EVE = 31001, 31002, 31003, 31004, 31005
TRADERS, READERS = 32001, 32002
UNKNOWN = 65534
MAY_NOT_SEND, MAY_NOT_RECEIVE = 1, 2
NAME = "wsplex-endpoint:desk"


@pytest.fixture
def server_path():
    return new_path("echo")


@pytest.fixture
def desk(make_daemon, one_server, server_path):
    """A daemon whose endpoint is shared among users, each with other rights."""
    return make_daemon(
        f"""
        socket-mode = 0666
        endpoint "desk" {{
            url = "{one_server.url(server_path)}"
            users = {{"{ALICE}: open join send receive control", "{EVE}: open send receive"}}
            groups = {{"{TRADERS}: open join send receive", "{READERS}: join receive"}}
            linger = 0
        }}
        """
    )


@pytest.fixture
def client_of(request):
    """client_of(daemon, uid, ...) is a client whose peer is that user."""
    with contextlib.ExitStack() as stack:
        yield lambda daemon, uid, **more: stack.enter_context(as_user(uid, daemon.client, **more))


def opened(client, url=NAME, sharing="default", **more):
    channel = client.open(url, sharing=sharing, **more)
    return channel, channel.wait(Opened)


def refused(client, url=NAME, sharing="default", **more):
    channel = client.open(url, sharing=sharing, **more)
    failed = channel.wait(Failed)
    assert channel.wait(Closed) == Closed(False, 1006, "")
    return failed.cause, failed.text


# --- who meets whom ---


def test_users_who_may_join_share_one_connection(desk, client_of, one_server, server_path):
    alice, _ = opened(client_of(desk, ALICE))
    bob, _ = opened(client_of(desk, BOB, groups=[40000, TRADERS]))
    carol, told = opened(client_of(desk, CAROL, gid=READERS))
    assert told.denied == MAY_NOT_SEND
    one_server.expect_connections(server_path, 1)
    bob.send("from bob")
    for channel in (alice, bob, carol):
        assert channel.wait(Message).data == "from bob"
    # It is the daemon's own, so it outlives the one who opened it.
    alice.close(1000)
    alice.wait(Closed)
    bob.send("again")
    assert carol.wait(Message).data == "again"
    (upstream,) = desk.upstreams()
    assert (upstream["uid"], upstream["channels"]) == (os.geteuid(), 2)
    used = desk.request("status")["you"]
    assert used["upstreams"]["used"] == 1 and used["channels"]["used"] == 0


def test_who_may_not_join_meets_only_themselves(desk, client_of, one_server, server_path):
    alice, _ = opened(client_of(desk, ALICE))
    eve, told = opened(client_of(desk, EVE))
    assert told.denied == 0
    eve_too, _ = opened(client_of(desk, EVE))
    one_server.expect_connections(server_path, 2)
    eve.send("alone")
    assert eve.wait(Message).data == eve_too.wait(Message).data == "alone"
    alice.send("others")
    assert alice.wait(Message).data == "others"
    eve.send("last")
    assert eve.wait(Message).data == "last"
    assert sorted(row["uid"] for row in desk.upstreams()) == [os.geteuid(), EVE]


def test_nobody_meets_without_lists(make_daemon, client_of, one_server):
    path = new_path("echo")
    daemon = make_daemon(
        f'socket-mode = 0666\nendpoint "desk" {{ url = "{one_server.url(path)}" share = yes linger = 0 }}'
    )
    channels = [opened(client_of(daemon, uid))[0] for uid in (ALICE, BOB, ALICE)]
    one_server.expect_connections(path, 2)
    channels[0].send("x")
    assert channels[2].wait(Message).data == "x"
    # Nor with a URL of one's own, however much it is the same.
    path = new_path("echo")
    for uid in (ALICE, BOB, ALICE):
        opened(client_of(daemon, uid), one_server.url(path), sharing="shared")
    one_server.expect_connections(path, 2)


def test_who_is_not_listed_opens_nothing(desk, client_of, one_server, server_path):
    for groups in ((), (TRADERS + 7,)):
        cause, text = refused(client_of(desk, DAVE, groups=groups))
        assert cause == "access" and "may not open this endpoint" in text
    one_server.expect_connections(server_path, 0)
    assert desk.upstreams() == []


def test_who_may_only_join_opens_nothing(desk, client_of, one_server, server_path):
    """One answer as long as nobody has it open, and to join as soon as somebody has."""
    carol = client_of(desk, CAROL, groups=[READERS])
    cause, text = refused(carol)
    assert cause == "access" and "may only join" in text
    one_server.expect_connections(server_path, 0)
    alice, _ = opened(client_of(desk, ALICE))
    channel, _ = opened(carol)
    alice.send("x")
    assert channel.wait(Message).data == "x"
    alice.close(1000)
    alice.wait(Closed)
    assert opened(carol)[1].denied == MAY_NOT_SEND  # carol's own channel holds it open
    # A connection of her own is not hers to have.
    assert refused(carol, sharing="private")[0] == "conflict"


def test_what_the_daemon_opens_by_itself_is_for_those_who_may_join(make_daemon, client_of, one_server):
    """With nobody who could open it; and where nobody is let join, it is the daemon's own user's alone."""
    wide, narrow = new_path("echo"), new_path("echo")
    daemon = make_daemon(
        f"""socket-mode = 0666
        endpoint "desk" {{ url = "{one_server.url(wide)}" autostart = yes users = {{"{BOB}: join receive"}} }}
        endpoint "plain" {{ url = "{one_server.url(narrow)}" autostart = yes linger = 0 }}"""
    )
    wait_until(lambda: [row["state"] for row in daemon.upstreams()] == ["open", "open"], "both are open")
    assert opened(client_of(daemon, BOB))[1].denied == MAY_NOT_SEND
    assert refused(client_of(daemon, CAROL))[0] == "access"
    opened(client_of(daemon, os.geteuid()), "wsplex-endpoint:plain")
    one_server.expect_connections(wide, 1)
    one_server.expect_connections(narrow, 1)
    opened(client_of(daemon, CAROL), "wsplex-endpoint:plain")
    one_server.expect_connections(narrow, 2)
    daemon.configure("socket-mode = 0666\n")
    daemon.process.kill(signal.SIGHUP)
    daemon.expect("reloaded")


def test_one_cannot_tell_whether_others_are_there(desk, client_of):
    """The same answers, word for word, with another's connection and without."""

    clients = [client_of(desk, uid) for uid in (EVE, DAVE, UNKNOWN)]

    def answers():
        got = []
        for client in clients:
            for url, sharing in ((NAME, "default"), (NAME, "shared"), (NAME, "private")):
                channel = client.open(url, sharing=sharing)
                event = channel.wait(Opened, Failed)
                if isinstance(event, Opened):
                    got.append(("opened", event.protocol, event.extensions, event.next_number, event.denied))
                    channel.close(1000)
                    channel.wait(Closed)
                else:
                    got.append((event.cause, event.text))
            wait_until(lambda client=client: not client.request("upstreams"), "eve's are over")
            for verb in ("upstreams", "channels", "history"):
                got.append(client.request(verb))
            got.append([row["uid"] for row in client.request("clients")])
        return got

    before = answers()
    alice, _ = opened(client_of(desk, ALICE))
    alice.send("x")
    alice.wait(Message)
    assert answers() == before


def test_the_overflow_uid_never_shares(desk, make_daemon, client_of, one_server):
    """It may be two people. What it asks to share is refused; alone it may be."""
    path = new_path("echo")
    daemon = make_daemon(
        f"""socket-mode = 0666
        endpoint "desk" {{ url = "{one_server.url(path)}" users = {{"*: open join send receive monitor"}} linger = 0 }}
        endpoint "alone" {{ url = "{one_server.url(path)}" users = {{"*: open send receive"}} share = no }}"""
    )
    one, other = client_of(daemon, UNKNOWN), client_of(daemon, UNKNOWN)
    for url, sharing in ((NAME, "default"), (NAME, "shared"), (one_server.url(path), "shared")):
        cause, text = refused(one, url, sharing=sharing)
        assert cause == "access" and "never shares" in text
    channel, _ = opened(one, one_server.url(path), sharing="private")
    opened(one, "wsplex-endpoint:alone")
    opened(other, "wsplex-endpoint:alone")
    one_server.expect_connections(path, 3)
    # What it is told that it may is what it may.
    for client in (one, other):
        told = {row["name"]: row["rights"] for row in client.request("endpoints")}
        assert told == {"alone": ["open", "send", "receive"]}
    # Nor is anything of one shown to the other.
    assert one.request("upstreams") == other.request("upstreams") == []
    assert one.request("channels") == other.request("channels") == []
    channel.send("x")
    assert channel.wait(Message).data == "x"


# --- what one may ---


def test_a_channel_that_may_not_send(desk, client_of):
    """Who heeds OPENED is let be; who does not is out, with the reason, and nothing went to the server."""
    alice, _ = opened(client_of(desk, ALICE))
    carol = client_of(desk, CAROL, groups=[READERS])
    channel, told = opened(carol)
    assert told.denied == MAY_NOT_SEND
    quiet, _ = opened(carol)
    channel.send("not mine to say")
    failed = channel.wait(Failed)
    assert failed.cause == "receive-only" and NAME in failed.text
    assert channel.wait(Closed) == Closed(False, 1006, "")
    # Also before it has heard that it is open, and in pieces, and as a subscription.
    early = carol.open(NAME, sharing="default")
    early.send_piece(b"early", more=True)
    assert early.wait(Failed).cause == "receive-only"
    early.wait(Closed)
    subscriber, _ = opened(carol)
    subscriber.subscribe("on", "off")
    assert subscriber.wait(Failed).cause == "receive-only"
    subscriber.wait(Closed)
    alice.send("mine")
    for who in (alice, quiet):
        assert who.wait(Message).data == "mine"


def test_a_channel_that_may_not_receive(make_daemon, client_of, one_server):
    """It sends, and hears of the end; no message comes to it, however many are there."""
    path = new_path("echo")
    daemon = make_daemon(
        f"""socket-mode = 0666
        endpoint "desk" {{
            url = "{one_server.url(path)}"
            users = {{"{ALICE}: open join send receive", "{BOB}: open join send"}}
            replay = 10
            linger = 0
        }}"""
    )
    alice, _ = opened(client_of(daemon, ALICE))
    bob, told = opened(client_of(daemon, BOB))
    assert told.denied == MAY_NOT_RECEIVE
    for i in range(50):
        bob.send(f"{i}")
    assert [alice.wait(Message).data for _ in range(50)] == [f"{i}" for i in range(50)]
    late, told = opened(client_of(daemon, BOB))
    assert (told.denied, told.next_number) == (MAY_NOT_RECEIVE, 51)
    wait_until(lambda: all(row["lag_bytes"] == 0 for row in daemon.channels()), "nothing waits for anybody")
    assert [row["messages_received"] for row in daemon.channels()] == [50, 0, 0]
    for channel in (bob, late):
        channel.close(1000)
        assert channel.wait(Message, Closed) == Closed(True, 1000, "")


def test_a_channel_that_may_not_receive_misses_nothing(make_daemon, client_of):
    """Its upstream goes and comes back: it is told so, and of no gap."""
    lose = threading.Event()

    def script(peer):
        is_first = not lose.is_set()
        peer.upgrade()
        peer.raw(frame(TEXT, b"hello"))
        if is_first:
            assert lose.wait(DEADLINE)
            return
        peer.read_close()
        peer.raw(frame(CLOSE))

    with RawServer(script) as raw:
        daemon = make_daemon(
            f"""socket-mode = 0666
            endpoint "desk" {{
                url = "{raw.url}" persist = yes backoff-min = 10ms linger = 0
                users = {{"{ALICE}: open join send receive", "{BOB}: open join send"}}
            }}"""
        )
        alice, _ = opened(client_of(daemon, ALICE))
        assert alice.wait(Message).data == "hello"
        bob, _ = opened(client_of(daemon, BOB))
        lose.set()
        assert isinstance(bob.recv(), Interrupted)
        assert isinstance(bob.recv(), Resumed)
        assert [type(alice.recv()) for _ in range(4)] == [Interrupted, Gap, Resumed, Message]
        for channel in (bob, alice):
            channel.close(1000)
        assert bob.wait(Message, Gap, Closed) == Closed(True, 1000, "")
        alice.wait(Closed)
        wait_until(lambda: not daemon.upstreams(), "it is closed")
    daemon.forgive("upstream-away")


def test_the_library_refuses_a_send_at_once(desk, make_program):
    """InvalidStateError, with the reason; the WebSocket goes on."""
    prefix = ["setpriv", f"--reuid={ALICE}", f"--regid={ALICE}", "--clear-groups"]
    alice = make_program(desk, prefix=prefix)
    alice.open("a", NAME)
    alice.event("open")
    prefix = ["setpriv", f"--reuid={CAROL}", f"--regid={CAROL}", f"--groups={READERS}"]
    carol = make_program(desk, prefix=prefix)
    carol.open("c", NAME)
    carol.event("open", name="c")
    carol.text("c", "not mine to say")
    refusal = carol.event("refused", name="c")
    assert refusal["error"] == -errno.ENOTCONN, refusal
    assert refusal["text"] == "this WebSocket may receive and not send"
    alice.text("a", "mine")
    assert carol.event("message", name="c")["data"] == "mine"


def test_rights_of_several_rules_add_up(make_daemon, client_of, one_server):
    daemon = make_daemon(
        f"""socket-mode = 0666
        endpoint "desk" {{
            url = "{one_server.url(new_path())}"
            users = {{"*: receive", "{BOB}: none", "{CAROL}: open"}}
            groups = {{"{TRADERS}: send", "{READERS}: open", "{UNKNOWN}: open send"}}
            linger = 0
        }}"""
    )
    for uid, groups, denied in [
        (ALICE, [], None), (BOB, [], None), (CAROL, [], MAY_NOT_SEND), (CAROL, [TRADERS], 0),
        (BOB, [READERS], MAY_NOT_SEND), (ALICE, [READERS, TRADERS], 0), (ALICE, list(range(50000, 50200)), None),
        (ALICE, [*range(50000, 50200), READERS], MAY_NOT_SEND),
        # What stands for groups that the system does not know gives nobody anything.
        (DAVE, [UNKNOWN], None),
    ]:  # fmt: skip
        client = client_of(daemon, uid, groups=groups)
        if denied is None:
            assert refused(client)[0] == "access", (uid, groups)
        else:
            assert opened(client)[1].denied == denied, (uid, groups)


def test_urls_of_ones_own_need_a_right_as_well(make_daemon, client_of, one_server):
    url = one_server.url(new_path("echo"))
    daemon = make_daemon(
        f"""socket-mode = 0666
        free-users = {{"{ALICE}: open send receive", "{BOB}: open receive"}}
        free-groups = {{"{TRADERS}: open send"}}
        endpoint "desk" {{ url = "{url}" linger = 0 }}"""
    )
    for uid, groups, denied in [(ALICE, [], 0), (BOB, [], MAY_NOT_SEND), (CAROL, [TRADERS], MAY_NOT_RECEIVE)]:
        for sharing in ("private", "shared"):
            assert opened(client_of(daemon, uid, groups=groups), url, sharing=sharing)[1].denied == denied
    cause, text = refused(client_of(daemon, DAVE), url, sharing="private")
    assert cause == "access" and "no URLs" in text
    opened(client_of(daemon, DAVE))


def test_rights_hold_as_they_were_when_a_channel_was_opened(desk, client_of):
    """A reload changes what is opened from then on; who is on a connection stays there."""
    carol = client_of(desk, CAROL, groups=[READERS])
    alice, _ = opened(client_of(desk, ALICE))
    old, _ = opened(carol)
    with open(desk.config_file, encoding="utf-8") as file:
        text = file.read()
    desk.configure(text.replace(f'"{READERS}: join receive"', f'"{READERS}: none"'))
    desk.process.kill(signal.SIGHUP)
    desk.expect("reloaded")
    assert refused(carol)[0] == "access"
    alice.send("x")
    assert old.wait(Message).data == "x"


# --- who sees and closes what users share ---


def test_what_users_share_is_seen_and_closed_by_right(make_daemon, client_of, one_server):
    path = new_path("echo")
    daemon = make_daemon(
        f"""socket-mode = 0666
        endpoint "desk" {{
            url = "{one_server.url(path)}"
            users = {{"*: open join send receive", "{BOB}: monitor", "{CAROL}: control"}}
            linger = 0
        }}"""
    )
    channels = {uid: opened(client_of(daemon, uid)) for uid in (ALICE, BOB, CAROL)}
    (upstream,) = daemon.upstreams()
    number = str(upstream["id"])
    private, _ = opened(client_of(daemon, ALICE), one_server.url(path), sharing="private")
    own = next(str(row["id"]) for row in daemon.upstreams() if row["uid"] == ALICE)

    def asks(uid, *words):
        try:
            return client_of(daemon, uid).request(*words)
        except RequestError as error:
            return {2: "bad-argument", 3: "access", 4: "not-found"}[error.status]

    # Each sees their own; the rest is a right.
    assert [row["uid"] for row in asks(ALICE, "channels")] == [ALICE, ALICE]
    assert [str(row["id"]) for row in asks(ALICE, "upstreams")] == [own]
    assert asks(ALICE, "show", number) == asks(DAVE, "show", number) == "not-found"
    assert asks(ALICE, "close", number) == asks(DAVE, "close", own) == "not-found"
    for uid in (BOB, CAROL):
        assert sorted(row["uid"] for row in asks(uid, "channels")) == [ALICE, BOB, CAROL]
        assert [str(row["id"]) for row in asks(uid, "upstreams")] == [number]
        assert len(asks(uid, "show", number)["channel_ids"]) == 3
        assert asks(uid, "close", own) == "not-found"
    assert asks(BOB, "close", number) == "access"
    assert asks(CAROL, "close", "x") == "bad-argument"
    assert asks(ALICE, "close", own)["state"] in ("closing", "ended")
    assert private.wait(Closed).code == 1000
    assert len(daemon.upstreams()) == 1
    assert asks(CAROL, "close", number)["kind"] == "upstream"
    for channel, _ in channels.values():
        assert channel.wait(Closed) == Closed(True, 1000, "closed by request")
    # Who may nothing with an endpoint is not shown it; the others are told what they may.
    rights = ["open", "join", "send", "receive"]
    assert [row["rights"] for row in asks(ALICE, "endpoints")] == [rights]
    assert [row["rights"] for row in asks(CAROL, "endpoints")] == [[*rights, "control"]]
    assert "users" not in asks(ALICE, "endpoints")[0]["options"]
    (row,) = daemon.request("endpoints")
    assert row["options"]["users"] == [
        "*: open join send receive", f"{BOB}: monitor", f"{CAROL}: control",
    ]  # fmt: skip
    daemon.configure(f'socket-mode = 0666\nendpoint "desk" {{ url = "{one_server.url(path)}" users = {{"{BOB}: open"}} }}')
    daemon.process.kill(signal.SIGHUP)
    daemon.expect("reloaded")
    assert asks(ALICE, "endpoints") == []
    assert [row["rights"] for row in asks(BOB, "endpoints")] == [["open"]]


def test_wsplexctl_closes(make_daemon, one_server):
    daemon = make_daemon()
    with daemon.client() as client:
        channel, _ = opened(client, one_server.url(new_path()), sharing="shared")
        (upstream,) = daemon.upstreams()
        done = daemon.ctl("close", str(upstream["id"]), check=0)
        assert b"kind: " in done.stdout
        assert channel.wait(Closed).code == 1000
        done = daemon.ctl("close", "4711")
        assert done.returncode != 0 and b"nothing has the number 4711" in done.stderr
