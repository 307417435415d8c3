#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The library as a program meets it: what `make install` puts into a folder, found by pkg-config,
# compiled against as C and as C++, linked, and run where there is no daemon.
set -uo pipefail
: "${top_srcdir:?set by make check}" "${top_builddir:?set by make check}"

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
export WSPLEX_SOCKET="$folder/no daemon"
n=0

# result STATUS WHAT: a line of TAP, with what the last command said when it failed.
result() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' "$folder/said"
    fi
}

skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

said() {
    "$@" >"$folder/said" 2>&1
}

make_in_build() {
    # Not the flags and the jobs of the make that runs this test.
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$top_builddir" --no-print-directory "$@"
}

echo 1..10

status=0
: >"$folder/said"
# shellcheck disable=SC2013 # a line is a word here
for name in $(sed -n 's/^ *\(wsplex_[a-z0-9_]*\);$/\1/p' "$top_srcdir/client-lib/libwsplex.map"); do
    for entry in "^\.Nm $name\b" "^\.Fn $name "; do
        if ! grep -q "$entry" "$top_srcdir"/client-lib/*.3; then
            echo "$name: no manual page has $entry" >>"$folder/said"
            status=1
        fi
    done
done
result $status "every function has its place in a manual page"

said make_in_build DESTDIR="$folder/root" V=1 \
    install-libLTLIBRARIES install-includeHEADERS install-adaptersHEADERS install-nodist_pkgconfigDATA
result $? "library, headers and pkg-config file can be installed"

pc=$(find "$folder/root" -name wsplex.pc | head -n 1)
export PKG_CONFIG_SYSROOT_DIR="$folder/root" PKG_CONFIG_PATH="${pc%/*}"
# shellcheck disable=SC2207 # flags are words
flags=($(pkg-config --cflags --libs wsplex 2>"$folder/said"))
[ ${#flags[@]} -gt 0 ]
result $? "pkg-config knows wsplex"
libdir=$(find "$folder/root" -name libwsplex.so -printf '%h\n' | head -n 1)
# With a sanitizer in the library, a plain program would lack its runtime.
if nm -D "$libdir/libwsplex.so" | grep __asan_ >/dev/null; then
    for what in "C" "C++" "as users write it" "the error names the path" "libevent adapter" \
        "sd-event adapter" "GLib adapter"; do
        skip "$what" "the library is sanitized"
    done
    exit 0
fi

cat >"$folder/program.c" <<'END'
#include <wsplex.h>
#include <stdio.h>
int main(void)
{
    struct wsplex *client;
    struct wsplex_websocket *websocket;

    if (wsplex_new(NULL, &client) != 0)
        return 1;
    if (wsplex_websocket_new(client, "wss://example.org/", NULL, 0, NULL, &websocket) != -ENOENT)
        return 2;
    puts(wsplex_error_text(client));
    wsplex_free(client);
    return 0;
}
END
cp "$folder/program.c" "$folder/program.cc"

strict=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
said "${CC:-cc}" -std=c11 "${strict[@]}" -Wstrict-prototypes "$folder/program.c" \
    -o "$folder/program" "${flags[@]}"
result $? "a C program compiles and links"

if command -v "${CXX:-c++}" >/dev/null; then
    said "${CXX:-c++}" -std=c++11 "${strict[@]}" "$folder/program.cc" -o "$folder/program_cc" "${flags[@]}" &&
        said env LD_LIBRARY_PATH="$libdir" "$folder/program_cc"
    result $? "so does a C++ program, and runs"
else
    skip "so does a C++ program, and runs" "there is no C++ compiler"
fi

status=0
for example in ten_lines hello in_poll; do
    said "${CC:-cc}" -Wall -Wextra -Werror "$top_srcdir/examples/$example.c" -o "$folder/$example" \
        "${flags[@]}" || status=1
done
result $status "the examples compile as their first lines say"

said env LD_LIBRARY_PATH="$libdir" "$folder/program" && grep -qF "$WSPLEX_SOCKET" "$folder/said"
result $? "without a daemon the error names the path"

# adapter HEADER MODULE
adapter() {
    local module_flags
    if ! module_flags=$(pkg-config --cflags "$2" 2>/dev/null); then
        skip "wsplex/$1.h compiles as C and C++" "$2 is not installed"
        return
    fi
    echo "#include <wsplex/$1.h>" >"$folder/adapter.c"
    # shellcheck disable=SC2086 # flags are words
    said "${CC:-cc}" -Wall -Wextra -Wconversion -Werror -fsyntax-only "$folder/adapter.c" \
        "${flags[@]}" $module_flags
    local status=$?
    if [ $status = 0 ] && command -v "${CXX:-c++}" >/dev/null; then
        # shellcheck disable=SC2086
        said "${CXX:-c++}" -x c++ -Wall -Wextra -Werror -fsyntax-only "$folder/adapter.c" \
            "${flags[@]}" $module_flags
        status=$?
    fi
    result $status "wsplex/$1.h compiles as C and C++"
}
# The other modules are the system's own.
unset PKG_CONFIG_SYSROOT_DIR
adapter libevent libevent_core
adapter sd-event libsystemd
adapter glib glib-2.0
