/* SPDX-License-Identifier: MIT
 *
 * ledger: the file in the state directory in which it is written down what budgets spend, so that the
 * next life of the daemon knows.
 * Neighbours: budget, whose memory it is; ledger_line, which knows the text; the kernel's files.
 * Invariant: a line that was written is whole, or is not there at all; the file is this process's
 * alone while it is open.
 *
 * Time: while the machine is up, times are told by a clock that nobody sets (CLOCK_BOOTTIME). The file
 * has what the clock on the wall shows, and in its first line how the two go together, so within one
 * boot it does not matter who sets that clock, and how. Over a boot there is no other witness: what
 * then seems to lie ahead counts as spent just now. A clock that wrongly runs ahead after a boot lets
 * budgets forget; nothing on the machine can tell that. Where it cannot be known which boot this is
 * (the sandbox may hide it), of the two ages that a line then may have the smaller one holds.
 *
 * Power: what was written survives the end of the process, however it comes. Only ledger_sync makes it
 * survive a power cut.
 */
#ifndef WSPLEX_DAEMON_LEDGER_H
#define WSPLEX_DAEMON_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ledger_line.h"

enum { LEDGER_PROBLEM_LEN = 512 };

/* What tells the time; tests have their own. */
struct ledger_clock {
    int64_t (*elapsed_ms)(
        void *context);                /* since the boot of the machine, asleep or not; never set */
    int64_t (*wall_ms)(void *context); /* since 1970 */
    /* Names the boot; LEDGER_NO_BOOT where that cannot be known. */
    void (*boot)(void *context, char ret_boot[LEDGER_BOOT_LEN]);
    void *context;
};
#define LEDGER_NO_BOOT "0"
const struct ledger_clock *ledger_system_clock(void);

/* Who is told what stands in the file. */
struct ledger_reader {
    void (*spent)(struct ledger_reader *reader, enum budget_kind kind, const char *owner,
                  uint64_t age_ms, uint64_t count);
    /* What was spent before is not known: the file says so (problem NULL), or cannot be read, and why. */
    void (*unknown)(struct ledger_reader *reader, uint64_t age_ms, const char *problem);
};

struct ledger;

/* Opens the ledger of that directory, which is made where it is not there, and reads what stands in
 * it. It must be rewritten before anything is appended. A file that cannot be understood is set aside.
 * 0 with *ret_ledger; a negative errno with ret_problem: a sentence for people. */
int ledger_open(const char *directory, const struct ledger_clock *clock,
                struct ledger_reader *reader, struct ledger **ret_ledger,
                char ret_problem[LEDGER_PROBLEM_LEN]);
struct ledger *ledger_close(struct ledger *ledger); /* takes NULL; returns NULL */

/* One line more, with a time that is elapsed_ms of its clock. 0; a negative errno: it is not there, and what
 * was before is as it was. */
int ledger_append(struct ledger *ledger, enum budget_kind kind, const char *owner,
                  int64_t elapsed_ms, uint64_t count);

/* What was appended survives a power cut. 0, or a negative errno. */
int ledger_sync(struct ledger *ledger);

/* It has grown, or the clock on the wall was set, or it was never written: it wants to be rewritten. */
bool ledger_wants_rewriting(const struct ledger *ledger);

/* A new file, which takes the place of the old one, whole, when the last call has returned 0; until then, and after
 * a negative errno, the old one stands. */
int ledger_rewrite_begin(struct ledger *ledger);
void ledger_rewrite_spent(struct ledger *ledger, enum budget_kind kind, const char *owner,
                          int64_t elapsed_ms, uint64_t count);
void ledger_rewrite_unknown(struct ledger *ledger, int64_t elapsed_ms);
int ledger_rewrite_end(struct ledger *ledger);

#endif
