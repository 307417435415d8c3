/* SPDX-License-Identifier: MIT
 *
 * log: an upstream's run of messages that some channel still needs, and the cursors that read it. A
 * message that arrives becomes one immutable entry, held once however many channels receive it; lag
 * is arithmetic on cursors.
 * Neighbours: share appends; client reads through each channel's cursor.
 * Invariant: entries are numbered without holes from first to last, and an entry is held exactly as
 * long as a cursor stands at it or before it.
 */
#ifndef WSPLEX_DAEMON_LOG_H
#define WSPLEX_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/list.h"
#include "daemon/quota.h"
#include "proto/buffer.h"

enum { LOG_EPOCH_LEN = 16 };

struct entry {
    struct entry *next;
    uint64_t number;
    uint64_t cost_before; /* sum of the costs of all entries of this log before this one */
    const uint8_t *data;
    size_t len;
    unsigned n_cursors; /* that stand here */
    bool is_binary;
    uint8_t *taken; /* the block that data is in, to be freed; NULL: it is in bytes */
    uint8_t bytes[];
};

/* What an entry costs in quota and lag: its payload and what holds it, so that empty messages are
 * not free. */
uint64_t entry_cost(const struct entry *entry);

struct log {
    uint8_t epoch[LOG_EPOCH_LEN];
    uint64_t next_number; /* the first message has 1 */
    struct entry *first, *last;
    uint64_t cost_end;    /* cost_before of the entry that comes next */
    struct charge charge; /* QUEUED_BYTES */
    struct user *owner;
    struct list caught_up, lagging; /* cursors */
};

/* A channel's place. at is the entry to be read next, NULL when caught up; offset is how much of
 * its payload is out already, which only the reader of the cursor changes. */
struct cursor {
    struct log *log;
    struct list link;
    struct entry *at;
    size_t offset;
    void (*wake)(struct cursor *cursor); /* was caught up, has something to read now */
};

/* The epoch is 128 random bits given by the caller; the bytes held are charged (by force) to owner,
 * who must outlive the log. */
void log_init(struct log *log, const uint8_t epoch[LOG_EPOCH_LEN], struct user *owner);
void log_deinit(struct log *log); /* every cursor must have left */

/* Adds a message and wakes every cursor that was caught up; a waker may move, join or leave with
 * any cursor. Without any cursor the message only counts. log_append copies; log_append_take
 * becomes owner of the buffer's bytes (and leaves it empty, its max kept), also on failure. Returns
 * 0 or -ENOMEM. */
int log_append(struct log *log, bool is_binary, struct wsp_view payload);
int log_append_take(struct log *log, bool is_binary, struct wsp_buffer *payload);

void cursor_init(struct cursor *cursor, void (*wake)(struct cursor *cursor));

/* Stands at the end: the next message that arrives is the first it reads. */
void cursor_join(struct cursor *cursor, struct log *log);

/* Leaves the log, which lets go what nobody else needs. Takes a cursor that is in no log. */
void cursor_leave(struct cursor *cursor);

/* To an entry after the current one, NULL for the end; those before it may be gone after this. at
 * must not be NULL. */
void cursor_move(struct cursor *cursor, const struct entry *to);

/* Past the current entry. */
void cursor_advance(struct cursor *cursor);

/* What still has to be read, the current entry included whole; 0 in no log. */
uint64_t cursor_lag_messages(const struct cursor *cursor);
uint64_t cursor_lag_cost(const struct cursor *cursor);

/* The same without the current entry. */
uint64_t cursor_lag_beyond(const struct cursor *cursor);

/* Number of the next message that the cursor, which must be in a log, reads. */
uint64_t cursor_number(const struct cursor *cursor);

#endif
