# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
#
# What the scripts share; read in by them, not run.

# The source tree, wherever the script was called from.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${JOBS:-$(nproc)}

say() {
    echo "== $*"
}

# quietly LOG COMMAND...: the command's output goes to LOG, and its end is shown if it fails.
quietly() {
    local log=$1 status=0 command
    shift
    command=$*
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        say "failed with status $status: ${command:0:200} (all of it in $log)"
        tail -n 60 "$log"
    fi
    return "$status"
}

# The tree is configured outside of itself, which a configured source tree forbids.
bootstrap_tree() {
    if [ -e "$top/config.status" ]; then
        echo "$top is configured in place; first: make distclean" >&2
        return 1
    fi
    if [ ! -e "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ] ||
        [ "$top/Makefile.am" -nt "$top/Makefile.in" ]; then
        quietly "$1/bootstrap.log" "$top/bootstrap"
    fi
}

# configure_tree DIR ARGUMENTS...: configures DIR; again only when the arguments or configure changed.
configure_tree() {
    local dir=$1
    shift
    mkdir -p "$dir"
    if [ -e "$dir/Makefile" ] && [ "$(cat "$dir/arguments" 2>/dev/null)" = "$*" ] &&
        [ ! "$top/configure" -nt "$dir/config.status" ]; then
        return 0
    fi
    (cd "$dir" && quietly configure.log "$top/configure" "$@") || return
    echo "$*" >"$dir/arguments"
}
