/* SPDX-License-Identifier: MIT
 *
 * backlog: what a channel that does not keep up still gets, and how much of the rest it has lost.
 * Its policy moves messages out of the log into it, so that the log need not hold them for one
 * channel, and drops others, of which nothing is left but a count where they stood.
 * Neighbours: shedding fills it and drops; channel reads it before its cursor.
 * Invariant: items stand in the order of their numbers, all of them before the cursor of their
 * channel; each message that the channel should have had is read, an item, at or behind the cursor,
 * or in exactly one count.
 *
 *     read      | backlog                                                 | log
 *     ..., 3, 4 | (2 dropped: 5, 6)  7  (1 dropped: 8)  9  (30: 10 to 39) | 40  41  42
 *               |  drops of item     7   of item        9   of the backlog  | ^ cursor
 *
 * A count is in two parts, because an interruption may lie between: same counts the messages of the
 * epoch of what comes behind it (of the last one dropped, where that is the cursor), earlier those of
 * the epochs before.
 */
#ifndef WSPLEX_DAEMON_BACKLOG_H
#define WSPLEX_DAEMON_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conflate_key.h"
#include "daemon/key_index.h"
#include "daemon/list.h"
#include "daemon/log.h"

struct drops {
    uint64_t earlier, same;
};

struct backlog_item {
    struct list link;
    struct list unkeyed_link; /* in backlog->unkeyed while it has no key */
    struct entry *entry;      /* held */
    struct key_node node;     /* in backlog->by_key while is_keyed */
    struct drops drops;       /* between the item before and this one */
    bool is_keyed;
};

struct backlog {
    struct log *log; /* of all entries; NULL as long as there was none */
    struct list items;
    struct list unkeyed;
    struct key_index by_key;
    uint64_t n_items;
    uint64_t cost;      /* of their entries */
    struct drops drops; /* behind the last item */
    /* That drops.same is about, a reference; NULL: nothing is dropped there. */
    struct epoch *drops_epoch;
    bool is_begun; /* what is read first has been written in part: it is not dropped */
    /* counters, of all its life */
    uint64_t n_dropped, n_dropped_bytes; /* messages, and their payload */
};

/* What an item takes beside its entry. */
uint64_t backlog_item_overhead(void);

void backlog_init(struct backlog *backlog);

/* Lets all items go and forgets what was dropped; the counters stay. Takes one that is empty. */
void backlog_clear(struct backlog *backlog);

bool backlog_is_empty(const struct backlog *backlog);  /* of items */
bool backlog_has_drops(const struct backlog *backlog); /* behind the last item */

/* The first item, and the one behind that; NULL: there is none. */
struct backlog_item *backlog_first(const struct backlog *backlog);
struct backlog_item *backlog_next(const struct backlog *backlog, const struct backlog_item *item);

/* A message that came behind all others is one more item, and is held. 0, -ENOMEM. */
int backlog_add(struct backlog *backlog, struct log *log, struct entry *entry);

/* The same, and the item that has the same key is dropped. One without a key, or for this channel
 * alone, is superseded by none. */
int backlog_conflate(struct backlog *backlog, struct log *log, struct entry *entry,
                     const struct conflate_key *key);

/* A message that came behind all others is dropped: it only counts. */
void backlog_miss(struct backlog *backlog, const struct entry *entry);

/* Drops the oldest item without a key, or the last of all; not one that is begun. False: there is
 * none. */
bool backlog_drop_unkeyed(struct backlog *backlog);
bool backlog_drop_last(struct backlog *backlog);

/* How many messages were dropped between the item and what comes behind it. */
uint64_t backlog_dropped_behind(const struct backlog *backlog, const struct backlog_item *item);

/* The first item has been read whole: it goes. */
void backlog_shift(struct backlog *backlog);

/* What stands before the first item, or before the cursor if there is none; epoch is that of the
 * message there, or of the log's end. before is the part to be told before an interruption that
 * leads from the epoch read last, told, to that; behind is the part behind it, or all where none
 * lies between. Telling one forgets it. */
void backlog_count(const struct backlog *backlog, const struct epoch *told,
                   const struct epoch *epoch, uint64_t *ret_before, uint64_t *ret_behind);
void backlog_told_before(struct backlog *backlog, const struct epoch *epoch);
void backlog_told_behind(struct backlog *backlog);

#endif
