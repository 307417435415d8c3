/* SPDX-License-Identifier: MIT
 *
 * backlog: entries that one channel still wants, and counts of those that it has lost.
 * Between shedding, which decides, and channel, which reads. Invariant: see backlog.h.
 */
#include "daemon/backlog.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* The item, its place in the tree of keys, and what malloc adds to both. */
enum { ITEM_OVERHEAD = sizeof(struct backlog_item) + 3 * sizeof(void *) + 2 * BLOCK_OVERHEAD };

uint64_t backlog_item_overhead(void)
{
    return ITEM_OVERHEAD;
}

void backlog_init(struct backlog *backlog)
{
    *backlog = (struct backlog){.n_items = 0};
    list_init(&backlog->items);
    list_init(&backlog->unkeyed);
}

bool backlog_is_empty(const struct backlog *backlog)
{
    return backlog->n_items == 0;
}

bool backlog_has_drops(const struct backlog *backlog)
{
    return backlog->drops.earlier + backlog->drops.same > 0;
}

static struct backlog_item *item_of(struct list *node)
{
    return LIST_ENTRY(node, struct backlog_item, link);
}

struct backlog_item *backlog_first(const struct backlog *backlog)
{
    return backlog_is_empty(backlog) ? NULL : item_of(backlog->items.next);
}

struct backlog_item *backlog_next(const struct backlog *backlog, const struct backlog_item *item)
{
    return item->link.next == &backlog->items ? NULL : item_of(item->link.next);
}

static void forget_drops(struct backlog *backlog)
{
    backlog->drops = (struct drops){0};
    backlog->drops_epoch = epoch_unref(backlog->drops_epoch);
}

/* --- keys --- */

static void unkey(struct backlog *backlog, struct backlog_item *item)
{
    if (item->is_keyed)
        key_index_remove(&backlog->by_key, &item->node);
    item->is_keyed = false;
    list_remove(&item->unkeyed_link);
}

/* In the entry once it has been found, as many channels may ask for it. */
static bool find_key(struct entry *entry, const struct conflate_key *key, struct wsp_view *ret_key)
{
    struct wsp_view message = {entry->data, entry->len}, found = {entry->data, 0};

    if (entry->only != 0)
        return false;
    if (entry->key_state == ENTRY_KEY_UNKNOWN) {
        entry->key_state =
            conflate_key_find(key, message, &found) ? ENTRY_KEY_FOUND : ENTRY_KEY_NONE;
        if (entry->key_state == ENTRY_KEY_FOUND && found.len > 0) {
            entry->key_at = (uint32_t)(found.data - entry->data);
            entry->key_len = (uint32_t)found.len;
        }
    }
    *ret_key = (struct wsp_view){entry->data + entry->key_at, entry->key_len};
    return entry->key_state == ENTRY_KEY_FOUND;
}

/* --- items --- */

static void item_free(struct backlog *backlog, struct backlog_item *item)
{
    unkey(backlog, item);
    list_remove(&item->link);
    backlog->n_items--;
    backlog->cost -= entry_cost(item->entry);
    log_release(backlog->log, item->entry);
    free(item);
}

void backlog_clear(struct backlog *backlog)
{
    struct list *node;

    while ((node = list_take_first(&backlog->items)) != NULL)
        item_free(backlog, item_of(node));
    forget_drops(backlog);
    backlog->is_begun = false;
}

/* What was dropped behind the last item stands before this one now, whose epoch is that of the last one dropped or a
 * later one. */
static void take_drops(struct backlog *backlog, struct backlog_item *item)
{
    const struct drops *drops = &backlog->drops;

    if (backlog->drops_epoch == item->entry->epoch)
        item->drops = *drops;
    else
        item->drops = (struct drops){.earlier = drops->earlier + drops->same};
    forget_drops(backlog);
}

static struct backlog_item *item_new(struct backlog *backlog, struct log *log, struct entry *entry)
{
    struct backlog_item *item = malloc(sizeof(*item));

    if (item == NULL)
        return NULL;
    *item = (struct backlog_item){.entry = entry_hold(entry)};
    list_init(&item->link);
    list_init(&item->unkeyed_link);
    take_drops(backlog, item);
    list_append(&backlog->items, &item->link);
    backlog->log = log;
    backlog->n_items++;
    backlog->cost += entry_cost(entry);
    return item;
}

int backlog_add(struct backlog *backlog, struct log *log, struct entry *entry)
{
    return item_new(backlog, log, entry) == NULL ? -ENOMEM : 0;
}

/* --- drops --- */

static void count_dropped(struct backlog *backlog, const struct entry *entry)
{
    backlog->n_dropped++;
    backlog->n_dropped_bytes += entry->len;
}

void backlog_miss(struct backlog *backlog, const struct entry *entry)
{
    struct drops *drops = &backlog->drops;

    if (backlog->drops_epoch != entry->epoch) {
        epoch_unref(backlog->drops_epoch);
        backlog->drops_epoch = epoch_ref(entry->epoch);
        drops->earlier += drops->same;
        drops->same = 0;
    }
    drops->same++;
    count_dropped(backlog, entry);
}

/* The item, and what was dropped before it, becomes part of what was dropped before whatever is behind it: to, of that
 * epoch. */
static void drops_merge(const struct backlog_item *item, const struct epoch *epoch,
                        struct drops *to)
{
    if (item->entry->epoch == epoch) {
        to->same += item->drops.same + 1;
        to->earlier += item->drops.earlier;
    } else {
        to->earlier += item->drops.earlier + item->drops.same + 1;
    }
}

static void item_drop(struct backlog *backlog, struct backlog_item *item)
{
    if (item->link.next != &backlog->items) {
        struct backlog_item *next = item_of(item->link.next);

        drops_merge(item, next->entry->epoch, &next->drops);
    } else {
        if (backlog->drops_epoch == NULL)
            backlog->drops_epoch = epoch_ref(item->entry->epoch);
        drops_merge(item, backlog->drops_epoch, &backlog->drops);
    }
    count_dropped(backlog, item->entry);
    item_free(backlog, item);
}

/* It is being written, and stays to its end. */
static bool is_begun(const struct backlog *backlog, const struct backlog_item *item)
{
    return backlog->is_begun && item == backlog_first(backlog);
}

bool backlog_drop_unkeyed(struct backlog *backlog)
{
    LIST_FOR_EACH (node, &backlog->unkeyed) {
        struct backlog_item *item = LIST_ENTRY(node, struct backlog_item, unkeyed_link);

        if (is_begun(backlog, item))
            continue;
        item_drop(backlog, item);
        return true;
    }
    return false;
}

bool backlog_drop_last(struct backlog *backlog)
{
    struct backlog_item *item;

    if (backlog_is_empty(backlog))
        return false;
    item = item_of(backlog->items.prev);
    if (is_begun(backlog, item))
        return false;
    item_drop(backlog, item);
    return true;
}

int backlog_conflate(struct backlog *backlog, struct log *log, struct entry *entry,
                     const struct conflate_key *key)
{
    struct backlog_item *item = item_new(backlog, log, entry), *before;
    struct key_node *node;

    if (item == NULL)
        return -ENOMEM;
    if (!find_key(entry, key, &item->node.key)) {
        list_append(&backlog->unkeyed, &item->unkeyed_link);
        return 0;
    }
    if (key_index_put(&backlog->by_key, &item->node, &node) < 0)
        return -ENOMEM;
    item->is_keyed = true;
    if (node == NULL)
        return 0;
    before = LIST_ENTRY(node, struct backlog_item, node);
    before->is_keyed = false;
    if (!is_begun(backlog, before))
        item_drop(backlog, before);
    return 0;
}

/* --- reading --- */

uint64_t backlog_dropped_behind(const struct backlog *backlog, const struct backlog_item *item)
{
    const struct backlog_item *next = backlog_next(backlog, item);
    const struct drops *drops = next != NULL ? &next->drops : &backlog->drops;

    return drops->earlier + drops->same;
}

void backlog_shift(struct backlog *backlog)
{
    struct backlog_item *item = item_of(backlog->items.next);

    assert(item->drops.earlier + item->drops.same == 0);
    item_free(backlog, item);
    backlog->is_begun = false;
}

/* Before the first item, or before the cursor, whose epoch is given, if there is none. */
static struct drops drops_in_front(const struct backlog *backlog, const struct epoch *epoch)
{
    const struct drops *drops = &backlog->drops;

    if (!backlog_is_empty(backlog))
        return backlog_first(backlog)->drops;
    if (backlog->drops_epoch == epoch)
        return *drops;
    return (struct drops){.earlier = drops->earlier + drops->same};
}

static void set_drops_in_front(struct backlog *backlog, struct drops drops)
{
    if (!backlog_is_empty(backlog))
        backlog_first(backlog)->drops = drops;
    else if (drops.same == 0)
        forget_drops(backlog);
    else
        backlog->drops = drops;
}

void backlog_count(const struct backlog *backlog, const struct epoch *told,
                   const struct epoch *epoch, uint64_t *ret_before, uint64_t *ret_behind)
{
    struct drops drops = drops_in_front(backlog, epoch);

    *ret_before = told == epoch ? 0 : drops.earlier;
    *ret_behind = drops.same + drops.earlier - *ret_before;
}

void backlog_told_before(struct backlog *backlog, const struct epoch *epoch)
{
    struct drops drops = drops_in_front(backlog, epoch);

    drops.earlier = 0;
    set_drops_in_front(backlog, drops);
}

void backlog_told_behind(struct backlog *backlog)
{
    set_drops_in_front(backlog, (struct drops){0});
}
