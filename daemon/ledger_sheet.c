/* SPDX-License-Identifier: MIT
 *
 * ledger_sheet: lines of the ledger, in memory; see ledger_sheet.h.
 * Between bookkeeper and ledger. Invariant: see ledger_sheet.h.
 */
#include "daemon/ledger_sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ITEMS = 16 };

void ledger_sheet_init(struct ledger_sheet *sheet)
{
    *sheet = (struct ledger_sheet){0};
    wsp_buffer_init(&sheet->owners, SIZE_MAX);
}

void ledger_sheet_deinit(struct ledger_sheet *sheet)
{
    free(sheet->items);
    wsp_buffer_deinit(&sheet->owners);
    *sheet = (struct ledger_sheet){0};
}

const char *ledger_sheet_owner(const struct ledger_sheet *sheet, const struct ledger_item *item)
{
    return (const char *)wsp_buffer_peek(&sheet->owners) + item->owner;
}

/* What was spent by one owner stands together, mostly. */
static int owner_add(struct ledger_sheet *sheet, const char *owner, size_t *ret_owner)
{
    size_t at = wsp_buffer_len(&sheet->owners);

    if (sheet->n_items > 0) {
        const struct ledger_item *last = &sheet->items[sheet->n_items - 1];

        if (strcmp(ledger_sheet_owner(sheet, last), owner) == 0) {
            *ret_owner = last->owner;
            return 0;
        }
    }
    *ret_owner = at;
    return wsp_buffer_append(&sheet->owners, owner, strlen(owner) + 1);
}

static int make_room(struct ledger_sheet *sheet)
{
    size_t capacity = sheet->capacity > 0 ? 2 * sheet->capacity : FIRST_ITEMS;
    struct ledger_item *grown;

    if (sheet->n_items < sheet->capacity)
        return 0;
    grown = reallocarray(sheet->items, capacity, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    sheet->items = grown;
    sheet->capacity = capacity;
    return 0;
}

void ledger_sheet_spent(struct ledger_sheet *sheet, enum budget_kind kind, const char *owner,
                        int64_t elapsed_ms, uint64_t count)
{
    struct ledger_item item = {.elapsed_ms = elapsed_ms, .count = count, .kind = kind};

    if (sheet->error == 0)
        sheet->error = make_room(sheet);
    if (sheet->error == 0)
        sheet->error = owner_add(sheet, owner, &item.owner);
    if (sheet->error == 0)
        sheet->items[sheet->n_items++] = item;
}

void ledger_sheet_unknown(struct ledger_sheet *sheet, int64_t elapsed_ms)
{
    if (!sheet->is_unknown || sheet->unknown_ms < elapsed_ms)
        sheet->unknown_ms = elapsed_ms;
    sheet->is_unknown = true;
}
