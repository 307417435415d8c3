/* SPDX-License-Identifier: MIT
 *
 * log: entries in the order in which they came, and cursors that stand at them.
 * Between share, which appends what the upstream received, and channel, which reads through its cursor.
 * Invariant: a cursor is in caught_up exactly when at is NULL, in lagging otherwise, and counted in at->n_cursors; the
 * first entry has a cursor, or there is no entry.
 *
 * Nothing here is proportional to the number of cursors but the waking of those that were caught up.
 */
#include "daemon/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An entry has one block or two. */
enum { ENTRY_OVERHEAD = sizeof(struct entry) + 2 * BLOCK_OVERHEAD };

/* Room at the end of a buffer that was taken which is worth giving back. */
enum { WASTE_LEN = 4096 };

static uint64_t cost_of(size_t len)
{
    return (uint64_t)len + ENTRY_OVERHEAD;
}

uint64_t entry_cost(const struct entry *entry)
{
    return cost_of(entry->len);
}

void log_init(struct log *log, const uint8_t epoch[LOG_EPOCH_LEN], struct user *owner)
{
    *log = (struct log){.next_number = 1, .owner = owner};
    memcpy(log->epoch, epoch, LOG_EPOCH_LEN);
    list_init(&log->caught_up);
    list_init(&log->lagging);
}

void log_deinit(struct log *log)
{
    assert(log->first == NULL);
    assert(list_is_empty(&log->caught_up) && list_is_empty(&log->lagging));
}

/* --- entries --- */

/* Lets go what stands before the first cursor. */
static void log_trim(struct log *log)
{
    while (log->first != NULL && log->first->n_cursors == 0) {
        struct entry *entry = log->first;

        log->first = entry->next;
        if (log->first == NULL)
            log->last = NULL;
        charge_shrink(&log->charge, entry_cost(entry));
        free(entry->taken);
        free(entry);
    }
}

/* Every cursor of the list, none of which is at an entry, now stands at the last one and is told so. A waker may do
 * anything to any cursor, so all of them are put right before the first is woken, and each is in a list at any time. */
static void wake_caught_up(struct log *log)
{
    struct list woken;
    struct list *node;

    list_init(&woken);
    list_splice(&woken, &log->caught_up);
    for (node = woken.next; node != &woken; node = node->next) {
        struct cursor *cursor = LIST_ENTRY(node, struct cursor, link);

        cursor->at = log->last;
        cursor->offset = 0;
        log->last->n_cursors++;
    }
    while ((node = list_first(&woken)) != NULL) {
        struct cursor *cursor = LIST_ENTRY(node, struct cursor, link);

        list_append(&log->lagging, node);
        cursor->wake(cursor);
    }
}

static bool has_cursors(const struct log *log)
{
    return !list_is_empty(&log->caught_up) || !list_is_empty(&log->lagging);
}

static void log_add(struct log *log, struct entry *entry)
{
    entry->number = log->next_number++;
    entry->cost_before = log->cost_end;
    log->cost_end += entry_cost(entry);
    charge_force(&log->charge, log->owner, QUOTA_QUEUED_BYTES, entry_cost(entry));
    if (log->last != NULL)
        log->last->next = entry;
    else
        log->first = entry;
    log->last = entry;
    wake_caught_up(log);
}

int log_append(struct log *log, bool is_binary, struct wsp_view payload)
{
    struct entry *entry;

    if (!has_cursors(log)) {
        log->next_number++;
        return 0;
    }
    entry = malloc(sizeof(*entry) + payload.len);
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct entry){.data = entry->bytes, .len = payload.len, .is_binary = is_binary};
    if (payload.len > 0)
        memcpy(entry->bytes, payload.data, payload.len);
    log_add(log, entry);
    return 0;
}

int log_append_take(struct log *log, bool is_binary, struct wsp_buffer *payload)
{
    size_t max = payload->max;
    struct entry *entry = NULL;
    int r = 0;

    if (!has_cursors(log)) {
        log->next_number++;
        goto finish;
    }
    entry = malloc(sizeof(*entry));
    if (entry == NULL) {
        r = -ENOMEM;
        goto finish;
    }
    if (payload->capacity - payload->end > WASTE_LEN && payload->end > 0) {
        uint8_t *smaller = realloc(payload->data, payload->end);

        if (smaller != NULL)
            payload->data = smaller;
    }
    *entry = (struct entry){
        .data = wsp_buffer_peek(payload),
        .len = wsp_buffer_len(payload),
        .is_binary = is_binary,
        .taken = payload->data,
    };
    *payload = (struct wsp_buffer){0};
    log_add(log, entry);
finish:
    wsp_buffer_deinit(payload);
    wsp_buffer_init(payload, max);
    return r;
}

/* --- cursors --- */

void cursor_init(struct cursor *cursor, void (*wake)(struct cursor *cursor))
{
    *cursor = (struct cursor){.wake = wake};
    list_init(&cursor->link);
}

void cursor_join(struct cursor *cursor, struct log *log)
{
    assert(cursor->log == NULL);
    cursor->log = log;
    list_append(&log->caught_up, &cursor->link);
}

/* The cursor stands at no entry any more; who let the log keep it goes on to trim. */
static void cursor_release(struct cursor *cursor)
{
    cursor->at->n_cursors--;
    cursor->at = NULL;
    cursor->offset = 0;
}

void cursor_leave(struct cursor *cursor)
{
    struct log *log = cursor->log;

    if (log == NULL)
        return;
    list_remove(&cursor->link);
    cursor->log = NULL;
    if (cursor->at == NULL)
        return;
    cursor_release(cursor);
    log_trim(log);
}

void cursor_move(struct cursor *cursor, const struct entry *to)
{
    struct log *log = cursor->log;

    cursor_release(cursor);
    /* Readers see entries that do not change, and the log counts who stands at them. */
    cursor->at = (struct entry *)(uintptr_t)to;
    if (to != NULL)
        cursor->at->n_cursors++;
    else
        list_append(&log->caught_up, &cursor->link);
    log_trim(log);
}

void cursor_advance(struct cursor *cursor)
{
    cursor_move(cursor, cursor->at->next);
}

uint64_t cursor_lag_messages(const struct cursor *cursor)
{
    return cursor->at == NULL ? 0 : cursor->log->next_number - cursor->at->number;
}

uint64_t cursor_lag_cost(const struct cursor *cursor)
{
    return cursor->at == NULL ? 0 : cursor->log->cost_end - cursor->at->cost_before;
}

uint64_t cursor_lag_beyond(const struct cursor *cursor)
{
    return cursor->at == NULL ? 0 : cursor_lag_cost(cursor) - entry_cost(cursor->at);
}

uint64_t cursor_number(const struct cursor *cursor)
{
    return cursor->at == NULL ? cursor->log->next_number : cursor->at->number;
}
