# SPDX-License-Identifier: MIT
"""What a process has in its memory: everything a core file would hold, read while it runs."""

import pytest


def memory_of(pid):
    """The contents of all writable mappings, one after another."""
    pieces = []
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
            rows = [line.split(maxsplit=5) for line in maps]
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for span, rights, *_rest in rows:
                begin, end = (int(address, 16) for address in span.split("-"))
                if not rights.startswith("rw"):
                    continue
                memory.seek(begin)
                while begin < end and (piece := memory.read(end - begin)):
                    pieces.append(piece)
                    begin += len(piece)
    except PermissionError:
        pytest.skip("this user may not read the daemon's memory")
    return b"".join(pieces)


def found_in(pid, words):
    """Those of the words (bytes) that stand somewhere in the memory of the process."""
    memory = memory_of(pid)
    return [word for word in words if word in memory]
