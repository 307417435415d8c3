#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the linker sees: arrows that no #include shows, and what is exported."""

import os
import re
import tempfile

from lint import Skip, main, output, without_comments

# All that proto's base may ask of libc: memory, strings, integers.
LIBC_MEMORY = {
    "malloc", "calloc", "realloc", "reallocarray", "free",
    "memchr", "memcmp", "memcpy", "memmem", "memmove", "memrchr", "memset",
    "strchr", "strcmp", "strdup", "strlen", "strncmp", "strndup", "strnlen", "strrchr",
    "strstr", "strcasecmp", "strncasecmp", "strspn", "strcspn", "strtol", "strtoul", "strtoull",
    "snprintf", "vsnprintf", "qsort", "bsearch", "abort", "explicit_bzero",
}  # fmt: skip

# What the compiler and its flags add: assert, the stack protector, position independence.
COMPILER = {"__assert_fail", "__stack_chk_fail", "__ctype_b_loc", "_GLOBAL_OFFSET_TABLE_"}

# What the stripped libwsplex.so may weigh.
MAX_LIBRARY = 65536

# zlib, as permessage-deflate uses it.
ZLIB = {
    "deflate", "deflateEnd", "deflateInit2_", "deflateReset", "deflateParams", "deflateBound",
    "inflate", "inflateEnd", "inflateGetDictionary", "inflateInit2_", "inflateReset",
    "inflateReset2", "inflateSetDictionary",
}  # fmt: skip


def archive(tree, library):
    """The path of a convenience library's archive."""
    if tree.listed(f"lib{library}_la_SOURCES") is None:
        raise Skip(f"lib{library} has no source yet")
    return tree.built(f".libs/lib{library}.a")


def symbols(path, *options):
    """(name, letter of nm) of each symbol."""
    text, _ = output("nm", "--format=posix", *options, path)
    rows = (line.split() for line in text.splitlines())
    return [(row[0], row[1]) for row in rows if len(row) >= 2 and len(row[1]) == 1]


def undefined(path):
    own = {name for name, letter in symbols(path) if letter not in "Uvw"}
    return sorted({name for name, letter in symbols(path) if letter == "U"} - own)


def plain(name):
    """The function behind the name that _FORTIFY_SOURCE or a C standard's variant gives it."""
    fortified = re.fullmatch(r"__(\w+)_chk", name)
    variant = re.fullmatch(r"__isoc\d+_(\w+)", name)
    return (fortified or variant or {1: name})[1]


def foreign(path, allowed):
    return [
        f"{path.rsplit('/', 1)[1]}: needs {name}"
        for name in undefined(path)
        if name not in COMPILER and plain(name) not in allowed
    ]


def base_needs_memory_only(tree):
    """libwspbase asks libc for memory, strings and integers only."""
    return foreign(archive(tree, "wspbase"), LIBC_MEMORY)


def websocket_adds_zlib_only(tree):
    """libwspwebsocket asks for the base's symbols and zlib only."""
    path = archive(tree, "wspwebsocket")
    base = {name for name, _ in symbols(archive(tree, "wspbase"), "--defined-only", "-g")}
    return foreign(path, LIBC_MEMORY | ZLIB | base)


def prefixes(tree):
    """Linker names of proto and client-lib begin with wsp_ or wsplex_."""
    problems = []
    for library in ("wspbase", "wspwebsocket", "wspclient"):
        try:
            path = archive(tree, library)
        except Skip:
            continue
        for name, _ in symbols(path, "--defined-only", "-g"):
            if not name.startswith(("wsp_", "wsplex_")):
                problems.append(f"lib{library}: defines {name}")
    return problems


def no_global_state(tree):
    """No room has a variable that the linker or another call can see changing."""
    problems = []
    for library in ("wspbase", "wspwebsocket", "wspclient", "policy", "glue"):
        try:
            path = archive(tree, library)
        except Skip:
            continue
        # Small letters are local to a file: proto, client-lib and policy have none of those either.
        letters = "BCDG" if library == "glue" else "BCDGbdg"
        for name, letter in symbols(path, "--defined-only"):
            # Constant tables of pointers are relocated and then read-only: nm shows them as data.
            if letter in letters and not is_relocated_constant(path, name):
                problems.append(f"lib{library}: {name} is a variable")
    return problems


def is_relocated_constant(path, name):
    text, _ = output("objdump", "-t", path)
    pattern = re.compile(rf"\s\.data\.rel\.ro\S*\s+[0-9a-f]+\s+(\.hidden )?{re.escape(name)}$")
    return any(pattern.search(line) for line in text.splitlines())


def shared_library(tree):
    if tree.listed("libwsplex_la_SOURCES") is None:
        raise Skip("libwsplex has no source yet")
    return tree.built(".libs/libwsplex.so")


def library_needs_libc_only(tree):
    """libwsplex.so needs libc.so.6 alone."""
    path = shared_library(tree)
    text, _ = output("readelf", "-dW", path)
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", text)
    problems = [f"libwsplex.so: needs {name}" for name in needed if name != "libc.so.6"]
    for name, letter in symbols(path, "-D"):
        if letter == "U" and "@GLIBC_" not in name:
            problems.append(f"libwsplex.so: {name} is not libc's")
    return problems


def mapped_names(tree):
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", tree.text("client-lib/libwsplex.map"), flags=re.DOTALL)
    return set(re.findall(r"\b(wsplex_\w+)\s*;", text))


def declared_names(tree):
    text = without_comments(tree.text("client-lib/wsplex.h"))
    text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.MULTILINE)
    return set(re.findall(r"\b(wsplex_\w+)\s*\(", text))


def exports_are_the_header(tree):
    """libwsplex.so exports what wsplex.h declares and libwsplex.map lists, no more and no less."""
    path = shared_library(tree)
    exported = {
        name.split("@")[0] for name, letter in symbols(path, "-D", "--defined-only") if letter != "A"
    }
    mapped, declared = mapped_names(tree), declared_names(tree)
    problems = [f"libwsplex.map: lacks {name} of wsplex.h" for name in sorted(declared - mapped)]
    problems += [f"libwsplex.map: {name} is not in wsplex.h" for name in sorted(mapped - declared)]
    problems += [f"libwsplex.so: does not export {name}" for name in sorted(mapped - exported)]
    problems += [f"libwsplex.so: exports {name}" for name in sorted(exported - mapped)]
    return problems


def library_is_small(tree):
    """libwsplex.so is under 64 KiB when stripped."""
    library = shared_library(tree)
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "libwsplex.so")
        text, done = output("strip", "-o", stripped, library)
        if not done:
            return [f"libwsplex.so: {text.strip()}"]
        size = os.path.getsize(stripped)
    return [f"libwsplex.so: {size} bytes"] if size >= MAX_LIBRARY else []


RULES = [
    base_needs_memory_only,
    websocket_adds_zlib_only,
    prefixes,
    no_global_state,
    library_needs_libc_only,
    exports_are_the_header,
    library_is_small,
]
main(__name__, RULES)
