/* SPDX-License-Identifier: MIT
 *
 * ledger: the file in the state directory in which it is written down what budgets spend, so that the
 * next life of the daemon knows.
 * Neighbours: ledger_job, which has it do what budgets need; ledger_line, which knows the text; the
 * kernel's files.
 * Invariant: what was written is whole, or is not there at all; the file is this process's alone while it
 * is open. Nothing here belongs to the loop: each call may take as long as the disk does.
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

#include "daemon/ledger_sheet.h"

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

struct ledger;

/* Opens the ledger of that directory, which is made where it is not there, and adds what stands in it to
 * the empty sheet. It must be rewritten before anything is appended. A file that cannot be understood is
 * set aside: what was spent is then unknown, and the problem says why; else that is empty.
 * 0 with *ret_ledger; a negative errno with the problem: a sentence for people. */
int ledger_open(const char *directory, const struct ledger_clock *clock, struct ledger_sheet *found,
                struct ledger **ret_ledger, char ret_problem[LEDGER_PROBLEM_LEN]);
struct ledger *ledger_close(struct ledger *ledger); /* takes NULL; returns NULL */

/* All of the sheet's lines more. 0; a negative errno: none of them is there, and what was before is as
 * it was. */
int ledger_append(struct ledger *ledger, const struct ledger_sheet *sheet);

/* What was appended survives a power cut. 0; a negative errno: nobody knows what of it does, and it wants
 * to be rewritten. */
int ledger_sync(struct ledger *ledger);

/* It has grown, or the clock on the wall was set, or nobody knows what is in it: it takes no lines
 * before it has been rewritten. */
bool ledger_wants_rewriting(const struct ledger *ledger);

/* The sheet is a new file, which takes the place of the old one, whole and on the disk. After a negative
 * errno one of the two stands, whole, and it wants to be rewritten again. */
int ledger_rewrite(struct ledger *ledger, const struct ledger_sheet *sheet);

#endif
