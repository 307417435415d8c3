#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Documents say what the code says: files that they name, verbs and options."""

import os
import re

from lint import ROOMS, main

FOLDERS = (*ROOMS, "systemd", "scripts", "doc")


def pages(tree):
    """The documents in Markdown, from the root of the tree."""
    names = [name for name in os.listdir(tree.source) if name.endswith(".md")]
    return sorted(names) + tree.files(".md", rooms=("doc", "proto"))


def text_of(tree, name):
    return tree.text(name) if os.path.exists(tree.path(name)) else ""


def named_files_exist(tree):
    """A file that a document names is there; daemon/share is daemon/share.c."""
    pattern = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w")
    problems = []
    for page in pages(tree):
        for number, line in enumerate(tree.text(page).splitlines(), 1):
            for path in pattern.findall(line):
                if not any(os.path.exists(tree.path(path + end)) for end in ("", ".c", ".h")):
                    problems.append(f"{page}:{number}: {path} does not exist")
    return problems


def compare(page, what, in_code, in_page):
    return [f"{page}: {what} {name} is missing" for name in sorted(in_code - in_page)] + [
        f"{page}: there is no {what} {name}" for name in sorted(in_page - in_code)
    ]


def verbs_documented(tree):
    """wsplexctl(1) has each verb and each option of wsplexctl, and no other."""
    page = "doc/wsplexctl.1"
    manual = text_of(tree, page)
    code = "".join(tree.text(name) for name in tree.files(".c", rooms=("ctl",)))
    table = re.search(r"\bverbs\[\] = \{(.*?)^\};", text_of(tree, "ctl/main.c"), re.S | re.M)
    verbs = set(re.findall(r'^    \{"([\w-]+)", "', table[1], re.M)) if table else set()
    options = set(re.findall(r'\{"([\w-]+)", (?:no|required)_argument', code))
    return compare(page, "verb", verbs, set(re.findall(r"^\.It Cm ([\w-]+)", manual, re.M))) + compare(
        page, "option", options, set(re.findall(r"^\.It .*?Fl Fl ([\w-]+)", manual, re.M))
    )


def daemon_documented(tree):
    """wsplexd(8) has each option of wsplexd, and no other."""
    page = "doc/wsplexd.8"
    manual = text_of(tree, page)
    options = set(re.findall(r'^    \{"([\w-]+)", FLAG_', text_of(tree, "daemon/main.c"), re.M))
    return compare(page, "option", options, set(re.findall(r"^\.It Fl -([\w-]+)", manual, re.M)))


CONFORMANCE = "doc/conformance.md"
TEST_NAMED = re.compile(r"`(tests/[\w./-]+)(: |::)(\w+)`")


def defines_test(tree, path, name):
    """A test of that name stands in the file, in the way of its language."""
    form = rf"^START_TEST\({name}\)" if path.endswith(".c") else rf"^ *(async )?def {name}\("
    return re.search(form, text_of(tree, path), re.M) is not None


def rows_of(page):
    """Line number and cells of each row of the page's tables, without their heads."""
    lines = page.splitlines()
    for number, line in enumerate(lines, 1):
        is_ruler = line.startswith("| ---")
        is_head = number < len(lines) and lines[number].startswith("| ---")
        if line.startswith("|") and not is_ruler and not is_head:
            yield number, [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def clauses_have_tests(tree):
    """Each clause in doc/conformance.md names tests that exist, or says why it has none."""
    page = text_of(tree, CONFORMANCE)
    problems = []
    for number, cells in rows_of(page):
        named = TEST_NAMED.findall(cells[-1])
        if len(cells) != 3 or not all(cells):
            problems.append(f"{CONFORMANCE}:{number}: not a section, a demand and what shows it")
        elif not named and not cells[-1].startswith("— "):
            problems.append(f"{CONFORMANCE}:{number}: neither a test nor a reason")
        elif cells[-1].count("`tests/") != len(named):
            problems.append(f"{CONFORMANCE}:{number}: a test is not named as file.c: name or file.py::name")
        for path, _, name in named:
            if not defines_test(tree, path, name):
                problems.append(f"{CONFORMANCE}:{number}: there is no test {name} in {path}")
    return problems


INTEROP = "doc/interop.md"


def servers_documented(tree):
    """doc/interop.md has each server of the interop tests, and no other; the tests that it names exist."""
    page = text_of(tree, INTEROP)
    servers = set(re.findall(r'^    "([\w-]+)": Row\(', text_of(tree, "tests/harness/foreign.py"), re.M))
    tests = TEST_NAMED.findall(page)
    rows = {cells[0] for _, cells in rows_of(page) if not TEST_NAMED.search(cells[-1])}
    return compare(INTEROP, "server", servers, rows) + [
        f"{INTEROP}: there is no test {name} in {path}"
        for path, _, name in tests
        if not defines_test(tree, path, name)
    ]


RULES = [named_files_exist, verbs_documented, daemon_documented, clauses_have_tests, servers_documented]
main(__name__, RULES)
