/* SPDX-License-Identifier: MIT
 *
 * ledger_sheet: what was spent, by whom, when: so many lines of the ledger as they pass between the
 * loop and whoever has the file.
 * Neighbours: bookkeeper, which has one filled and reads another; ledger, which writes and fills them.
 * Invariant: it refers to nothing outside itself, so that it can be given away.
 */
#ifndef WSPLEX_DAEMON_LEDGER_SHEET_H
#define WSPLEX_DAEMON_LEDGER_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ledger_line.h"
#include "proto/buffer.h"

struct ledger_item {
    int64_t elapsed_ms; /* of a ledger_clock; what was before the boot is less than 0 */
    uint64_t count;
    size_t owner; /* where it begins in the sheet's owners */
    enum budget_kind kind;
};

struct ledger_sheet {
    struct ledger_item *items;
    size_t n_items, capacity;
    struct wsp_buffer owners; /* each with its 0 */
    bool is_unknown;
    int64_t unknown_ms; /* what was spent until then is not known */
    int error;          /* 0; -ENOMEM: something is missing */
};

/* Allocates nothing. */
void ledger_sheet_init(struct ledger_sheet *sheet);
void ledger_sheet_deinit(struct ledger_sheet *sheet); /* takes a zeroed one */

/* One line more; where there is no memory, sheet->error says so. */
void ledger_sheet_spent(struct ledger_sheet *sheet, enum budget_kind kind, const char *owner,
                        int64_t elapsed_ms, uint64_t count);
/* The latest of what is told so holds. */
void ledger_sheet_unknown(struct ledger_sheet *sheet, int64_t elapsed_ms);

/* Borrowed until the sheet changes. */
const char *ledger_sheet_owner(const struct ledger_sheet *sheet, const struct ledger_item *item);

#endif
