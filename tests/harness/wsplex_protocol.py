# SPDX-License-Identifier: MIT
"""The bytes of wsplexd's local protocol in Python, written from proto/PROTOCOL.md and nothing else.

Frames and their fields, and a Reader that takes frames out of a stream. wsplex_client.py speaks
with them.
"""

import dataclasses
import enum
import struct
import types

MAGIC = b"WSPLEX1\n"
MINOR = 0
MAX_PAYLOAD = 65536
INITIAL_CREDIT = 65548
INITIAL_CHANNELS = 16
MORE = 1
MUST_UNDERSTAND = 2
HEADER = struct.Struct("<IBBHI")

# Section 5 of PROTOCOL.md: type, name, who sends it, channel, flag, fields.
FRAMES = """
| 0x01 | HELLO | both | 0 |  | u16 minor, u32 max_channels, str software, list extensions |
| 0x02 | ERROR | daemon | 0 |  | u16 code, u8 frame_type, u32 frame_channel, str text |
| 0x10 | OPEN | client | its own |  | u8 sharing, str url, list protocols, pairs headers, pairs options, optional epoch resume_epoch, optional u64 resume_after |
| 0x11 | OPENED | daemon | its own |  | str protocol, str extensions, epoch epoch, u64 next_number, u64 max_message, optional u64 live_number, optional u8 denied |
| 0x12 | CLOSE | client | its own |  | u16 code, flag discard, str reason |
| 0x13 | CLOSING | daemon | its own |  | optional flag is_shutdown |
| 0x14 | FAILED | daemon | its own |  | u16 cause, u16 http_status, str text, optional u32 retry_after, optional str excerpt |
| 0x15 | CLOSED | daemon | its own |  | flag was_clean, u16 code, str reason, optional flag is_shutdown |
| 0x16 | RELEASE | client | its own |  |  |
| 0x20 | TEXT | both | its own | MORE | rest payload |
| 0x21 | BINARY | both | its own | MORE | rest payload |
| 0x22 | ABORT | both | its own |  |  |
| 0x23 | CREDIT | both | its own |  | u64 total |
| 0x24 | SENT | daemon | its own |  | u64 total, optional u64 messages |
| 0x25 | GAP | daemon | its own |  | u8 reason, flag is_counted, u64 count, epoch epoch, u64 next_number |
| 0x26 | INTERRUPTED | daemon | its own |  | u16 cause, u16 http_status, str text, u32 retry_after |
| 0x27 | RESUMED | daemon | its own |  | str extensions |
| 0x28 | UNSENT | daemon | its own |  | u64 messages, u64 bytes |
| 0x29 | POSITION | daemon | its own |  | u64 next_number |
| 0x2a | SUBSCRIBE | client | its own |  | str on_connect, str on_leave |
| 0x2b | UNSUBSCRIBE | client | its own |  | str on_connect |
| 0x30 | REQUEST | client | 0 |  | u32 id, str verb, list arguments |
| 0x31 | REPLY | daemon | 0 | MORE | u32 id, u16 status, rest json |
"""

# Section 8 of PROTOCOL.md.
FATALS = {
    1: "bad-magic", 2: "bad-header", 3: "too-long", 4: "no-hello", 5: "not-understood",
    6: "wrong-direction", 7: "bad-payload", 8: "bad-channel", 9: "unknown-channel",
    10: "channel-in-use", 11: "out-of-turn", 12: "over-credit", 13: "too-many-channels",
    32: "access", 33: "quota", 34: "timeout", 35: "too-slow", 36: "kicked", 37: "shutdown",
    38: "internal",
}  # fmt: skip
CAUSES = {
    1: "url", 2: "subprotocol", 3: "header", 4: "option", 5: "conflict", 6: "no-endpoint",
    7: "access", 8: "quota", 9: "destination", 10: "receive-only", 16: "resolve", 17: "connect", 18: "tls", 19: "handshake",
    20: "timeout", 21: "cancelled", 22: "proxy", 23: "credential", 32: "protocol", 33: "lost", 34: "slow-consumer", 35: "too-big",
    36: "shutdown", 37: "internal", 38: "server-closed", 39: "planned",
}  # fmt: skip
STATUSES = {
    0: "ok", 1: "unknown-verb", 2: "bad-argument", 3: "access", 4: "not-found", 5: "busy",
    6: "failed", 7: "internal",
}  # fmt: skip
GAPS = {1: "slow-consumer", 2: "not-kept", 3: "reconnected", 4: "unknown-epoch"}
DENIED_SEND = 1
DENIED_RECEIVE = 2
SHARINGS = {"default": 0, "private": 1, "shared": 2}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table of frames."""

    number: int
    name: str
    sender: str
    has_channel: bool
    has_pieces: bool
    fields: tuple  # of (kind, name)
    optional: frozenset  # the names of those that may be missing at the end


def _read_rows(table):
    for line in table.strip().splitlines():
        cells = (cell.strip() for cell in line[1:-1].split("|"))
        number, name, sender, channel, flag, fields = cells
        words = [field.split() for field in fields.split(", ") if field]
        yield Row(
            int(number, 16), name, sender, channel != "0", flag == "MORE",
            tuple((kind, name) for *_, kind, name in words),
            frozenset(field[-1] for field in words if field[0] == "optional"),
        )  # fmt: skip


ROWS = {row.number: row for row in _read_rows(FRAMES)}
Type = enum.IntEnum("Type", {row.name: number for number, row in ROWS.items()})


class ProtocolError(Exception):
    """The other side broke the protocol."""


# --- frames as bytes ---


def _take(data, length):
    if len(data) < length:
        raise ProtocolError("a field runs over the end of its frame")
    return data[:length], data[length:]


def _take_number(data, length):
    taken, data = _take(data, length)
    return int.from_bytes(taken, "little"), data


def _take_str(data):
    length, data = _take_number(data, 2)
    taken, data = _take(data, length)
    try:
        return taken.decode("utf-8"), data
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a text is not UTF-8: {taken!r}") from error


def _take_field(kind, data):
    if kind in ("u8", "u16", "u32", "u64"):
        return _take_number(data, int(kind[1:]) // 8)
    if kind == "flag":
        value, data = _take_number(data, 1)
        if value > 1:
            raise ProtocolError(f"a flag is {value}")
        return bool(value), data
    if kind == "epoch":
        return _take(data, 16)
    if kind == "str":
        return _take_str(data)
    if kind == "rest":
        return data, b""
    length, data = _take_number(data, 4)
    rest, data = _take(data, length)
    items = []
    while rest:
        item, rest = _take_str(rest)
        items.append(item)
    if kind == "list":
        return items, data
    if len(items) % 2 != 0:
        raise ProtocolError("a name without a value")
    return list(zip(items[::2], items[1::2])), data


def _put_str(text):
    data = text.encode("utf-8")
    return struct.pack("<H", len(data)) + data


def _put_field(kind, value):
    if kind in ("u8", "u16", "u32", "u64"):
        return int(value).to_bytes(int(kind[1:]) // 8, "little")
    if kind == "flag":
        return bytes([bool(value)])
    if kind in ("epoch", "rest"):
        return bytes(value)
    if kind == "str":
        return _put_str(value)
    if kind == "pairs":
        value = [text for pair in value for text in pair]
    data = b"".join(_put_str(text) for text in value)
    return struct.pack("<I", len(data)) + data


_EMPTY = {"epoch": bytes(16), "str": "", "list": (), "pairs": (), "rest": b""}


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame as it is on the wire: numbers of the header, and the payload's bytes."""

    type: int
    channel: int = 0
    flags: int = 0
    payload: bytes = b""

    @property
    def name(self):
        return ROWS[self.type].name if self.type in ROWS else f"0x{self.type:02x}"

    @property
    def has_more(self):
        return bool(self.flags & MORE)

    def fields(self):
        """The fields as attributes; what is behind them is ignored, what is optional may be missing."""
        data = self.payload
        values = {}
        row = ROWS[self.type]
        for kind, name in row.fields:
            if not data and name in row.optional:
                values[name] = _EMPTY.get(kind, 0)
            else:
                values[name], data = _take_field(kind, data)
        return types.SimpleNamespace(**values)

    def to_bytes(self):
        header = HEADER.pack(len(self.payload), self.type, self.flags, 0, self.channel)
        return header + self.payload


def make_frame(frame_type, /, channel=0, flags=0, **fields):
    """A frame from its fields by name; those that are not given are 0 or empty."""
    row = ROWS[frame_type]
    unknown = set(fields) - {name for _, name in row.fields}
    if unknown:
        raise TypeError(f"{row.name} has no field {', '.join(sorted(unknown))}")
    payload = b"".join(
        _put_field(kind, fields.get(name, _EMPTY.get(kind, 0))) for kind, name in row.fields
    )
    return Frame(frame_type, channel, flags, payload)


class Reader:
    """Takes magic and frames out of bytes that come in pieces."""

    def __init__(self):
        self._data = bytearray()
        self._has_magic = False

    def feed(self, data):
        self._data += data

    def next(self):
        """The next frame, or None if it is not whole yet."""
        if not self._has_magic:
            start = bytes(self._data[: len(MAGIC)])
            if not MAGIC.startswith(start):
                raise ProtocolError(f"this is not wsplexd, or another version: {start!r}")
            if len(start) < len(MAGIC):
                return None
            del self._data[: len(MAGIC)]
            self._has_magic = True
        if len(self._data) < HEADER.size:
            return None
        length, frame_type, flags, zero, channel = HEADER.unpack_from(self._data)
        if length > MAX_PAYLOAD or zero != 0 or flags & ~(MORE | MUST_UNDERSTAND):
            raise ProtocolError(f"bad header {bytes(self._data[:HEADER.size]).hex(' ')}")
        if len(self._data) < HEADER.size + length:
            return None
        payload = bytes(self._data[HEADER.size : HEADER.size + length])
        del self._data[: HEADER.size + length]
        return Frame(frame_type, channel, flags, payload)
