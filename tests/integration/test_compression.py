# SPDX-License-Identifier: MIT
"""permessage-deflate (RFC 7692) with servers that wsplex did not write, and with one that means ill."""

import random
import zlib

import pytest
from process import IS_SANITIZED
from servers import BINARY, KINDS, TEXT, RawServer, Server, frame, new_path
from test_messages import binary_of, text_of
from wsplex_client import Closed, Message, Opened

MIB = 1 << 20
# Around the lengths that RFC 6455 writes differently, the least that is compressed, and one of many turns.
LENGTHS = [0, 1, 63, 64, 125, 126, 127, 65535, 65536, 65537, MIB]

MODES = {
    "as offered": {},
    "no takeover by the server": {"server_no_context_takeover": True},
    "no takeover by the client": {"client_no_context_takeover": True},
    "no takeover": {"server_no_context_takeover": True, "client_no_context_takeover": True},
    "windows of 9": {"server_max_window_bits": 9, "client_max_window_bits": 9},
    "windows of 15": {"server_max_window_bits": 15, "client_max_window_bits": 15},
    "small there, large here": {"server_max_window_bits": 9, "client_max_window_bits": 15},
    "large there, small here": {"server_max_window_bits": 15, "client_max_window_bits": 10},
    "a window that zlib cannot write": {"client_max_window_bits": 8},
    "all four": {
        "server_no_context_takeover": True,
        "client_no_context_takeover": True,
        "server_max_window_bits": 10,
        "client_max_window_bits": 11,
    },
}


@pytest.fixture(scope="module", params=[(kind, mode) for kind in KINDS for mode in MODES], ids=" ".join)
def compressing(request, certificate):
    kind, mode = request.param
    with Server(kind, certificate, deflate=MODES[mode]) as server:
        yield server, MODES[mode]


@pytest.fixture(scope="module")
def willing(certificate):
    """npm's ws, which takes any offer."""
    with Server("ws", certificate, deflate={}) as server:
        yield server


def parameters(extensions):
    """The parameters of the one extension in force, by name."""
    name, *rest = [part.strip() for part in extensions.split(";")]
    assert name == "permessage-deflate"
    pairs = [part.partition("=") for part in rest]
    return {name: int(value) if value else True for name, _, value in pairs}


def alike_of(length):
    return ("{'number': 1234.5, 'name': 'value'}, " * (length // 37 + 1))[:length]


def payloads(length):
    """Noise, which is sent as it is; text; and what compresses well, twice for its reference to itself."""
    yield binary_of(length)
    yield text_of(length)
    for _ in range(2):
        yield bytes(length)
        yield alike_of(length)


def test_every_length_comes_back(daemon, compressing):
    server, mode = compressing
    with daemon.client() as client:
        channel = client.open(server.url(new_path("echo")))
        assert parameters(channel.wait(Opened).extensions) == mode
        for length in LENGTHS:
            for data in payloads(length):
                channel.send(data)
                assert channel.wait(Message).data == data, (length, type(data))
        assert channel.buffered_amount == 0
        channel.close(1000)
        assert channel.wait(Closed) == Closed(True, 1000, "")


def test_every_length_comes_back_in_pieces(daemon, compressing):
    """Compressed messages in several frames, each of which begins wherever it likes."""
    server, _ = compressing
    with daemon.client() as client:
        channel = client.open(server.url(new_path("pieces")))
        for length in LENGTHS[:-1]:
            for data in payloads(length):
                channel.send(data)
                assert channel.wait(Message).data == data, (length, type(data))
        channel.close(1000)
        assert channel.wait(Closed) == Closed(True, 1000, "")


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_message_comes_back(daemon, certificate, kind):
    with Server(kind, certificate, deflate={}) as server, daemon.client() as client:
        channel = client.open(server.url(new_path("echo"), "wss"))
        for data in (binary_of(16 * MIB), alike_of(16 * MIB)):
            channel.send(data)
            assert channel.wait(Message).data == data
        assert channel.buffered_amount == 0
        channel.close(1000)
        assert channel.wait(Closed) == Closed(True, 1000, "")


@pytest.mark.parametrize("words, is_on", [((), True), (("option=deflate=no",), False)], ids=["on", "off"])
def test_a_program_sees_what_is_in_force(daemon, program, willing, words, is_on):
    path = new_path()
    program.open("a", willing.url(path, "wss"), *words)
    assert program.event("open")["extensions"] == ("permessage-deflate" if is_on else "")
    offer = ["permessage-deflate; client_max_window_bits"] if is_on else []
    assert willing.connection(path).header("sec-websocket-extensions") == offer


def test_an_endpoint_may_turn_it_off(make_daemon, willing):
    path = new_path()
    daemon = make_daemon(f'endpoint "plain" {{ url = "{willing.url(path)}" deflate = no }}')
    with daemon.client() as client:
        channel = client.open("wsplex-endpoint:plain", sharing="default")
        assert channel.wait(Opened).extensions == ""
    assert not willing.connection(path).header("sec-websocket-extensions")


ASKED = {
    "no takeover": (
        "deflate-context-takeover = no",
        "server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        {"server_no_context_takeover": True, "client_no_context_takeover": True},
    ),
    "a small window": (
        "deflate-window-bits = 9",
        "server_max_window_bits=9; client_max_window_bits=9",
        {"server_max_window_bits": 9, "client_max_window_bits": 9},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ASKED)
def test_an_endpoint_asks_for_less(make_daemon, certificate, kind, name):
    options, asked, agreed = ASKED[name]
    path = new_path("echo")
    with Server(kind, certificate, deflate={}) as server:
        daemon = make_daemon(f'endpoint "small" {{ url = "{server.url(path)}" share = no {options} }}')
        with daemon.client() as client:
            channel = client.open("wsplex-endpoint:small", sharing="default")
            assert parameters(channel.wait(Opened).extensions).items() <= agreed.items()
            for data in payloads(65536):
                channel.send(data)
                assert channel.wait(Message).data == data
            channel.close(1000)
            channel.wait(Closed)
        offer = server.connection(path).header("sec-websocket-extensions")
        assert offer == [f"permessage-deflate; {asked}"]


def memory(daemon, name):
    """KiB of a field of /proc/PID/smaps_rollup or status."""
    field = {"Private_Dirty": "smaps_rollup", "VmHWM": "status"}[name]
    with open(f"/proc/{daemon.pid}/{field}", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))


def idle_connection(daemon, url, options):
    """KiB that a connection holds after it has been used; what the last ones have added."""
    with daemon.client() as client:
        used = []
        for _ in range(4):
            for _ in range(25):
                channel = client.open(url, options=options)
                channel.send(alike_of(60000))
                assert channel.wait(Message).data == alike_of(60000)
            used.append(memory(daemon, "Private_Dirty"))
        for channel in list(client.channels.values()):
            channel.close(1000)
            channel.wait(Closed)
    return (used[-1] - used[0]) / 75


@pytest.mark.skipif(IS_SANITIZED, reason="memory of a sanitized program is mostly the sanitizers'")
def test_idle_connections_hold_what_they_need(make_daemon, certificate):
    """Without context takeover, not much more than without compression; with it, two windows."""
    with Server("websockets", certificate, deflate={}) as server:
        plain, fresh, taking_over = [
            idle_connection(make_daemon(), server.url(new_path("echo")), options)
            for options in ({"deflate": "no"}, {"deflate-context-takeover": "no"}, {})
        ]
    assert fresh < plain + 4, (plain, fresh, taking_over)
    assert plain + 40 < taking_over < plain + 100, (plain, fresh, taking_over)


# --- by script ---


def packed(data, window=15):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -window)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def compressed(peer, answer="permessage-deflate"):
    peer.read_request()
    peer.accept(f"Sec-WebSocket-Extensions: {answer}\r\n")


@pytest.mark.parametrize("n_bytes", [16 * MIB + 1, 512 * MIB], ids=["one too many", "a thousandfold"])
def test_a_bomb(daemon, program, n_bytes):
    """It ends at max-message, with 1009, and the daemon holds little more than one message of that length."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(compressor.compress(bytes(min(MIB, n_bytes - at))) for at in range(0, n_bytes, MIB))
    bomb = (bomb + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def script(peer):
        compressed(peer)
        peer.raw(frame(BINARY, bomb, reserved=4))
        assert peer.read_close() == 1009
        peer.read_end()

    before = memory(daemon, "VmHWM")
    with RawServer(script) as raw:
        program.open("a", raw.url)
        cause, text = program.failure("a")
    assert cause == "too-big" and "1009" in text
    assert [event["event"] for event in program.events("a")] == ["open", "error", "close"]
    daemon.expect("upstream-failed", "too-big.*16777216")
    assert IS_SANITIZED or memory(daemon, "VmHWM") < before + 64 * 1024


VIOLATIONS = {
    "not compressed at all": (frame(TEXT, b"\x06\xff\xff", reserved=4), 1007),
    "cut off": (frame(TEXT, packed(b"Hello, hello, hello")[:-4], reserved=4), 1007),
    "text that is not UTF-8": (frame(TEXT, packed(b"\xc3\x28"), reserved=4), 1007),
    "RSV1 within a message": (frame(TEXT, b"x", is_last=False) + frame(0, b"y", reserved=4), 1002),
    "a compressed ping": (frame(9, b"x", reserved=4), 1002),
    "RSV2": (frame(TEXT, packed(b"x"), reserved=2), 1002),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_it_breaks_the_protocol(daemon, program, name):
    wrong, code = VIOLATIONS[name]

    def script(peer):
        compressed(peer)
        peer.raw(frame(TEXT, packed(b"before"), reserved=4) + wrong + frame(BINARY, b"behind"))
        assert peer.read_close() == code
        peer.read_end()

    with RawServer(script) as raw:
        program.open("a", raw.url)
        cause, text = program.failure("a")
    assert cause == "protocol" and str(code) in text, text
    assert [event["event"] for event in program.events("a")] == ["open", "message", "error", "close"]
    daemon.expect("upstream-failed", f"protocol: .*{code}")


@pytest.mark.parametrize(
    "answer",
    [
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; window=15",
        "permessage-deflate, permessage-deflate",
        "permessage-bzip2",
    ],
)
def test_the_answer_is_wrong(daemon, program, answer):
    def script(peer):
        compressed(peer, answer)
        peer.read_end()

    with RawServer(script) as raw:
        program.open("a", raw.url)
        cause, text = program.failure("a")
    assert cause == "handshake" and text
    assert [event["event"] for event in program.events("a")] == ["error", "close"]
    daemon.expect("upstream-failed", "handshake: ")


def test_fragments_and_what_is_between_them(daemon, program):
    """A compressed message in frames of a few bytes with pings between, then one that is not compressed."""
    text = "".join(random.Random(7).choices("abcdefgh", k=3000))
    data = packed(text.encode())
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]

    def script(peer):
        compressed(peer)
        for n, piece in enumerate(pieces):
            first = n == 0
            peer.raw(frame(TEXT if first else 0, piece, n == len(pieces) - 1, 4 if first else 0))
            if n == 3:
                peer.raw(frame(9, b"between"))
        peer.raw(frame(TEXT, b"plain"))
        assert peer.read_frame() == (0x8A, b"between")
        opcode, sent = peer.read_frame()
        assert opcode == 0xC1 and len(sent) < 100
        assert zlib.decompressobj(-12).decompress(sent + b"\x00\x00\xff\xff") == b"x" * 5000
        assert peer.read_frame() == (0x81, b"short")
        assert peer.read_close() == 1000
        peer.raw(b"\x88\x02\x03\xe8")

    with RawServer(script) as raw:
        program.open("a", raw.url)
        assert program.event("message")["length"] == len(text)
        assert program.event("message")["data"] == "plain"
        program.text("a", "x" * 5000)
        program.text("a", "short")
        program.close("a", 1000)
        assert program.event("close")["clean"]
