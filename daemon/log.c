/* SPDX-License-Identifier: MIT
 *
 * log: entries in the order in which they came, and cursors that stand at them.
 * Between share, which appends what the upstream received, and channel, which reads through its cursor.
 * Invariant: a cursor is in caught_up exactly when at is NULL, in lagging otherwise, and counted in at->n_cursors; the
 * first entry has a cursor or is kept by the retention, or there is no entry.
 *
 * Nothing here is proportional to the number of cursors but the waking of those that were caught up, nor to what is
 * held but finding one's place: every MILESTONE_STEPth entry is a milestone, and each entry points to the last one before
 * it, so that one goes back from the end in large steps and then forward in small ones.
 */
#include "daemon/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/local/errors.h"

/* An entry has one block or two. */
enum { ENTRY_OVERHEAD = sizeof(struct entry) + 2 * BLOCK_OVERHEAD };

/* A replay of ten thousand messages is found in as many steps as this or fewer. */
enum { MILESTONE_STEP = 128 };

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

/* --- epochs --- */

struct epoch *epoch_ref(struct epoch *epoch)
{
    epoch->n_refs++;
    return epoch;
}

struct epoch *epoch_unref(struct epoch *epoch)
{
    if (epoch != NULL && --epoch->n_refs == 0)
        free(epoch);
    return NULL;
}

static struct epoch *epoch_of(struct list *link)
{
    return LIST_ENTRY(link, struct epoch, link);
}

/* The log forgets those that have no more entries, unless further ones may come: entries go in their order, and so do
 * their epochs. */
static void log_review_epochs(struct log *log)
{
    struct list *epochs = &log->epochs;

    while (!list_is_empty(epochs) && epoch_of(epochs->next)->n_entries == 0 &&
           epoch_of(epochs->next) != log->epoch)
        epoch_unref(epoch_of(list_take_first(epochs)));
}

int log_begin_epoch(struct log *log, const uint8_t id[LOG_EPOCH_LEN])
{
    struct epoch *before = log->epoch;
    struct epoch *epoch = malloc(sizeof(*epoch));

    if (epoch == NULL)
        return -ENOMEM;
    *epoch = (struct epoch){.n_refs = 1, .first_number = log->next_number};
    memcpy(epoch->id, id, LOG_EPOCH_LEN);
    list_init(&epoch->link);
    list_append(&log->epochs, &epoch->link);
    log->epoch = epoch;
    log->is_interrupted = false;
    /* One that never had any entry need not be the first. */
    if (before != NULL && before->n_entries == 0) {
        list_remove(&before->link);
        epoch_unref(before);
    }
    return 0;
}

void log_interrupt(struct log *log)
{
    log->is_interrupted = true;
}

static struct epoch *find_epoch(const struct log *log, const uint8_t id[LOG_EPOCH_LEN])
{
    LIST_FOR_EACH (node, &log->epochs) {
        struct epoch *epoch = epoch_of(node);

        if (memcmp(epoch->id, id, LOG_EPOCH_LEN) == 0)
            return epoch;
    }
    return NULL;
}

/* The first number after the epoch, which the log knows. */
static uint64_t epoch_end(const struct log *log, const struct epoch *epoch)
{
    if (epoch == log->epoch)
        return log->next_number;
    return epoch_of(epoch->link.next)->first_number;
}

/* --- what goes --- */

static void entry_free(struct log *log, struct entry *entry)
{
    charge_shrink(&log->charge, entry_cost(entry));
    epoch_unref(entry->epoch);
    free(entry->taken);
    free(entry);
}

/* Among the last ones that are to be kept; those that were only for one reader are not, when he has passed. */
static bool is_kept(const struct log *log, const struct entry *entry)
{
    return log->retention.messages > 0 && entry->only == 0 &&
           log->public_end - entry->public_before <= log->retention.messages &&
           log->cost_end - entry->cost_before <= log->retention.bytes &&
           !user_is_over(log->owner, QUOTA_QUEUED_BYTES);
}

/* Lets go what stands before the first cursor and is not to be kept. */
static void log_trim(struct log *log)
{
    while (log->first != NULL && log->first->n_cursors == 0 && !is_kept(log, log->first)) {
        struct entry *entry = log->first;

        log->first = entry->next;
        if (log->first == NULL)
            log->last = NULL;
        entry->epoch->n_entries--;
        entry->is_out = true;
        if (entry->n_holds == 0)
            entry_free(log, entry);
    }
    log_review_epochs(log);
    if (log->first == NULL || log->first->n_cursors > 0)
        list_remove(&log->keeper.link);
    else if (!list_is_linked(&log->keeper.link))
        list_append(&log->owner->keepers, &log->keeper.link);
}

static void log_give_way(struct keeper *keeper)
{
    log_trim(LIST_ENTRY(keeper, struct log, keeper));
}

/* --- the log --- */

int log_init(struct log *log, const uint8_t epoch[LOG_EPOCH_LEN], struct user *owner)
{
    *log = (struct log){.next_number = 1, .owner = owner, .keeper = {.give_way = log_give_way}};
    list_init(&log->keeper.link);
    list_init(&log->epochs);
    list_init(&log->caught_up);
    list_init(&log->lagging);
    return log_begin_epoch(log, epoch);
}

struct entry *entry_hold(struct entry *entry)
{
    entry->n_holds++;
    return entry;
}

void log_release(struct log *log, struct entry *entry)
{
    if (--entry->n_holds == 0 && entry->is_out)
        entry_free(log, entry);
}

void log_deinit(struct log *log)
{
    if (log->owner == NULL)
        return;
    assert(list_is_empty(&log->caught_up) && list_is_empty(&log->lagging));
    log_retain_nothing(log);
    assert(log->first == NULL);
    if (log->epoch != NULL)
        list_remove(&log->epoch->link);
    log->epoch = epoch_unref(log->epoch);
}

void log_retain(struct log *log, const struct retention *retention)
{
    if (retention->messages == 0 || retention->bytes == 0)
        return;
    if (log->retention.messages < retention->messages)
        log->retention.messages = retention->messages;
    if (log->retention.bytes < retention->bytes)
        log->retention.bytes = retention->bytes;
}

void log_retain_exactly(struct log *log, const struct retention *retention)
{
    log->retention = (struct retention){0};
    log_retain(log, retention);
    log_trim(log);
}

void log_retain_nothing(struct log *log)
{
    log_retain_exactly(log, &(struct retention){0});
}

/* --- entries --- */

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
        log->last->n_cursors++;
    }
    while ((node = list_first(&woken)) != NULL) {
        struct cursor *cursor = LIST_ENTRY(node, struct cursor, link);

        list_append(&log->lagging, node);
        cursor->wake(cursor);
    }
}

/* The one whom a message is for, who had caught up. */
static void wake_only(struct log *log, struct cursor *cursor)
{
    list_append(&log->lagging, &cursor->link);
    cursor->at = log->last;
    log->last->n_cursors++;
    cursor->wake(cursor);
}

/* Nobody would ever read what comes now. */
static bool is_unheard(const struct log *log)
{
    return list_is_empty(&log->caught_up) && list_is_empty(&log->lagging) &&
           log->retention.messages == 0;
}

/* The last milestone before the entry, NULL if it has gone: milestones have the numbers that MILESTONE_STEP divides. */
static struct entry *milestone_before(const struct log *log, const struct entry *entry)
{
    uint64_t number = (entry->number - 1) / MILESTONE_STEP * MILESTONE_STEP;

    return number >= log->first->number ? entry->milestone : NULL;
}

static void log_link(struct log *log, struct entry *entry)
{
    entry->epoch = epoch_ref(log->epoch);
    entry->epoch->n_entries++;
    entry->number = log->next_number++;
    entry->milestone = log->milestone;
    if (entry->number % MILESTONE_STEP == 0)
        log->milestone = entry;
    entry->cost_before = log->cost_end;
    log->cost_end += entry_cost(entry);
    entry->public_before = log->public_end;
    log->public_end += entry->only == 0;
    charge_force(&log->charge, log->owner, QUOTA_QUEUED_BYTES, entry_cost(entry));
    if (log->last != NULL)
        log->last->next = entry;
    else
        log->first = entry;
    log->last = entry;
}

static void log_add(struct log *log, struct entry *entry)
{
    log_link(log, entry);
    wake_caught_up(log);
    /* The usual case is a reader at the front. */
    if (log->first != NULL && log->first->n_cursors == 0)
        log_trim(log);
}

int log_append(struct log *log, bool is_binary, struct wsp_view payload)
{
    struct entry *entry;

    if (is_unheard(log)) {
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

/* Takes the buffer's bytes, also on failure; a buffer that is much larger than they are is shrunk. NULL: no memory. */
static struct entry *entry_take(bool is_binary, struct wsp_buffer *payload)
{
    struct entry *entry = malloc(sizeof(*entry));

    if (entry == NULL)
        return NULL;
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
    return entry;
}

static void empty_buffer(struct wsp_buffer *buffer, size_t max)
{
    wsp_buffer_deinit(buffer);
    wsp_buffer_init(buffer, max);
}

int log_append_take(struct log *log, bool is_binary, struct wsp_buffer *payload)
{
    size_t max = payload->max;
    struct entry *entry;
    int r = 0;

    if (is_unheard(log)) {
        log->next_number++;
    } else {
        entry = entry_take(is_binary, payload);
        if (entry == NULL)
            r = -ENOMEM;
        else
            log_add(log, entry);
    }
    empty_buffer(payload, max);
    return r;
}

int log_append_only(struct log *log, struct cursor *cursor, bool is_binary,
                    struct wsp_buffer *payload)
{
    size_t max = payload->max;
    struct entry *entry;
    int r = 0;

    if (cursor->log == log) {
        entry = entry_take(is_binary, payload);
        if (entry == NULL) {
            r = -ENOMEM;
        } else {
            entry->only = cursor->id;
            log_link(log, entry);
            log->epoch->has_holes = true;
            if (cursor->at == NULL)
                wake_only(log, cursor);
            log_trim(log);
        }
    }
    empty_buffer(payload, max);
    return r;
}

/* --- finding one's place --- */

/* Where somebody who joins wants to begin: behind a number, or with the last messages. */
struct wish {
    uint64_t number;
    struct retention last;
};

/* Holds for all entries after one for which it holds. */
static bool is_wished(const struct log *log, const struct entry *entry, const struct wish *wish)
{
    return entry->number >= wish->number &&
           log->public_end - entry->public_before <= wish->last.messages &&
           log->cost_end - entry->cost_before <= wish->last.bytes;
}

/* The first entry of the log that is wished, NULL for the end. */
static struct entry *find(const struct log *log, const struct wish *wish)
{
    struct entry *entry = log->last, *milestone;

    if (log->first == NULL || !is_wished(log, entry, wish))
        return NULL;
    while ((milestone = milestone_before(log, entry)) != NULL && is_wished(log, milestone, wish))
        entry = milestone;
    entry = milestone == NULL ? log->first : milestone->next;
    while (!is_wished(log, entry, wish))
        entry = entry->next;
    return entry;
}

/* --- cursors --- */

void cursor_init(struct cursor *cursor, uint64_t id, void (*wake)(struct cursor *cursor))
{
    *cursor = (struct cursor){.id = id, .wake = wake};
    list_init(&cursor->link);
}

/* At that entry of its log or the next one that is not only for another; NULL: at the end. */
static void cursor_place(struct cursor *cursor, struct entry *at)
{
    while (at != NULL && cursor_passes(cursor, at))
        at = at->next;
    cursor->at = at;
    if (at != NULL)
        at->n_cursors++;
}

static void cursor_join_at(struct cursor *cursor, struct log *log, struct entry *at)
{
    assert(cursor->log == NULL);
    cursor->log = log;
    cursor->live_cost = log->cost_end;
    cursor_place(cursor, at);
    list_append(cursor->at == NULL ? &log->caught_up : &log->lagging, &cursor->link);
}

void cursor_join(struct cursor *cursor, struct log *log)
{
    cursor_join_at(cursor, log, NULL);
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void cursor_join_replay(struct cursor *cursor, struct log *log, const struct retention *wish)
{
    struct wish last = {
        .last = {.messages = at_most(wish->messages, log->retention.messages),
                 .bytes = at_most(wish->bytes, log->retention.bytes)},
    };

    cursor_join_at(cursor, log, last.last.messages > 0 ? find(log, &last) : NULL);
}

void cursor_join_after(struct cursor *cursor, struct log *log,
                       const uint8_t epoch_id[LOG_EPOCH_LEN], uint64_t number,
                       const struct retention *wish, struct gap *ret_gap, struct epoch **ret_epoch)
{
    struct wish behind = {.number = number + 1, .last = {UINT64_MAX, UINT64_MAX}};
    struct epoch *epoch = find_epoch(log, epoch_id);
    uint64_t oldest = log->first == NULL ? log->next_number : log->first->number;

    *ret_gap = (struct gap){.reason = 0};
    if (epoch == NULL || number + 1 < epoch->first_number || number >= epoch_end(log, epoch)) {
        cursor_join_replay(cursor, log, wish);
        ret_gap->reason = WSP_GAP_UNKNOWN_EPOCH;
        epoch = cursor_epoch(cursor);
    } else {
        cursor_join_at(cursor, log, find(log, &behind));
    }
    if (ret_gap->reason == 0 && behind.number < oldest) {
        ret_gap->reason = WSP_GAP_NOT_KEPT;
        /* How many of those that are not there any more were for others is not known. */
        ret_gap->is_counted = !epoch->has_holes;
        ret_gap->count = ret_gap->is_counted ? oldest - behind.number : 0;
    }
    *ret_epoch = epoch;
}

/* The cursor stands at no entry any more; who let the log keep it goes on to trim. */
static void cursor_release(struct cursor *cursor)
{
    cursor->at->n_cursors--;
    cursor->at = NULL;
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
    cursor_place(cursor, (struct entry *)(uintptr_t)to);
    if (cursor->at == NULL)
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

static uint64_t lag_from(const struct cursor *cursor, uint64_t begin)
{
    return cursor->log->cost_end - (begin > cursor->live_cost ? begin : cursor->live_cost);
}

uint64_t cursor_lag_live(const struct cursor *cursor)
{
    return cursor->at == NULL ? 0 : lag_from(cursor, cursor->at->cost_before);
}

uint64_t cursor_lag_beyond(const struct cursor *cursor)
{
    return cursor->at == NULL ? 0
                              : lag_from(cursor, cursor->at->cost_before + entry_cost(cursor->at));
}

struct epoch *cursor_epoch(const struct cursor *cursor)
{
    return cursor->at == NULL ? cursor->log->epoch : cursor->at->epoch;
}

uint64_t cursor_number(const struct cursor *cursor)
{
    return cursor->at == NULL ? cursor->log->next_number : cursor->at->number;
}
