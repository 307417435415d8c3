# SPDX-License-Identifier: MIT
"""wsplexctl metrics, read by a parser that is not ours."""

import os
import re

import pytest
import users
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from process import TOP
from servers import CLOSE, TEXT, RawServer, frame
from wsplex_client import Closed, Failed, Message, Opened, RequestError

NAME = "wsplex-endpoint:feed"


def script(peer):
    peer.upgrade()
    peer.raw(frame(TEXT, b"12345"))
    while (got := peer.read_frame()) is not None:
        if got[0] & 0xF == CLOSE:
            peer.raw(frame(CLOSE, got[1]))
            return
        peer.raw(frame(TEXT, got[1]))


@pytest.fixture
def server():
    with RawServer(script) as server:
        yield server


@pytest.fixture
def feed(make_daemon, folder, server):
    return make_daemon(
        f'state-dir = "{folder}/state"\n'
        f'endpoint "feed" {{ url = "{server.url}" linger = 0 send-rate = {{"3 per h"}} }}\n'
        f'endpoint "other" {{ url = "{server.url}" }}\n'
    )


def metrics(daemon):
    """By name of the sample, and then by its labels without their names."""
    text = daemon.ctl("metrics", check=0).stdout.decode()
    assert text.endswith("\n# EOF\n")
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type in ("gauge", "counter", "info")
        for sample in family.samples:
            assert sample.value >= 0
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_the_manual_page_names_every_metric_and_no_other(feed):
    with open(os.path.join(TOP, "doc", "wsplexctl.1"), encoding="utf-8") as page:
        section = page.read().split("\n.Ss Metrics\n")[1].split("\n.Sh ")[0]
    documented = re.findall(r"wsplex_\w+", " ".join(re.findall(r"^\.It Li (.*)$", section, re.M)))
    assert set(documented) == set(metrics(feed)) and len(documented) == len(set(documented))


@pytest.mark.skipif(users.why_not() is not None, reason=f"no other users: {users.why_not()}")
def test_others_are_not_told(make_daemon):
    daemon = make_daemon("socket-mode = 0666")
    with users.as_user(1234, daemon.client) as client, pytest.raises(RequestError) as refused:
        client.request("metrics")
    assert (refused.value.name, refused.value.text) == ("access", "only an administrator may ask for that")


def test_nothing_has_happened(feed):
    found = metrics(feed)
    assert list(found["wsplex_build_info"].values()) == [1]
    assert found["wsplex_clients"] == {(): 1}
    for name in ("wsplex_upstreams_open", "wsplex_received_messages_total", "wsplex_lag_bytes"):
        assert found[name] == {("-",): 0, ("feed",): 0, ("other",): 0}
    assert found["wsplex_budget_limit"] == {("feed", "send", "3 per h"): 3}
    assert found["wsplex_budget_spent"] == {("feed", "send", "3 per h"): 0}


def test_what_is_counted_and_what_stays_of_it(feed, server):
    with feed.client() as client:
        channels = [client.open(NAME, sharing="default") for _ in range(2)]
        for channel in channels:
            channel.wait(Opened)
        for text in ("a", "bb"):
            channels[0].send(text)
        while channels[1].wait(Message).data != "bb":
            pass
        free = client.open(f"{server.url}/{os.urandom(4).hex()}")
        free.wait(Opened)
        found = metrics(feed)
        assert found["wsplex_upstreams_open"] == {("-",): 1, ("feed",): 1, ("other",): 0}
        assert found["wsplex_joined_channels"][("feed",)] == 2
        assert found["wsplex_channels"] == {(): 3}
        assert found["wsplex_sent_messages_total"][("feed",)] == 2
        assert found["wsplex_sent_bytes_total"][("feed",)] == 3
        assert found["wsplex_received_messages_total"][("feed",)] == 3
        assert found["wsplex_received_bytes_total"][("feed",)] == 8
        assert found["wsplex_budget_spent"] == {("feed", "send", "3 per h"): 2}
        for _ in range(2):
            channels[0].send("cc")
        while channels[1].wait(Message).data != "cc":
            pass
        found = metrics(feed)
        assert found["wsplex_send_budget_waiting"] == {("-",): 0, ("feed",): 1, ("other",): 0}
        assert found["wsplex_outbox_bytes"][("feed",)] == 2
        client.open("ws://127.0.0.1:1/").wait(Failed)
    feed.expect("upstream-failed")
    with feed.client() as client:
        # What waits for its budget goes before its connection does; so it is closed by hand.
        for row in client.request("upstreams"):
            if row["url"] == NAME:
                client.request("close", str(row["id"]))
    feed.wait_idle()
    found = metrics(feed)
    assert found["wsplex_upstreams_open"] == {("-",): 0, ("feed",): 0, ("other",): 0}
    assert found["wsplex_received_messages_total"][("feed",)] == 4
    assert found["wsplex_sent_messages_total"][("feed",)] == 3
    assert found["wsplex_upstreams_failed_total"] == {("-",): 1, ("feed",): 0, ("other",): 0}


def test_programs_make_no_series(feed, server):
    """However many URLs there are: they are one."""
    before = {name: set(series) for name, series in metrics(feed).items()}
    with feed.client() as client:
        for _ in range(20):
            channel = client.open(f"{server.url}/{os.urandom(8).hex()}")
            channel.wait(Opened)
            channel.close(1000)
            channel.wait(Closed)
    feed.wait_idle()
    after = metrics(feed)
    assert {name: set(series) for name, series in after.items()} == before
    assert after["wsplex_received_messages_total"][("-",)] == 20
