/* SPDX-License-Identifier: MIT
 *
 * ledger_line: one line of the ledger's file, as text: when, who, what, how much.
 * Neighbours: ledger, which reads and writes the file.
 * Invariant: what is written is read back as the same; anything else is refused, never guessed.
 *
 *     wsplex-ledger 1 7f0c5b3e-9f4e-4a0b-8a6e-3c1d6c2a9d11 1763790000000
 *     # a comment
 *     2026-11-22T14:31:49.123Z endpoint quotes connect 1
 *     2026-11-22T14:31:50.000Z uid 1000 feed.example send 16
 *     2026-11-22T14:31:50.000Z unknown
 *
 * The first line names the version, the boot of the machine, and what the clock on the wall showed, in
 * milliseconds since 1970, when that boot began. The last of these says that what was spent until then
 * is not known.
 */
#ifndef WSPLEX_DAEMON_LEDGER_LINE_H
#define WSPLEX_DAEMON_LEDGER_LINE_H

#include <stdint.h>

#include "proto/buffer.h"

enum budget_kind { BUDGET_CONNECT, BUDGET_SEND, BUDGET_N_KINDS };

/* The longest owner is a user with a name of the DNS. */
enum { LEDGER_OWNER_LEN = 300, LEDGER_LINE_LEN = 400, LEDGER_BOOT_LEN = 37 };

struct ledger_line {
    enum { LEDGER_SPENT, LEDGER_UNKNOWN, LEDGER_COMMENT } type;
    uint64_t wall_ms; /* since 1970; not of a comment */
    char owner
        [LEDGER_OWNER_LEN]; /* of SPENT only, as all that follows: printable, with single blanks */
    enum budget_kind kind;
    uint64_t count;
};

/* Of a line without its newline. 0, or a positive number: it is none. */
int ledger_line_parse(struct wsp_view text, struct ledger_line *ret_line);

/* Writes it with its newline; returns its length. */
size_t ledger_line_format(const struct ledger_line *line, char ret_text[LEDGER_LINE_LEN]);

struct ledger_head {
    uint64_t version;
    char boot[LEDGER_BOOT_LEN];
    int64_t offset_ms; /* of the version that is ours, as boot; 0 to LEDGER_MAX_OFFSET_MS */
};
enum { LEDGER_VERSION = 1 };

/* The latest beginning of a boot: in the year 9892, so that a machine may be up for a century before the
 * years have no four digits. */
#define LEDGER_MAX_OFFSET_MS INT64_C(250000000000000)

/* 0, or a positive number: this is no ledger. */
int ledger_head_parse(struct wsp_view text, struct ledger_head *ret_head);
size_t ledger_head_format(const struct ledger_head *head, char ret_text[LEDGER_LINE_LEN]);

#endif
