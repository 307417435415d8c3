/* SPDX-License-Identifier: MIT
 *
 * history: records of upstreams that failed; see history.h.
 * Between server, which adds, and control, which shows. Invariant: whoever fails often pushes out his own records first.
 */
#include "daemon/history.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/share.h"

void history_init(struct history *history)
{
    *history = (struct history){.n_records = 0};
    list_init(&history->records);
}

static struct history_record *record_of(struct list *node)
{
    return LIST_ENTRY(node, struct history_record, link);
}

static void forget(struct history *history, struct history_record *record)
{
    list_remove(&record->link);
    history->n_records--;
    free(record->excerpt);
    free(record);
}

void history_deinit(struct history *history)
{
    LIST_FOR_EACH (node, &history->records)
        forget(history, record_of(node));
}

/* One more of this uid can be added then. */
static void make_room(struct history *history, uid_t uid)
{
    struct history_record *first = NULL;
    unsigned n_own = 0;

    LIST_FOR_EACH (node, &history->records) {
        struct history_record *record = record_of(node);

        if (record->uid != uid)
            continue;
        if (n_own == 0)
            first = record;
        n_own++;
    }
    if (n_own >= MAX_HISTORY_PER_USER)
        forget(history, first);
    else if (history->n_records >= MAX_HISTORY)
        forget(history, record_of(history->records.next));
}

void history_add(struct history *history, const struct share *share, uint64_t now_ms)
{
    struct history_record *record = malloc(sizeof(*record));

    if (record == NULL)
        return;
    *record = (struct history_record){
        .number = ++history->last_number,
        .id = share->id,
        .uid = share->owner->uid,
        .is_shared = share->is_shared,
        .ended_ms = now_ms,
        .lasted_ms = now_ms - share->created_ms,
        .ending = share->ending,
        .excerpt = share->excerpt == NULL ? NULL : strdup(share->excerpt),
    };
    target_display(share->target, record->display);
    make_room(history, record->uid);
    list_init(&record->link);
    list_append(&history->records, &record->link);
    history->n_records++;
}

struct history_record *history_find(const struct history *history, uint64_t id)
{
    LIST_FOR_EACH (node, &history->records) {
        if (record_of(node)->id == id)
            return record_of(node);
    }
    return NULL;
}
