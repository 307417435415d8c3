# SPDX-License-Identifier: MIT
"""RFC 6455 from the server's side, case by case: a program that echoes, through a real daemon; see harness/conformance.

Every case is strict: what must come back comes in that order and nothing else, faults are answered at the first byte
that shows them, messages that came before a fault or a Close are answered before it.
"""

import contextlib
import json
import os
import socket
import tempfile

import pytest
from conformance import Broken, Case, Clean, Closes, Examiner, Pause, Until, close_frame, cut, fragments
from daemon import Daemon
from process import DEADLINE, IS_SANITIZED
from servers import BINARY, CLOSE, PING, PONG, TEXT, RawServer, frame

KINDS = {"text": TEXT, "binary": BINARY}
# Of which the daemon warns in its log when a server does all this.
USUAL = ("upstream-failed", "upstream-blamed", "left-out")


@pytest.fixture(scope="module")
def examiner():
    with tempfile.TemporaryDirectory(prefix="wsplex-") as folder, Daemon(folder) as daemon:
        with Examiner(daemon.socket) as examiner:
            examiner.daemon = daemon
            yield examiner
        daemon.wait_idle()
        daemon.stop()
        for name in USUAL:
            daemon.forgive(name)


@pytest.fixture(scope="module")
def tls_examiner(authority, certificate):
    with tempfile.TemporaryDirectory(prefix="wsplex-") as folder:
        with Daemon(folder, options=["--ca-file", authority.file]) as daemon:
            with Examiner(daemon.socket, certificate) as examiner:
                yield examiner
            daemon.wait_idle()
            daemon.stop()
            for name in USUAL:
                daemon.forgive(name)


def cases(*groups):
    """One test for each case."""
    flat = [case for group in groups for case in ([group] if isinstance(group, Case) else group)]
    assert len({case.name for case in flat}) == len(flat)
    return pytest.mark.parametrize("case", flat, ids=str)


def echo(name, sends, *back, **more):
    return Case(name, sends, list(back), **more)


def broken(name, sends, *back, codes=(1002,), **more):
    return Case(name, sends, list(back), Broken(codes), **more)


# --- framing (5.2, 5.6) ---


def of_length(kind, length):
    return b"*" * length if kind == TEXT else bytes(i % 256 for i in range(length))


def framing():
    for name, kind in KINDS.items():
        for length in (0, 1, 125, 126, 127, 128, 65535, 65536):
            payload = of_length(kind, length)
            yield echo(f"{name}-{length}", [frame(kind, payload)], (kind, payload))
        payload = of_length(kind, 65536)
        yield echo(f"{name}-65536-chopped", [frame(kind, payload)], (kind, payload), chop=997)
        yield echo(f"{name}-126-by-octet", [frame(kind, payload[:126])], (kind, payload[:126]), chop=1)
    many = [(KINDS[name], of_length(KINDS[name], n)) for n in range(0, 300, 25) for name in KINDS]
    yield echo("many-in-one-write", [b"".join(frame(*message) for message in many)], *many)
    yield broken("masked", [frame(TEXT, b"x", mask=b"abcd")])
    yield broken("masked-and-empty", [frame(PING, b"", mask=b"abcd")])
    yield broken("length-16-not-needed", [b"\x82\x7e\x00\x7d"])
    yield broken("length-64-not-needed", [b"\x82\x7f" + (65535).to_bytes(8, "big")])
    yield broken("length-of-64-bits", [b"\x82\x7f\x80" + bytes(7)])


@cases(framing())
def test_framing(examiner, case):
    examiner.run(case)


# --- pings and pongs (5.5.2, 5.5.3) ---


def pings():
    for name, payload in {
        "empty": b"", "text": b"Hello", "binary": b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", "125": b"\xfe" * 125,
    }.items():  # fmt: skip
        yield echo(f"ping-{name}", [frame(PING, payload)], (PONG, payload))
        yield echo(f"ping-{name}-by-octet", [frame(PING, payload)], (PONG, payload), chop=1)
        yield echo(f"pong-{name}-unasked", [frame(PONG, payload)])
    yield broken("ping-126", [frame(PING, b"\xfe" * 126)])
    yield broken("ping-126-by-octet", [frame(PING, b"\xfe" * 126)], chop=1)
    yield broken("pong-126", [frame(PONG, b"\xfe" * 126)])
    yield echo("pong-unasked-then-ping", [frame(PONG, b"unasked"), frame(PING, b"asked")], (PONG, b"asked"))
    ten = [b"payload-%d" % i for i in range(10)]
    all_ten = [(PONG, payload) for payload in ten]
    yield echo("ten-pings", [frame(PING, payload) for payload in ten], *all_ten)
    yield echo("ten-pings-in-one-write", [b"".join(frame(PING, payload) for payload in ten)], *all_ten)
    yield echo("ten-pings-by-octet", [frame(PING, payload) for payload in ten], *all_ten, chop=1)


@cases(pings())
def test_pings(examiner, case):
    examiner.run(case)


# --- what is reserved (5.2) ---

HELLO = frame(TEXT, b"Hello")
GREETED = (TEXT, b"Hello")


def reserved_bits():
    for bits in range(1, 8):
        wrong = frame(TEXT, b"wrong", reserved=bits)
        yield broken(f"text-{bits}", [wrong])
        yield broken(f"binary-{bits}", [frame(BINARY, b"wrong", reserved=bits)])
        yield broken(f"ping-{bits}", [frame(PING, b"wrong", reserved=bits)])
        yield broken(f"pong-{bits}", [frame(PONG, b"", reserved=bits)])
        yield broken(f"close-{bits}", [frame(CLOSE, b"\x03\xe8", reserved=bits)])
        yield broken(f"continuation-{bits}", [frame(TEXT, b"a", is_last=False), frame(0, b"b", reserved=bits)])
        yield broken(f"after-a-message-{bits}", [HELLO + wrong + frame(PING)], GREETED)
        yield broken(f"after-a-message-by-frame-{bits}", [HELLO, wrong, frame(PING)], GREETED)
        yield broken(f"after-a-message-by-octet-{bits}", [HELLO, wrong, frame(PING)], GREETED, chop=1)


@cases(reserved_bits())
def test_reserved_bits(examiner, case):
    examiner.run(case)


def opcodes():
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for name, payload in {"empty": b"", "payload": b"wrong"}.items():
            wrong = frame(opcode, payload)
            yield broken(f"{opcode}-{name}", [wrong])
            yield broken(f"{opcode}-{name}-after-a-message", [HELLO + wrong + frame(PING)], GREETED)
            yield broken(f"{opcode}-{name}-after-a-message-by-octet", [HELLO, wrong, frame(PING)], GREETED, chop=1)
        yield broken(f"{opcode}-not-final", [frame(opcode, b"", is_last=False)])


@cases(opcodes())
def test_opcodes(examiner, case):
    examiner.run(case)


# --- fragmentation (5.4) ---


def fragmentation():
    parts = fragments(TEXT, b"one ", b"two ", b"three ", b"four ", b"five")
    whole = (TEXT, b"one two three four five")
    first, last = frame(TEXT, b"first ", is_last=False), frame(0, b"last")
    both = (TEXT, b"first last")
    ping, pong = frame(PING, b"between"), (PONG, b"between")

    for chop in (0, 1):
        end = "-by-octet" if chop else ""
        yield echo(f"five{end}", [parts], whole, chop=chop)
        yield echo(f"two{end}", [first, last], both, chop=chop)
        yield echo(f"ping-between{end}", [first, ping, last], pong, both, chop=chop)
        yield echo(f"pong-between{end}", [first, frame(PONG, b"x"), last], both, chop=chop)
        yield echo(f"ping-answered-before-the-end{end}", [first, ping, Until(1), last], pong, both, chop=chop)
        yield broken(f"nothing-to-continue{end}", [frame(0, b"lost"), HELLO], chop=chop)
        yield broken(f"nothing-to-go-on-with{end}", [frame(0, b"lost", is_last=False), HELLO], chop=chop)
        yield broken(f"message-within-a-message{end}", [first, HELLO], chop=chop)
        yield broken(f"continued-after-its-end{end}", [first, last, frame(0, b"more", is_last=False), HELLO], both,
                     chop=chop)  # fmt: skip
    yield echo("in-one-write", [first + ping + last], pong, both)
    yield echo("empty-ones", [fragments(TEXT, b"", b"", b"")], (TEXT, b""))
    yield echo("empty-but-the-middle", [fragments(BINARY, b"", b"middle", b"")], (BINARY, b"middle"))
    for name, sends in {
        "ping": [frame(PING, b"a", is_last=False), frame(0, b"b")],
        "pong": [frame(PONG, b"a", is_last=False), frame(0, b"b")],
        "close": [frame(CLOSE, b"", is_last=False), frame(0, b"\x03\xe8")],
    }.items():
        yield broken(f"{name}-in-fragments", sends)
    yield broken("binary-within-a-text", [first, frame(BINARY, b"x")])
    yield broken("in-one-write-then-nothing-to-continue",
                 [first + last + frame(0, b"more", is_last=False) + HELLO], both)  # fmt: skip
    again = [frame(0, b"no", is_last=False), HELLO] * 3
    yield broken("nothing-to-continue-over-and-over", [b"".join(again)])
    pause = Pause(0.2)
    yield echo(
        "pings-between-with-pauses",
        [frame(TEXT, b"1", is_last=False) + frame(0, b"2", is_last=False) + frame(PING, b"one"), Until(1), pause,
         frame(0, b"3", is_last=False) + frame(0, b"4", is_last=False) + frame(PING, b"two"), Until(2), frame(0, b"5")],
        (PONG, b"one"), (PONG, b"two"), (TEXT, b"12345"),
    )  # fmt: skip
    yield echo("types-one-after-the-other", [fragments(TEXT, b"a", b"b") + fragments(BINARY, b"\xff", b"\xfe") + HELLO],
               (TEXT, b"ab"), (BINARY, b"\xff\xfe"), GREETED)  # fmt: skip


@cases(fragmentation())
def test_fragmentation(examiner, case):
    examiner.run(case)


# --- text (5.6, 8.1) ---

KOSME = "κόσμε".encode()
VALID = {
    "hello-mu": "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    "kosme": KOSME,
    "zero": b"\x00",
    "one-byte": b"\x7f",
    "two-bytes-first": b"\xc2\x80",
    "two-bytes-last": b"\xdf\xbf",
    "three-bytes-first": b"\xe0\xa0\x80",
    "three-bytes-last": b"\xef\xbf\xbf",
    "four-bytes-first": b"\xf0\x90\x80\x80",
    "before-surrogates": b"\xed\x9f\xbf",
    "behind-surrogates": b"\xee\x80\x80",
    "replacement": b"\xef\xbf\xbd",
    "last": b"\xf4\x8f\xbf\xbf",
    "byte-order-mark": b"\xef\xbb\xbfx",
    "noncharacters-of-every-plane": "".join(
        chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF)
    ).encode(),
    "noncharacters-within": "".join(map(chr, range(0xFDD0, 0xFDF0))).encode(),
    "every-plane": "".join(chr(plane << 16 | 0x1234) for plane in range(17)).encode(),
}
INVALID = {
    "continuation-first": b"\x80",
    "continuation-last": b"\xbf",
    "continuations": bytes(range(0x80, 0xC0)),
    "two-byte-starts": b" ".join(bytes([i]) for i in range(0xC0, 0xE0)) + b" ",
    "three-byte-starts": b" ".join(bytes([i]) for i in range(0xE0, 0xF0)) + b" ",
    "four-byte-starts": b" ".join(bytes([i]) for i in range(0xF0, 0xF8)) + b" ",
    "five-bytes": b"\xf8\x88\x80\x80\x80",
    "six-bytes": b"\xfc\x84\x80\x80\x80\x80",
    "fe": b"\xfe",
    "ff": b"\xff",
    "fe-and-ff": b"\xfe\xfe\xff\xff",
    "overlong-2": b"\xc0\xaf",
    "overlong-3": b"\xe0\x80\xaf",
    "overlong-4": b"\xf0\x80\x80\xaf",
    "overlong-5": b"\xf8\x80\x80\x80\xaf",
    "overlong-6": b"\xfc\x80\x80\x80\x80\xaf",
    "longest-overlong-2": b"\xc1\xbf",
    "longest-overlong-3": b"\xe0\x9f\xbf",
    "longest-overlong-4": b"\xf0\x8f\xbf\xbf",
    "overlong-zero": b"\xc0\x80",
    "surrogate-first": b"\xed\xa0\x80",
    "surrogate-high-last": b"\xed\xaf\xbf",
    "surrogate-low-first": b"\xed\xb0\x80",
    "surrogate-last": b"\xed\xbf\xbf",
    "surrogate-pair": b"\xed\xa0\x80\xed\xb0\x80",
    "beyond-the-last": b"\xf4\x90\x80\x80",
    "far-beyond": b"\xf7\xbf\xbf\xbf",
    "cut-in-two-bytes": b"\xc3x",
    "cut-in-three-bytes": b"\xe2\x82x",
    "cut-in-four-bytes": b"\xf0\x9f\x98x",
    "latin-1": "größe".encode("latin-1"),
}


def text():
    for name, payload in VALID.items():
        yield echo(f"{name}", [frame(TEXT, payload)], (TEXT, payload))
        yield echo(f"{name}-by-octet", [frame(TEXT, payload)], (TEXT, payload), chop=1)
        yield echo(f"{name}-a-frame-for-each-octet", [cut(TEXT, payload, 1)], (TEXT, payload))
        yield echo(f"{name}-by-octet-and-frame", [cut(TEXT, payload, 1)], (TEXT, payload), chop=1)
    more = {"codes": (1007,)}
    for name, payload in INVALID.items():
        yield broken(f"{name}", [frame(TEXT, KOSME + payload + b"edited")], **more)
        yield broken(f"{name}-by-octet", [frame(TEXT, KOSME + payload + b"edited")], chop=1, **more)
        yield broken(f"{name}-a-frame-for-each-octet", [cut(TEXT, payload + b"edited", 1)], **more)
        yield broken(f"{name}-after-a-message", [HELLO + frame(TEXT, payload)], GREETED, **more)
    for name, payload in {"two": b"\xc3", "three": b"\xe2\x82", "four": b"\xf0\x9f\x98"}.items():
        yield broken(f"ends-within-{name}-bytes", [frame(TEXT, payload)], **more)
        yield broken(f"ends-within-{name}-bytes-of-a-fragment", [fragments(TEXT, b"ok", payload)], **more)
        yield broken(f"last-fragment-is-empty-within-{name}-bytes", [fragments(TEXT, payload, b"")], **more)
    split = "µ".encode()
    yield echo("a-ping-within-a-character",
               [frame(TEXT, split[:1], is_last=False) + frame(PING, split[1:]) + frame(0, split[1:])],
               (PONG, split[1:]), (TEXT, split))  # fmt: skip
    yield echo("binary-may-be-anything", [frame(BINARY, b"".join(INVALID.values()))],
               (BINARY, b"".join(INVALID.values())))  # fmt: skip


@cases(text())
def test_text(examiner, case):
    examiner.run(case)


def fail_fast():
    """What shows the fault has come, and nothing after it ever does."""
    more = {"codes": (1007,)}
    beyond = KOSME + b"\xf4\x90"  # no character begins like this
    yield broken("in-the-first-of-fragments", [frame(TEXT, beyond, is_last=False)], **more)
    yield broken(
        "in-the-second-of-fragments",
        [frame(TEXT, KOSME, is_last=False), Pause(), frame(0, b"\xff", is_last=False)], **more)  # fmt: skip
    yield broken(
        "across-fragments",
        [frame(TEXT, KOSME + b"\xf4", is_last=False), Pause(), frame(0, b"\x90", is_last=False)], **more)  # fmt: skip
    head = frame(TEXT, bytes(1000))[:4]
    yield broken("within-a-frame", [head + beyond], **more)
    yield broken("within-a-frame-in-pieces", [head + KOSME, Pause(), b"\xf4", Pause(), b"\x90"], **more)
    yield broken("within-a-frame-by-octet", [head + beyond], chop=1, **more)
    yield broken("surrogate", [head + b"\xed", Pause(), b"\xa0"], **more)
    yield broken("overlong", [head + b"\xe0", Pause(), b"\x9f"], **more)
    yield broken("overlong-at-its-first-byte", [head + b"\xc0"], **more)
    yield broken("ff", [head + b"\xff"], **more)
    yield broken("within-a-large-frame", [b"\x81\x7f" + (1 << 20).to_bytes(8, "big") + bytes(70000) + b"\xff"], **more)
    yield broken("reserved-opcode-at-its-first-byte", [b"\x83"])
    yield broken("reserved-bit-at-its-first-byte", [b"\xa1"])
    yield broken("masked-at-its-second-byte", [b"\x81\x80"])
    yield broken("long-control-frame-at-its-second-byte", [b"\x89\x7e"])
    yield broken("length-not-the-shortest-before-its-end", [b"\x81\x7e\x00\x01"])
    yield broken("longer-than-the-limit-by-its-header",
                 [b"\x82\x7f" + ((16 << 20) + 1).to_bytes(8, "big")], codes=(1009,))  # fmt: skip
    yield broken("longest-of-all-lengths", [b"\x82\x7f\x7f" + b"\xff" * 7], codes=(1009,))


@cases(fail_fast())
def test_fail_fast(examiner, case):
    examiner.run(case)


# --- closing (5.5.1, 7) ---

GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)


def closing():
    for code in GOOD_CODES:
        yield Case(f"{code}", [close_frame(code)], [], Closes(code))
        yield Case(f"{code}-with-a-reason", [close_frame(code, b"reason")], [], Closes(code, "reason"))
    for code in BAD_CODES:
        yield broken(f"{code}", [close_frame(code)])
        yield broken(f"{code}-with-a-reason", [close_frame(code, b"reason")])
    yield Case("patiently", [close_frame(1000)], [], Closes(1000, is_patient=True))
    yield Case("without-a-code", [close_frame()], [], Closes(1005))
    yield Case("by-octet", [close_frame(1000, "grüße €".encode())], [], Closes(1000, "grüße €"), chop=1)
    yield Case("longest-reason", [close_frame(1000, b"*" * 123)], [], Closes(1000, "*" * 123))
    yield broken("reason-too-long", [close_frame(1000, b"*" * 124)])
    yield broken("one-byte", [frame(CLOSE, b"\x03")])
    for name, payload in INVALID.items():
        yield broken(f"reason-{name}", [close_frame(1000, payload + b"edited")], codes=(1007,))
    yield broken("reason-ends-within-a-character", [close_frame(1000, b"\xc3")], codes=(1007,))
    close = close_frame(1000)
    yield Case("text-then-close", [HELLO + close], [GREETED], Closes())
    yield Case("text-then-close-by-frame", [HELLO, close], [GREETED], Closes())
    yield Case("two-closes", [close + close_frame(1001)], [], Closes())
    yield Case("ping-then-close", [frame(PING, b"last") + close], [(PONG, b"last")], Closes())
    yield Case("close-then-ping", [close + frame(PING)], [], Closes())
    yield Case("close-then-text", [close + HELLO], [], Closes())
    yield Case("close-then-fault", [close + frame(3)], [], Closes())
    yield Case("close-then-noise", [close + bytes(range(256)) * 300], [], Closes())
    yield Case("within-a-message", [frame(TEXT, b"a", is_last=False) + close + frame(0, b"b")], [], Closes())
    large = of_length(TEXT, 256 << 10)
    yield Case("large-text-then-close-then-ping", [frame(TEXT, large) + close + frame(PING)], [(TEXT, large)], Closes())
    ten = [(TEXT, b"%d" % i) for i in range(10)]
    yield Case("ten-texts-then-close", [b"".join(frame(*message) for message in ten) + close], ten, Closes())
    yield broken("ten-texts-then-fault", [b"".join(frame(*message) for message in ten) + frame(3)], *ten)
    yield Case("begun-by-us-with-a-reason", [], [], Clean(4000, "reason"))


@cases(closing())
def test_close(examiner, case):
    examiner.run(case)


@cases(pings(), fail_fast(), closing())
def test_over_tls(tls_examiner, case):
    """The server ends TLS first as well; what was said before a Close or a fault is not cut off by our end of it."""
    tls_examiner.run(case)


# --- bulk ---

MIB = 1 << 20
# What takes minutes is for scripts/verify.
IS_LONG = bool(os.environ.get("WSPLEX_LONG"))


def large(kind, length):
    """Text has characters of every length, and ends with blanks, as it must not end within one."""
    if kind == BINARY:
        return os.urandom(length)
    text = "*µ€😀".encode()
    return (text * (length // len(text))).ljust(length)


def split(kind, length, size, chop=0):
    payload = large(kind, length)
    return echo("", [cut(kind, payload, size)], (kind, payload), chop=chop)


def many(n_messages):
    messages = [(TEXT, b"*" * (i % 300)) for i in range(n_messages)]
    return echo("", [b"".join(frame(*message) for message in messages)], *messages)


def bulk():
    """Name and maker of each case: all of them at once would be gigabytes."""
    for name, kind in KINDS.items():
        for n in (1, 16):
            yield f"{name}-of-{n}-MiB", lambda kind=kind, n=n: split(kind, n * MIB, n * MIB)
            yield f"{name}-of-{n}-MiB-in-64-KiB", lambda kind=kind, n=n: split(kind, n * MIB, 65536)
        yield f"{name}-in-frames-of-64", lambda kind=kind: split(kind, 1000000, 64)
        yield f"{name}-chopped", lambda kind=kind: split(kind, MIB, MIB, 2048)
        yield f"{name}-in-frames-chopped", lambda kind=kind: split(kind, MIB, 1024, 4096)
        for size in (1, 64, 256, 1000, 4096, 65536, MIB) if IS_LONG else ():
            n_bytes = min(size * 100000, 16 * MIB)
            yield f"{name}-in-frames-of-{size}-long", lambda kind=kind, n=n_bytes, size=size: split(kind, n, size)
        for chop in (1, 64, 997, 65536) if IS_LONG else ():
            n_bytes = min(chop * 100000, 16 * MIB)
            yield f"{name}-chopped-by-{chop}", lambda kind=kind, n=n_bytes, chop=chop: split(kind, n, n, chop)
            yield f"{name}-in-frames-chopped-by-{chop}", lambda kind=kind, n=n_bytes, chop=chop: split(
                kind, n, 1300, chop
            )
    yield "a-hundred-thousand-fragments", lambda: split(TEXT, 100000, 1)
    yield "one-byte-too-many", lambda: broken("", [cut(BINARY, bytes(16 * MIB + 1), MIB)], codes=(1009,))
    yield "two-thousand-messages", lambda: many(2000)
    if IS_LONG:
        yield "a-hundred-thousand-messages", lambda: many(100000)


BULK = dict(bulk())


@pytest.mark.parametrize("name", BULK)
def test_bulk(examiner, name):
    examiner.run(BULK[name]())


def test_round_trips(examiner):
    """Each message is sent when the one before has come back."""
    for kind in KINDS.values():
        for length in (0, 16, 64, 256, 1024, 4096, 16384, 65536):
            message, n_messages = (kind, of_length(kind, length)), 1000 if IS_LONG else 100
            sends = [part for i in range(n_messages) for part in (frame(*message), Until(i + 1))]
            examiner.run(echo(f"{length} bytes of {kind}", sends, *[message] * n_messages))


# --- masking (5.3) ---


def test_masking_keys(examiner):
    """A key for each frame, and nothing to be seen in them: no key twice, every bit set in about half of them."""
    n_messages = 1000
    (trial,) = examiner.run(echo("keys", [frame(TEXT, b"x") * n_messages], *[(TEXT, b"x")] * n_messages))
    keys = [int.from_bytes(key, "big") for key in trial.keys]
    assert len(set(keys)) >= len(keys) - 1  # two of a thousand may agree, once in ten thousand runs
    for bit in range(32):
        n_set = sum(key >> bit & 1 for key in keys)
        assert 350 < n_set < 650, (bit, n_set)  # nine standard deviations


# --- floods (5.5.3, 10.4) ---


def resident(pid):
    """Bytes."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def max_send_buffer():
    """Bytes that the kernel may hold for who writes to a connection."""
    with open("/proc/sys/net/ipv4/tcp_wmem", encoding="ascii") as file:
        return int(file.read().split()[2])


def flooded(examiner, script):
    """What the daemon has grown by while script(peer) runs, as the script tells it by calling its second argument."""
    grown = []
    before = resident(examiner.daemon.pid)

    def run(peer):
        peer.upgrade()
        script(peer, lambda: grown.append(resident(examiner.daemon.pid) - before))

    with RawServer(run) as raw:
        examiner.program.write(raw.url)
        event = examiner.program.out.wait(lambda line: raw.url in line and json.loads(line), "the close")[1]
    if not IS_SANITIZED:  # freed memory is held back there
        assert max(grown) < 4 * MIB
    return event


def test_a_flood_of_pings(examiner):
    """It reads no pong: pings are read on, those that cannot be answered are counted for nothing but the newest."""
    # Much more than the kernel holds of the pongs, for the daemon and for who does not read them.
    n_bytes, payload = max((2 if IS_SANITIZED else 40) * MIB, 2 * max_send_buffer()), b"p" * 100
    n_pings = n_bytes // len(frame(PING, payload))

    def flood(peer, measure):
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        for _ in range(n_pings // 1000):
            peer.raw(frame(PING, payload) * 1000)
            measure()
        peer.raw(frame(PING, b"newest"))
        n_pongs = 1
        while (got := peer.read_frame()) != (0x80 | PONG, b"newest"):
            assert got == (0x80 | PONG, payload)
            n_pongs += 1
        assert 1 < n_pongs < n_pings
        peer.raw(close_frame(1000))
        assert peer.read_close() == 1000

    event = flooded(examiner, flood)
    assert (event["clean"], event["code"], event["messages"]) == (True, 1000, 0)


def test_a_flood_of_pongs(examiner):
    """Nobody asked for them, and nobody answers them."""

    def flood(peer, measure):
        for _ in range(100):
            peer.raw(frame(PONG, b"unasked") * 1000)
            measure()
        peer.raw(close_frame(1000))
        assert peer.read_frame() == (0x80 | CLOSE, b"\x03\xe8")

    assert flooded(examiner, flood)["clean"]


def test_a_flood_of_fragments(examiner):
    """A message that never ends and never grows is over when it has more frames than any honest one."""

    def flood(peer, measure):
        peer.socket.settimeout(DEADLINE)
        peer.raw(frame(BINARY, b"", is_last=False))
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                peer.raw(frame(0, b"", is_last=False) * 1000)
                measure()
        assert peer.read_close() == 1009

    event = flooded(examiner, flood)
    assert (event["clean"], event["code"], event["messages"]) == (False, 1006, 0)
    assert "more frames" in event["error"]


def test_a_pong_does_not_wait_for_all_that_is_queued(examiner):
    """It overtakes what has not gone into the network's own buffers, message by message."""
    n_messages = 60

    def script(peer):
        peer.upgrade()
        for i in range(n_messages):
            peer.raw(frame(BINARY, bytes([i]) * MIB))
        peer.raw(frame(PING, b"now"))
        got = [peer.read_frame() for _ in range(n_messages + 1)]
        assert got.index((0x80 | PONG, b"now")) < n_messages - 20
        assert [payload[0] for head, payload in got if head == 0x80 | BINARY] == list(range(n_messages))
        peer.raw(close_frame(1000))
        assert peer.read_close() == 1000

    with RawServer(script) as raw:
        examiner.program.write(raw.url)
        event = examiner.program.out.wait(lambda line: raw.url in line and json.loads(line), "the close")[1]
    assert (event["clean"], event["messages"]) == (True, n_messages)
