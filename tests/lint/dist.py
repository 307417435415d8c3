#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The release tarball has what git has."""

import os
import tempfile

from lint import Skip, main, need, output

# What only git and those who work with it need.
NOT_SHIPPED = (".gitignore", ".gitattributes")


def nothing_left_out(tree):
    """Every tracked file is in the distribution."""
    need("git")
    if not os.path.exists(tree.path(".git")):
        raise Skip("not a git checkout")
    git = ("git", "-c", f"safe.directory={tree.source}")
    text, done = output(*git, "ls-files", cwd=tree.source)
    if not done:
        raise Skip(f"git ls-files: {text.strip()}")
    tracked = [
        name
        for name in text.splitlines()
        if os.path.exists(tree.path(name)) and os.path.basename(name) not in NOT_SHIPPED
    ]
    # A make of its own: the jobs and options of the one that runs the tests are not for it.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS")}
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "dist")
        text, done = output(
            "make", "-s", "distdir", f"distdir={target}", cwd=tree.build, env=environment
        )
        if not done:
            return [f"make distdir: {line}" for line in text.splitlines()[-5:]]
        return [
            f"{name}: not in the distribution (add it to Makefile.am)"
            for name in tracked
            if not os.path.exists(os.path.join(target, name))
        ]


RULES = [nothing_left_out]
main(__name__, RULES)
