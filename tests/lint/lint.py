# SPDX-License-Identifier: MIT
"""What the lint tests share: the tree that they look at, and the TAP that they print.

A lint is a function that takes a Tree and returns a list of problems, each a line that begins with
the path of the culprit. The first line of its docstring is the rule that it checks. A module ends
with `main(__name__, RULES)`; selftest.py runs the same functions on trees with a planted fault.
"""

import os
import re
import shutil
import subprocess
import sys

# The rooms with sources of our own.
ROOMS = ("proto", "client-lib", "daemon", "ctl", "tests", "bench", "examples")


class Skip(Exception):
    """The rule cannot be checked here; the text says why."""


class Tree:
    """A source tree and, for rules about what was built, the build that belongs to it."""

    def __init__(self, source, build=None):
        self.source = os.path.abspath(source)
        self.build = os.path.abspath(build) if build else None

    def path(self, name):
        return os.path.join(self.source, name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def files(self, *suffixes, rooms=ROOMS):
        """Paths from the root, sorted; rooms that do not exist have no files."""
        found = []
        for room in rooms:
            for parent, folders, names in os.walk(self.path(room)):
                folders[:] = [f for f in folders if f not in ("corpus", "__pycache__", ".libs")]
                for name in names:
                    if name.endswith(suffixes) and not name.startswith("."):
                        found.append(os.path.relpath(os.path.join(parent, name), self.source))
        return sorted(found)

    def listed(self, variable):
        """The words of a list in Makefile.am; None if it has no such list."""
        text = re.sub(r"\\\n", " ", self.text("Makefile.am"))
        rows = re.findall(rf"^{re.escape(variable)} *\+?= *(.*)$", text, re.MULTILINE)
        return [word for row in rows for word in row.split()] if rows else None

    def built(self, name):
        """The path of a file that make has made; a rule about it cannot be skipped."""
        path = os.path.join(self.build, name)
        if not os.path.exists(path):
            raise FileNotFoundError(f"{name}: listed in Makefile.am but not in the build")
        return path


def without_comments(text):
    """C without comments and without what stands in strings; the lines keep their numbers."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(match):
        piece = match.group()
        if piece[0] == "/":
            return "\n" * piece.count("\n") + " "
        return piece[0] * 2

    return re.sub(pattern, blank, text, flags=re.DOTALL)


def need(tool):
    if shutil.which(tool) is None:
        raise Skip(f"{tool} is not installed")


def output(*command, **options):
    """What the command prints, both channels; and whether it ended with 0."""
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    return result.stdout, result.returncode == 0


def main(module, rules):
    if module != "__main__":
        return
    tree = Tree(os.environ.get("top_srcdir", "."), os.environ.get("top_builddir", "."))
    print(f"1..{len(rules)}")
    failed = False
    for number, rule in enumerate(rules, 1):
        name = rule.__doc__.splitlines()[0].rstrip(".")
        try:
            problems = rule(tree)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
            continue
        except FileNotFoundError as missing:
            problems = [str(missing)]
        for problem in problems:
            print(f"# {problem}")
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        failed = failed or bool(problems)
    sys.exit(1 if failed else 0)
