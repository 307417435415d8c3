# SPDX-License-Identifier: MIT
"""README.md is true: its program is built as it says and does what it says, its commands exist."""

import os
import re
import subprocess

import pytest
from servers import new_path

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("WSPLEX_BUILD", TOP))


def readme():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        return file.read()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", readme(), re.M | re.S)


def is_sanitized():
    with open(os.path.join(BUILD, ".libs", "libwsplex.so"), "rb") as file:
        return b"__asan_init" in file.read()


@pytest.fixture(name="stage")
def installed(tmp_path):
    """What `make install` gives, in a folder of its own."""
    stage = tmp_path / "stage"
    subprocess.run(["make", "-s", "-C", BUILD, "install", f"DESTDIR={stage}"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return stage


def find(stage, name):
    return next(path for path in stage.rglob(name) if not path.is_dir())


def test_its_program_is_the_example():
    with open(os.path.join(TOP, "examples", "ten_lines.c"), encoding="utf-8") as file:
        example = file.read().split("*/\n", 1)[1]
    assert blocks("c") == [example]


def test_its_program_prints_what_comes(stage, tmp_path, daemon, one_server):
    if is_sanitized():
        pytest.skip("an ordinary program cannot load a sanitized library")
    (tmp_path / "ten_lines.c").write_text(blocks("c")[0])
    flags = subprocess.run(
        ["pkg-config", f"--define-variable=prefix={stage}/usr/local", "--cflags", "--libs", "wsplex"], check=True,
        stdout=subprocess.PIPE, text=True,
        env=dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(find(stage, "wsplex.pc")))).stdout.split()
    command = next(line for line in "".join(blocks("sh")).splitlines() if line.startswith("cc "))
    assert command == "cc ten_lines.c $(pkg-config --cflags --libs wsplex) -o ten_lines"
    subprocess.run(["cc", "-Wall", "-Werror", "ten_lines.c", *flags, "-o", "ten_lines"], check=True, cwd=tmp_path)
    library = os.path.dirname(find(stage, "libwsplex.so.0"))
    path = new_path()
    program = subprocess.Popen(["./ten_lines", one_server.url(path)], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, WSPLEX_SOCKET=daemon.socket, LD_LIBRARY_PATH=library))
    connection = one_server.connection(path)
    for text in ("one", "two", "three"):
        connection.order("text", text=text)
    connection.order("close", code=1000, reason="")
    assert program.communicate(timeout=30)[0].splitlines() == ["one", "two", "three"]
    assert program.returncode == 0


def test_its_scripts_and_files_exist():
    named = re.findall(r"\b((?:scripts|examples|client-lib|proto|doc|tests)/[\w./-]+[\w])", readme())
    assert "scripts/quickstart" in named
    for path in named:
        assert os.path.exists(os.path.join(TOP, path)), path


def test_the_example_of_a_configuration_is_one(tmp_path):
    """With an endpoint of each kind, and secrets that are there."""
    with open(os.path.join(TOP, "doc", "examples", "wsplexd.conf"), encoding="utf-8") as file:
        example = file.read()
    secrets = set(re.findall(r"%{credential:([\w-]+)}", example))
    assert secrets == {"feed-token", "chat-token"}
    for secret in secrets:
        (tmp_path / secret).write_text("x")
        (tmp_path / secret).chmod(0o600)
    (tmp_path / "wsplexd.conf").write_text(example)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "secrets.conf").write_text(f'credentials-dir = "{tmp_path}"\n')
    done = subprocess.run([os.path.join(BUILD, "wsplexd"), "--check-config", "--config", tmp_path / "wsplexd.conf"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    assert f"endpoints: {example.count(chr(10) + 'endpoint ')}" in done.stdout


def test_its_endpoint_is_good_configuration(tmp_path):
    configuration = next(block for block in blocks("") if block.startswith("endpoint"))
    path = tmp_path / "wsplexd.conf"
    path.write_text(configuration)
    subprocess.run([os.path.join(BUILD, "wsplexd"), "--check-config", "--config", path], check=True)
