# SPDX-License-Identifier: MIT
"""What a process has in its memory: everything a core file would hold, read while it runs."""

import array
import itertools
import resource

import pytest

PAGE = resource.getpagesize()
IN_MEMORY = 3 << 62  # of an entry of /proc/PID/pagemap: present, or swapped out

# Of the daemon's own mappings none is nearly so long; a sanitizer's shadow is, and it holds no data.
MAX_MAPPING = 1 << 36


def _used(pagemap, begin, end):
    """The parts of a mapping that were ever written."""
    pagemap.seek(begin // PAGE * 8)
    entries = array.array("Q", pagemap.read((end - begin) // PAGE * 8))
    for is_used, run in itertools.groupby(entries, lambda entry: entry & IN_MEMORY != 0):
        length = sum(1 for _ in run) * PAGE
        if is_used:
            yield begin, length
        begin += length


def memory_of(pid):
    """The contents of all writable mappings, one after another."""
    pieces = []
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
            rows = [line.split(maxsplit=2) for line in maps]
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
            for span, rights, _rest in rows:
                begin, end = (int(address, 16) for address in span.split("-"))
                if not rights.startswith("rw") or end - begin > MAX_MAPPING:
                    continue
                for at, length in _used(pagemap, begin, end):
                    memory.seek(at)
                    pieces.append(memory.read(length))
    except PermissionError:
        pytest.skip("this user may not read the daemon's memory")
    return b"".join(pieces)


def found_in(pid, words):
    """Those of the words (bytes) that stand somewhere in the memory of the process."""
    memory = memory_of(pid)
    return [word for word in words if word in memory]
