#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The texts themselves: form, words, scripts and manual pages."""

import os
import re

from lint import ROOMS, main, need, output, without_comments

MAX_LINES = 600
# The public header is a manual as well, and there is to be only one.
MAX_LINES_OF = {"client-lib/wsplex.h": 700}
MAX_TEST_LINES = 800  # a list of cases is read one case at a time
C = (".c", ".h")
EVERYWHERE = (*ROOMS, "scripts", "systemd", "doc", ".ci")
AT_ROOT = ("Makefile.am", "configure.ac", "bootstrap", "README.md", "CONTRIBUTING.md",
           "SECURITY.md", "NEWS")  # fmt: skip

# Right where they stand: a macro of manual pages, a header of HTTP.
WORDS = ("nd", "te")

# What has no bound, is not safe to call again, or hides an error; and what the house does instead.
BANNED = {
    "strcpy": "memcpy with a length", "strcat": "a wsp_buffer", "sprintf": "snprintf",
    "vsprintf": "vsnprintf", "gets": "fgets", "strtok": "strcspn", "atoi": "strtol",
    "atol": "strtol", "alloca": "a bounded array", "localtime": "localtime_r",
    "gmtime": "gmtime_r", "strerror_r": "strerrordesc_np",
}  # fmt: skip


def at_root(tree):
    return [name for name in AT_ROOT if os.path.exists(tree.path(name))]


def scripts(tree, *interpreters):
    """Files anywhere whose first line names one of the interpreters."""
    found = []
    for name in [*tree.files("", rooms=EVERYWHERE), *at_root(tree)]:
        with open(tree.path(name), "rb") as file:
            first = file.readline()
        words = first[2:].split() if first.startswith(b"#!") else []
        if words and os.path.basename(words[0].decode()) in interpreters:
            found.append(name)
    return found


def formatted(tree):
    """C is formatted as .clang-format says."""
    need("clang-format")
    text, _ = output("clang-format", "--dry-run", "-Werror", *tree.files(*C), cwd=tree.source)
    return sorted({line.split(" error:")[0] for line in text.splitlines() if " error:" in line})


def licensed(tree):
    """Every source says under which licence it is."""
    sources = tree.files(*C, ".def", ".py")
    sources += scripts(tree, "sh", "bash") + ["Makefile.am", "configure.ac"]
    # The line ends the comment at the head of a C file, however long that is.
    return [
        f"{name}: no SPDX-License-Identifier: MIT in its head"
        for name in sources
        if "SPDX-License-Identifier: MIT" not in tree.text(name).split("*/")[0]
    ]


def short_enough(tree):
    """No file has more than 600 lines, no test more than 800."""
    problems = []
    for name in tree.files(*C, ".py") + tree.files("", rooms=("scripts",)):
        lines = tree.text(name).count("\n")
        limit = MAX_TEST_LINES if name.startswith("tests/") else MAX_LINES
        if lines > MAX_LINES_OF.get(name, limit):
            problems.append(f"{name}: {lines} lines")
    return problems


def clean_lines(tree):
    """No tab in C, no space at an end of line, a newline at the end of a file."""
    problems = []
    for name in tree.files(*C, ".py", ".md", ".def") + at_root(tree):
        text = tree.text(name)
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip() or ("\t" in line and name.endswith(C)):
                problems.append(f"{name}:{number}: stray white space")
        if text and not text.endswith("\n"):
            problems.append(f"{name}: does not end with a newline")
    return problems


def no_extern(tree):
    """No extern: a variable has one owner, and a function needs no such word."""
    problems = []
    for name in tree.files(*C):
        # The names in front of a brace are those of the language, as in extern "C" {.
        for number, line in enumerate(without_comments(tree.text(name)).splitlines(), 1):
            if re.match(r'\s*extern\b(?!\s*"")', line):
                problems.append(f"{name}:{number}: extern")
    return problems


def nothing_banned(tree):
    """Outside of tests, no function without a bound; no cleanup attribute."""
    pattern = re.compile(rf"(?<![\w.>])({'|'.join(BANNED)})\s*\(")
    problems = []
    for name in tree.files(*C):
        for number, line in enumerate(without_comments(tree.text(name)).splitlines(), 1):
            for word in [] if name.startswith("tests/") else pattern.findall(line):
                problems.append(f"{name}:{number}: {word}(): use {BANNED[word]}")
            if re.search(r"__attribute__\s*\(\(\s*_*cleanup", line):
                problems.append(f"{name}:{number}: constructors clean up with goto")
    return problems


def nothing_unfinished(tree):
    """No mark of unfinished work."""
    # Written in halves, so that this file passes.
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    problems = []
    for name in tree.files(*C, ".py", ".md", ".def", ".in", rooms=EVERYWHERE) + at_root(tree):
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            if pattern.search(line):
                problems.append(f"{name}:{number}: {line.strip()}")
    return problems


def spelled(tree):
    """codespell finds no misspelt word."""
    need("codespell")
    names = tree.files(*C, ".py", ".md", ".def", ".in", ".1", ".3", ".5", ".7", ".8", rooms=EVERYWHERE)
    names = sorted({*names, *scripts(tree, "sh", "bash"), *at_root(tree)})
    # What a test feeds is cut anywhere: its strings are no words.
    fed = [name for name in names if name.startswith("tests/")]
    told = [name for name in names if not name.startswith("tests/")]
    problems = []
    for options, group in ((("--ignore-regex", '"[^"]*"'), fed), ((), told)):
        if group:
            text, _ = output("codespell", "-L", ",".join(WORDS), *options, *group, cwd=tree.source)
            problems += [line for line in text.splitlines() if "==>" in line]
    return problems


def shells_checked(tree):
    """shellcheck has nothing to say about a script."""
    need("shellcheck")
    names = scripts(tree, "sh", "bash")
    text, done = output("shellcheck", "-x", "--format=gcc", *names, cwd=tree.source)
    return [] if done else text.splitlines()


def pythons_compile(tree):
    """Every Python file compiles."""
    problems = []
    for name in {*tree.files(".py"), *scripts(tree, "python3")}:
        try:
            compile(tree.text(name), name, "exec")
        except SyntaxError as error:
            problems.append(f"{name}:{error.lineno}: {error.msg}")
    return sorted(problems)


def manuals_checked(tree):
    """mandoc has nothing to say about a manual page."""
    need("mandoc")
    rooms = [room for room in EVERYWHERE if room != "tests"]
    pages = [n for n in tree.files(".1", ".3", ".5", ".7", ".8", rooms=rooms)]
    problems = []
    for page in pages:
        text, done = output("mandoc", "-T", "lint", "-W", "warning", page, cwd=tree.source)
        if not done:
            problems += [line.removeprefix("mandoc: ") for line in text.splitlines()]
    return problems


RULES = [
    formatted,
    licensed,
    short_enough,
    clean_lines,
    no_extern,
    nothing_banned,
    nothing_unfinished,
    spelled,
    shells_checked,
    pythons_compile,
    manuals_checked,
]
main(__name__, RULES)
