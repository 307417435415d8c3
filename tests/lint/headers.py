#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Each header compiles alone; the public one in strict C11 and in C++ as well."""

import os
import shlex

from lint import Skip, main, output

WARNINGS = ["-Wall", "-Wextra", "-Werror"]

# A header of an adapter needs its loop's own headers; without those it cannot be compiled.
ADAPTER_MODULES = {"libevent": "libevent_core", "glib": "glib-2.0", "sd-event": "libsystemd"}


def compile_alone(tree, compiler, language, options, header):
    text, done = output(
        *shlex.split(compiler), "-fsyntax-only", *WARNINGS, *options, f"-I{tree.source}",
        "-x", language, "-", input=f'#include "{header}"\n', cwd=tree.source,
    )  # fmt: skip
    return [] if done else [f"{header}: {line}" for line in text.splitlines()[:5]]


def adapter_flags(header):
    """The include flags of an adapter's loop; None when that is not installed."""
    stem = os.path.splitext(os.path.basename(header))[0]
    for loop, module in ADAPTER_MODULES.items():
        if loop in stem:
            text, done = output("pkg-config", "--cflags", module)
            return shlex.split(text) if done else None
    return []


def alone_in_c(tree):
    """Every header compiles alone in C11."""
    compiler = os.environ.get("CC", "cc")
    problems = []
    for header in tree.files(".h"):
        flags = adapter_flags(header) if "/adapters/" in header else []
        if flags is not None:
            if "/adapters/" in header:
                flags = [*flags, f"-I{tree.path('client-lib')}"]  # as installed: <wsplex.h>
            options = ["-std=gnu11", "-D_GNU_SOURCE", "-Wstrict-prototypes", *flags]
            problems += compile_alone(tree, compiler, "c", options, header)
    return problems


def public_header(tree):
    header = "client-lib/wsplex.h"
    if not os.path.exists(tree.path(header)):
        raise Skip(f"no {header} yet")
    return header


def public_in_strict_c(tree):
    """wsplex.h compiles in pedantic C11 without any feature macro."""
    options = ["-std=c11", "-pedantic", "-Wstrict-prototypes"]
    return compile_alone(tree, os.environ.get("CC", "cc"), "c", options, public_header(tree))


def public_in_cxx(tree):
    """wsplex.h compiles in pedantic C++11."""
    options = ["-std=c++11", "-pedantic"]
    return compile_alone(tree, "c++", "c++", options, public_header(tree))


RULES = [alone_in_c, public_in_strict_c, public_in_cxx]
main(__name__, RULES)
