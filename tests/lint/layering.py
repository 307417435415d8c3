#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Arrows point one way: who may include what."""

import re

from lint import main

# Of the system, proto sees memory, numbers and strings only.
MEMORY_HEADERS = {
    "assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h",
    "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
}  # fmt: skip

# The libraries that only some rooms may know, by the beginning of their headers' names.
LIBRARIES = ("event2/", "event.h", "openssl/", "systemd/", "ares", "zlib.h", "idn2.h",
             "confuse.h", "jansson.h", "check.h", "glib", "readline/")  # fmt: skip


def includes(tree, name):
    """(line number, "quoted" or "system", path) of each #include."""
    pattern = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
    for number, line in enumerate(tree.text(name).splitlines(), 1):
        match = pattern.match(line)
        if match:
            yield number, "quoted" if match[1] == '"' else "system", match[2]


def offenders(tree, names, forbids):
    """A problem for each include of the files for which forbids(file, kind, path) gives a reason."""
    problems = []
    for name in names:
        for number, kind, path in includes(tree, name):
            reason = forbids(name, kind, path)
            if reason:
                problems.append(f"{name}:{number}: {path}: {reason}")
    return problems


def sources(tree, room):
    return tree.files(".c", ".h", ".def", rooms=(room,))


def is_library(path):
    return path.startswith(LIBRARIES)


def quoted_from_root(tree):
    """Quoted includes are written from the root of the tree."""

    def forbids(_, kind, path):
        if kind == "quoted" and path != "config.h" and "/" not in path:
            return "has no room before it"
        if kind == "quoted" and ".." in path:
            return "climbs"
        return None

    return offenders(tree, tree.files(".c", ".h"), forbids)


def proto_knows_memory_only(tree):
    """proto includes proto and memory headers; only its websocket room adds zlib."""

    def forbids(name, kind, path):
        if kind == "quoted":
            if not path.startswith("proto/"):
                return "proto knows nobody else"
            if path.startswith("proto/websocket/") and not name.startswith("proto/websocket/"):
                return "proto's base does not know its websocket room"
            return None
        if path == "zlib.h" and name.startswith("proto/websocket/"):
            return None
        return None if path in MEMORY_HEADERS else "proto touches only memory"

    return offenders(tree, sources(tree, "proto"), forbids)


def client_knows_base_and_libc(tree):
    """client-lib includes itself, proto's base and libc; only its adapters know a loop."""

    def forbids(name, kind, path):
        if kind == "quoted":
            if path.startswith("proto/websocket/"):
                return "the client library does not speak to servers"
            own = path == "config.h" or path.startswith(("client-lib/", "proto/"))
            return None if own else "client-lib knows proto's base only"
        if is_library(path) and not name.startswith("client-lib/adapters/"):
            return "the client library needs libc alone"
        return None

    return offenders(tree, sources(tree, "client-lib"), forbids)


def public_header_stands_alone(tree):
    """wsplex.h includes no header of the tree."""

    def forbids(_, kind, __):
        return "an installed header cannot find it" if kind == "quoted" else None

    names = [n for n in sources(tree, "client-lib") if n == "client-lib/wsplex.h"]
    return offenders(tree, names, forbids)


def daemon_knows_proto(tree):
    """daemon includes itself and proto, never client-lib or ctl."""

    def forbids(_, kind, path):
        own = path == "config.h" or path.startswith(("daemon/", "proto/"))
        return "daemon knows proto only" if kind == "quoted" and not own else None

    return offenders(tree, sources(tree, "daemon"), forbids)


def policy_knows_no_glue(tree):
    """Policy files include no library, no socket and no header of the glue."""
    policy = set(tree.listed("libpolicy_la_SOURCES") or ())

    def forbids(_, kind, path):
        if kind == "quoted" and path.startswith("daemon/") and path not in policy:
            return "a policy file includes glue (not in libpolicy_la_SOURCES)"
        if kind == "system" and is_library(path):
            return "policy knows no library"
        if kind == "system" and path in ("sys/socket.h", "sys/un.h", "netinet/in.h", "poll.h"):
            return "policy does no I/O"
        return None

    return offenders(tree, sorted(n for n in policy if n.endswith((".c", ".h"))), forbids)


def loop_belongs_to_glue(tree):
    """Only the daemon's glue knows libevent."""
    glue = set(tree.listed("libglue_la_SOURCES") or ()) | {"daemon/main.c"}

    def forbids(name, kind, path):
        is_event = kind == "system" and path.startswith(("event2/", "event.h"))
        return "not a file of the glue" if is_event and name not in glue else None

    names = [n for room in ("proto", "daemon", "ctl") for n in sources(tree, room)]
    return offenders(tree, names, forbids)


def ctl_knows_proto_and_client(tree):
    """ctl includes itself, proto and client-lib, never daemon."""

    def forbids(_, kind, path):
        own = path == "config.h" or path.startswith(("ctl/", "proto/", "client-lib/"))
        return "ctl knows proto and client-lib only" if kind == "quoted" and not own else None

    return offenders(tree, sources(tree, "ctl"), forbids)


RULES = [
    quoted_from_root,
    proto_knows_memory_only,
    client_knows_base_and_libc,
    public_header_stands_alone,
    daemon_knows_proto,
    policy_knows_no_glue,
    loop_belongs_to_glue,
    ctl_knows_proto_and_client,
]
main(__name__, RULES)
