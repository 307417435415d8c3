#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Lints that cannot fail prove nothing: each rule must find a fault planted in a small tree.

A tree is made of a few sound files, on which every rule must be silent. Then a file is changed or
added, and the rule must name it. A rule of the other modules that has no fault here is a failure
as well.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import dist
import documents
import headers
import layering
import symbols
import text
from lint import Skip, Tree

HEAD = "/* {}: a file of the self-test.\n * SPDX-License-Identifier: MIT\n */\n"

MAKEFILE = """# SPDX-License-Identifier: MIT
libwspbase_la_SOURCES = proto/word.c proto/word.h
libwspwebsocket_la_SOURCES = proto/websocket/pack.c
libwspclient_la_SOURCES = client-lib/object.c
libwsplex_la_SOURCES = client-lib/object.c
libpolicy_la_SOURCES = \\
\tdaemon/share.c \\
\tdaemon/share.h
libglue_la_SOURCES = daemon/loop.c daemon/loop.h
distdir:
\tmkdir -p $(distdir)
\tcp -r proto client-lib daemon ctl scripts Makefile.am configure.ac bootstrap $(distdir)
"""

SOUND = {
    "proto/word.h": "#include <stddef.h>\nsize_t wsp_word_len(const char *word);\n",
    "proto/word.c": '#include "proto/word.h"\n\n#include <string.h>\n\n'
    "size_t wsp_word_len(const char *word)\n{\n"
    '    static const char *const words[] = {"", "a"};\n\n'
    "    return strlen(word[0] == 0 ? words[word[0]] : word);\n}\n",
    "proto/websocket/pack.c": '#include "proto/word.h"\n\n#include <zlib.h>\n\n'
    "int wsp_pack(z_stream *stream, const char *word);\n"
    "int wsp_pack(z_stream *stream, const char *word)\n{\n"
    "    return wsp_word_len(word) > 0 ? deflateReset(stream) : 0;\n}\n",
    "client-lib/wsplex.h": "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint wsplex_open(void);\n"
    "const char *wsplex_name(void);\ntypedef void (*wsplex_handler)(int a);\n"
    "#ifdef __cplusplus\n}\n#endif\n",
    "client-lib/object.c": '#include "client-lib/wsplex.h"\n#include "proto/word.h"\n\n'
    "int wsplex_open(void)\n{\n    return 0;\n}\n\n"
    'const char *wsplex_name(void)\n{\n    return "";\n}\n',
    "daemon/share.h": "int share_count(void);\n",
    "daemon/share.c": '#include "daemon/share.h"\n\nint share_count(void)\n{\n    return 0;\n}\n',
    "daemon/loop.h": "int loop_run(void);\n",
    "daemon/loop.c": '#include "daemon/loop.h"\n#include "daemon/share.h"\n\n'
    "#include <event2/event.h>\n\nint loop_run(void)\n{\n    return share_count();\n}\n",
    "ctl/main.c": '#include "client-lib/wsplex.h"\n\nint main(void)\n{\n    return 0;\n}\n',
}

ARCHIVES = {
    "wspbase": "proto/word.c",
    "wspwebsocket": "proto/websocket/pack.c",
    "wspclient": "client-lib/object.c",
    "policy": "daemon/share.c",
    "glue": "daemon/loop.c",
}

PLAIN = {
    "client-lib/libwsplex.map": "WSPLEX_0 {\nglobal:\n    wsplex_open;\n    wsplex_name;\nlocal:\n    *;\n};\n",
    "scripts/run": "#!/bin/sh\n# SPDX-License-Identifier: MIT\nexec true\n",
    "scripts/tool.py": "#!/usr/bin/python3\n# SPDX-License-Identifier: MIT\nprint(1)\n",
    "Makefile.am": MAKEFILE,
    "Makefile": MAKEFILE,
    "configure.ac": "# SPDX-License-Identifier: MIT\n",
    "bootstrap": "#!/bin/sh\n# SPDX-License-Identifier: MIT\nexec true\n",
    "client-lib/wsplex.3": ".Dd November 1, 2025\n.Dt WSPLEX 3\n.Os\n.Sh NAME\n.Nm wsplex\n"
    ".Nd a WebSocket\n",
}

ROW = "| § | Says | Shown by |\n| --- | --- | --- |\n| 1 | MUST | "

# (rule, file, what is added at its end or in its place, a word that the problem must contain)
ADD, REPLACE = "a", "w"
FAULTS = [
    (layering.quoted_from_root, "proto/word.c", ADD, '#include "word.h"\n', "proto/word.c:"),
    (layering.quoted_from_root, "ctl/main.c", ADD, '#include "ctl/../proto/word.h"\n', "climbs"),
    (layering.proto_knows_memory_only, "proto/word.c", ADD, "#include <sys/socket.h>\n", "sys/"),
    (layering.proto_knows_memory_only, "proto/word.c", ADD, "#include <zlib.h>\n", "zlib.h"),
    (layering.proto_knows_memory_only, "proto/word.h", ADD, '#include "daemon/loop.h"\n', "daemon"),
    (layering.proto_knows_memory_only, "proto/word.h", ADD, '#include "proto/websocket/pack.h"\n',
     "base"),
    (layering.client_knows_base_and_libc, "client-lib/object.c", ADD, "#include <event2/event.h>\n",
     "event2"),
    (layering.client_knows_base_and_libc, "client-lib/object.c", ADD, '#include "daemon/loop.h"\n',
     "daemon/loop.h"),
    (layering.client_knows_base_and_libc, "client-lib/object.c", ADD,
     '#include "proto/websocket/frame.h"\n', "servers"),
    (layering.public_header_stands_alone, "client-lib/wsplex.h", ADD, '#include "proto/word.h"\n',
     "wsplex.h"),
    (layering.daemon_knows_proto, "daemon/loop.c", ADD, '#include "client-lib/wsplex.h"\n', "loop.c"),
    (layering.policy_knows_no_glue, "daemon/share.c", ADD, '#include "daemon/loop.h"\n', "share.c"),
    (layering.policy_knows_no_glue, "daemon/share.h", ADD, "#include <openssl/ssl.h>\n", "share.h"),
    (layering.policy_knows_no_glue, "daemon/share.c", ADD, "#include <sys/socket.h>\n", "I/O"),
    (layering.loop_belongs_to_glue, "ctl/main.c", ADD, "#include <event2/event.h>\n", "ctl/main.c"),
    (layering.ctl_knows_proto_and_client, "ctl/main.c", ADD, '#include "daemon/loop.h"\n', "daemon"),
    (symbols.base_needs_memory_only, "proto/word.c", ADD,
     "int socket(int, int, int);\nint wsp_a(void);\nint wsp_a(void)\n{\n"
     "    return socket(1, 1, 1);\n}\n", "socket"),
    (symbols.websocket_adds_zlib_only, "proto/websocket/pack.c", ADD,
     "int getpid(void);\nint wsp_b(void);\nint wsp_b(void)\n{\n    return getpid();\n}\n", "getpid"),
    (symbols.prefixes, "proto/word.c", ADD, "int stray(void);\nint stray(void)\n{\n    return 1;\n}\n",
     "stray"),
    (symbols.no_global_state, "proto/word.c", ADD,
     "int wsp_c(void);\nint wsp_c(void)\n{\n    static int n;\n    return n++;\n}\n", "variable"),
    (symbols.library_needs_libc_only, "client-lib/object.c", ADD,
     '#include <zlib.h>\nint wsplex_d(void);\nint wsplex_d(void)\n{\n    return (int)zlibCompileFlags();'
     "\n}\n", "zlibCompileFlags"),
    (symbols.exports_are_the_header, "client-lib/libwsplex.map", REPLACE,
     "WSPLEX_0 {\nglobal:\n    wsplex_open;\n    wsplex_name;\n    wsplex_gone;\nlocal:\n    *;\n};\n", "wsplex_gone"),
    (symbols.exports_are_the_header, "client-lib/wsplex.h", ADD, "int wsplex_new(void);\n",
     "wsplex_new"),
    (symbols.exports_are_the_header, "client-lib/libwsplex.map", REPLACE,
     "WSPLEX_0 {\nglobal:\n    *;\n};\n", "exports wsp_word_len"),
    (symbols.library_is_small, "client-lib/object.c", ADD,
     "const char *wsplex_e(void);\nstatic const char big[70000] = {1};\n"
     "const char *wsplex_e(void)\n{\n    return big;\n}\n", "bytes"),
    (headers.alone_in_c, "daemon/share.h", ADD, "size_t share_len(void);\n", "daemon/share.h"),
    (headers.public_in_strict_c, "client-lib/wsplex.h", ADD, "typeof(1) wsplex_f(void);\n",
     "wsplex.h"),
    (headers.public_in_cxx, "client-lib/wsplex.h", ADD, "int wsplex_g(int class);\n", "wsplex.h"),
    (text.formatted, "proto/word.c", ADD, "int  wsp_h( void );\n", "proto/word.c"),
    (text.licensed, "ctl/verbs.c", REPLACE, "int verbs;\n", "ctl/verbs.c"),
    (text.short_enough, "daemon/long.c", REPLACE, HEAD + "int x;\n" * 600, "daemon/long.c"),
    (text.clean_lines, "proto/word.h", ADD, "int wsp_i(void); \n", "proto/word.h"),
    (text.clean_lines, "proto/word.h", ADD, "int wsp_j(void);", "newline"),
    (text.no_extern, "proto/word.h", ADD, "extern int wsp_k;\n", "proto/word.h"),
    (text.nothing_banned, "ctl/main.c", ADD, "void f(char *a)\n{\n    strcpy(a, a);\n}\n", "strcpy"),
    (text.nothing_banned, "ctl/main.c", ADD,
     "void g(void)\n{\n    int x __attribute__((cleanup(f)));\n}\n", "goto"),
    (text.nothing_unfinished, "proto/word.c", ADD, "/* TO" "DO: more */\n", "proto/word.c"),
    (text.spelled, "proto/word.c", ADD, "/* reci" "eve */\n", "proto/word.c"),
    (text.shells_checked, "scripts/run", ADD, "echo $1\nrm $2 $3\n", "scripts/run"),
    (text.pythons_compile, "scripts/tool.py", ADD, "print(\n", "scripts/tool.py"),
    (text.manuals_checked, "client-lib/wsplex.3", ADD, ".Xq nothing\n", "wsplex.3"),
    (dist.nothing_left_out, "left-out.c", REPLACE, HEAD, "left-out.c"),
    (documents.named_files_exist, "README.md", REPLACE, "See `daemon/gone`.\n", "daemon/gone"),
    (documents.verbs_documented, "ctl/main.c", ADD, 'verbs[] = {\n    {"dance", "", x},\n};\n', "dance"),
    (documents.verbs_documented, "ctl/main.c", ADD, '{"shoes", no_argument}\n', "shoes"),
    (documents.verbs_documented, "doc/wsplexctl.1", REPLACE, ".It Cm rest\n", "rest"),
    (documents.clauses_have_tests, "doc/conformance.md", REPLACE, ROW + "`tests/unit/test_gone.c: gone` |\n", "gone"),
    (documents.clauses_have_tests, "doc/conformance.md", REPLACE, ROW + "`tests/a.py::test_gone` |\n", "test_gone"),
    (documents.clauses_have_tests, "doc/conformance.md", REPLACE, ROW + "surely |\n", "neither"),
    (documents.clauses_have_tests, "doc/conformance.md", REPLACE, ROW + "— no, but `tests/a.py` |\n", "named as"),
    (documents.clauses_have_tests, "doc/conformance.md", REPLACE, ROW + "|\n", "not a section"),
    (documents.servers_documented, "tests/harness/foreign.py", REPLACE, 'TABLE = {\n    "jukebox": Row(),\n}\n', "jukebox"),
    (documents.servers_documented, "doc/interop.md", REPLACE, "| fiddle | 1.0 | |\n", "fiddle"),
    (documents.servers_documented, "doc/interop.md", REPLACE, "| it plays | `tests/a.py::test_gone` |\n", "test_gone"),
    (documents.daemon_documented, "daemon/main.c", REPLACE, '    {"tune", FLAG_TUNE}\n', "tune"),
]  # fmt: skip


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def write(root, name, content, mode="w"):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode, encoding="utf-8") as file:
        file.write(content)


def plant_tree(root, clang_format):
    for name, content in SOUND.items():
        write(root, name, HEAD.format(name) + content)
    for name, content in PLAIN.items():
        write(root, name, content)
    shutil.copy(clang_format, os.path.join(root, ".clang-format"))


def build(root):
    """Archives and the library, as make would have left them; compiler output goes nowhere."""
    libs = os.path.join(root, ".libs")
    os.makedirs(libs, exist_ok=True)
    compiler = os.environ.get("CC", "cc").split()
    objects = {}
    for library, name in ARCHIVES.items():
        objects[library] = os.path.join(libs, f"{library}.o")
        run(*compiler, "-w", "-fPIC", "-D_GNU_SOURCE", f"-I{root}", "-c",
            os.path.join(root, name), "-o", objects[library])  # fmt: skip
        run("ar", "crs", os.path.join(libs, f"lib{library}.a"), objects[library])
    version_script = os.path.join(root, "client-lib/libwsplex.map")
    run(*compiler, "-shared", f"-Wl,--version-script={version_script}", "-o",
        os.path.join(libs, "libwsplex.so"), objects["wspclient"], objects["wspbase"])  # fmt: skip


def track(root):
    run("git", "-C", root, "init", "-q")
    run("git", "-C", root, "add", "-A", "--", ".", ":!.libs", ":!Makefile", ":!.clang-format")


def problems_of(rule, root):
    if rule is dist.nothing_left_out:
        track(root)
    if rule.__module__ == "symbols":
        build(root)
    return rule(Tree(root, root))


def try_fault(fault, clang_format):
    rule, name, mode, content, expected = fault
    with tempfile.TemporaryDirectory() as root:
        plant_tree(root, clang_format)
        before = problems_of(rule, root)
        if before:
            return [f"finds something in the sound tree: {before[0]}"]
        write(root, name, content, mode)
        after = problems_of(rule, root)
        if not any(expected in problem for problem in after):
            return [f"does not find what was planted in {name}: {after}"]
    return []


def main():
    clang_format = os.path.join(os.environ.get("top_srcdir", "."), ".clang-format")
    rules = [rule for module in (dist, documents, headers, layering, symbols, text) for rule in module.RULES]
    print(f"1..{len(rules)}")
    failed = False
    for number, rule in enumerate(rules, 1):
        name = f"{rule.__module__}.{rule.__name__} finds its planted faults"
        faults = [fault for fault in FAULTS if fault[0] is rule]
        try:
            problems = [p for fault in faults for p in try_fault(fault, clang_format)]
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
            continue
        if not faults:
            problems = ["no fault is planted for it"]
        for problem in problems:
            print(f"# {problem}")
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        failed = failed or bool(problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
