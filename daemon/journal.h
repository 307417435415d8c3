/* SPDX-License-Identifier: MIT
 *
 * journal: the daemon's log lines, to stderr: one subject per line, with its number, and the line's
 * name at the end.
 * Neighbours: server and its rooms write; systemd's journal or a terminal reads.
 * Invariant: no line holds a payload, a credential or a URL's query (its writer's promise), nor a
 * control character (promised here); and no name fills the log: what comes too often is counted
 * instead.
 */
#ifndef WSPLEX_DAEMON_JOURNAL_H
#define WSPLEX_DAEMON_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of the words of the option log-level. */
enum journal_level {
    JOURNAL_LEVEL_ERROR,
    JOURNAL_LEVEL_WARNING,
    JOURNAL_LEVEL_NOTICE,
    JOURNAL_LEVEL_INFO,
    JOURNAL_LEVEL_DEBUG
};

enum journal_line {
#define LINE(NAME, name, level, subject, when) JOURNAL_##NAME,
#include "daemon/journal.def"
    JOURNAL_N_LINES
};

struct journal {
    int fd;
    bool is_systemd; /* fd is the journal: levels as its prefixes, no time stamps */
    enum journal_level level;
    struct journal_count {
        uint64_t window_ms; /* when the current window began */
        unsigned n_written, n_left_out;
    } counts[JOURNAL_N_LINES];
};

/* Writes to stderr from now on. */
void journal_init(struct journal *journal, enum journal_level level);

/* Tells what was left out so far. */
void journal_flush(struct journal *journal);

/* One line, if the level asks for it and its name is not over its rate. id is the subject's number,
 * 0 for lines whose subject is the daemon. errno is kept. */
void journal_log(struct journal *journal, enum journal_line line, uint64_t id, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

#endif
