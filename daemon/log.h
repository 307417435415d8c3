/* SPDX-License-Identifier: MIT
 *
 * log: a share's run of messages, through all the connections of its upstream, and the cursors that
 * read it. A message that arrives becomes one immutable entry, held once however many channels
 * receive it; lag, replay and resuming are arithmetic on cursors.
 * Neighbours: share appends and tells of each new connection; client reads through each channel's
 * cursor.
 * Invariant: entries are numbered without holes from first to last; an entry is held exactly as
 * long as a cursor stands at it or before it, or as it is among the last ones that the log is to
 * keep and its owner's quota had room for them.
 *
 * Numbers go on through the log's whole life. What ends with a connection is an epoch, as nobody
 * knows what the server has said until the next one: a position is an epoch and a number in it.
 *
 *     epoch       E1           E2                 E3 (current)
 *     numbers     1  2  3  4 | 5  6  7  8  9 10 | 11 12 13
 *     entries              o   o  o  o  o  o  o    o  o  o     next_number 14
 *                          ^first: E1 is known    ^cursor     ^cursors that have caught up
 *                           as long as this stays  at it       stand here: at is NULL
 */
#ifndef WSPLEX_DAEMON_LOG_H
#define WSPLEX_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/list.h"
#include "daemon/quota.h"
#include "daemon/retention.h"
#include "proto/buffer.h"

enum { LOG_EPOCH_LEN = 16 };

/* One connection's part of a log. Its log knows it as long as it is the current one or has
 * entries; it lives as long as somebody refers to it. */
struct epoch {
    struct list link; /* in log->epochs while the log knows it */
    unsigned n_refs;  /* the log's, and those of channels */
    uint8_t id[LOG_EPOCH_LEN];
    uint64_t first_number; /* of its first message, whether there was one or not */
    uint64_t n_entries;
    bool has_holes; /* some of its numbers were for one reader only */
};
struct epoch *epoch_ref(struct epoch *epoch);
struct epoch *epoch_unref(struct epoch *epoch); /* takes NULL; returns NULL */

enum entry_key { ENTRY_KEY_UNKNOWN, ENTRY_KEY_NONE, ENTRY_KEY_FOUND };

struct entry {
    struct entry *next; /* not of one that is out of the log */
    struct epoch *epoch;
    struct entry
        *milestone; /* an entry before this one, perhaps gone: its number tells, see log.c */
    uint64_t number;
    uint64_t cost_before;   /* sum of the costs of all entries of this log before this one */
    uint64_t public_before; /* how many of these are for all */
    uint64_t only; /* id of the one cursor that it is for, others pass over it; 0: for all */
    const uint8_t *data;
    size_t len;
    unsigned n_cursors; /* that stand here */
    unsigned n_holds;   /* of backlogs */
    bool is_binary;
    bool is_out;              /* of the log: only held */
    uint8_t key_state;        /* enum entry_key: of the following, which is what a backlog found */
    uint32_t key_at, key_len; /* in data */
    uint8_t *taken;           /* the block that data is in, to be freed; NULL: it is in bytes */
    uint8_t bytes[];
};

/* What an entry costs in quota and lag: its payload and what holds it, so that empty messages are
 * not free. */
uint64_t entry_cost(const struct entry *entry);

struct log {
    struct list epochs;  /* those that have entries, the oldest first, then the current one */
    struct epoch *epoch; /* the current one */
    bool is_interrupted; /* between log_interrupt and log_begin_epoch */
    struct retention
        retention; /* what is held on to when everybody has read it; messages are those for all */
    uint64_t next_number; /* the first message has 1 */
    struct entry *first, *last;
    struct entry *milestone; /* the last one, perhaps gone */
    uint64_t cost_end;       /* cost_before of the entry that comes next */
    uint64_t public_end;     /* likewise */
    struct charge charge;    /* QUEUED_BYTES */
    struct keeper keeper;    /* among the owner's while the first entry is only kept */
    struct user *owner;
    struct list caught_up, lagging; /* cursors */
};

/* A channel's place. at is the entry to be read next, NULL when caught up. It never stands at an
 * entry that is only for another. */
struct cursor {
    struct log *log;
    struct list link;
    struct entry *at;
    uint64_t id;
    uint64_t live_cost; /* cost_end when it joined: what it lags for is after this */
    void (*wake)(struct cursor *cursor); /* was caught up, has something to read now */
};

/* What is missing before a message, in the words of the GAP frame. */
struct gap {
    uint8_t reason; /* enum wsp_gap; 0: there is none */
    bool is_counted;
    uint64_t count;
};

/* An epoch is 128 random bits given by the caller; the bytes held are charged (by force) to owner,
 * who must outlive the log. It keeps nothing. 0, -ENOMEM. A zeroed log may be deinited. */
int log_init(struct log *log, const uint8_t epoch[LOG_EPOCH_LEN], struct user *owner);
void log_deinit(struct log *log); /* every cursor must have left */

/* Keeps at least so much from now on: the more generous of both holds, for messages and for bytes. */
void log_retain(struct log *log, const struct retention *retention);

/* Nobody will join any more. */
/* So much, and no more: what is too old for it goes. */
void log_retain_exactly(struct log *log, const struct retention *retention);
void log_retain_nothing(struct log *log);

/* The connection is over, and the next message will be of another epoch. Harmless if it is said
 * twice. */
void log_interrupt(struct log *log);

/* Another connection has opened: what comes from now on is of this epoch. 0; -ENOMEM, and nothing
 * has changed. */
int log_begin_epoch(struct log *log, const uint8_t epoch[LOG_EPOCH_LEN]);

/* Adds a message and wakes every cursor that was caught up; a waker may move, join or leave with
 * any cursor. Without any cursor and anything to keep the message only counts. log_append copies;
 * log_append_take becomes owner of the buffer's bytes (and leaves it empty, its max kept), also on
 * failure. log_append_only takes too, and the message is for that cursor alone: if it is not in
 * this log, nothing happens at all. Return 0 or -ENOMEM. */
int log_append(struct log *log, bool is_binary, struct wsp_view payload);
int log_append_take(struct log *log, bool is_binary, struct wsp_buffer *payload);
int log_append_only(struct log *log, struct cursor *cursor, bool is_binary,
                    struct wsp_buffer *payload);

/* The entry, in the log when it is first held, stays when the log lets it go, and stays charged to
 * the log's owner, until it is released as often. The log must live until then. */
struct entry *entry_hold(struct entry *entry);
void log_release(struct log *log, struct entry *entry);

/* id: not 0, and no other cursor's ever. */
void cursor_init(struct cursor *cursor, uint64_t id, void (*wake)(struct cursor *cursor));

/* Stands at the end: the next message that arrives is the first it reads. */
void cursor_join(struct cursor *cursor, struct log *log);

/* Stands at the first of the last messages of the log, at most so many of them as the wish says
 * (and the log keeps), or at the end. */
void cursor_join_replay(struct cursor *cursor, struct log *log, const struct retention *wish);

/* Stands behind the message of that number in that epoch, and *ret_gap has reason 0, if what comes
 * then is still there. Otherwise *ret_gap says what is missing before the message at which it
 * stands: at the oldest that is held, if the position is one of an epoch that the log knows
 * (NOT_KEPT), else as cursor_join_replay (UNKNOWN_EPOCH). *ret_epoch, not counted: in which the
 * reader counts; where that is not the epoch of what comes next, an interruption lies between. */
void cursor_join_after(struct cursor *cursor, struct log *log, const uint8_t epoch[LOG_EPOCH_LEN],
                       uint64_t number, const struct retention *wish, struct gap *ret_gap,
                       struct epoch **ret_epoch);

/* Leaves the log, which lets go what nobody else needs. Takes a cursor that is in no log. */
void cursor_leave(struct cursor *cursor);

/* To an entry after the current one, NULL for the end, or the next after it that is not only for
 * another; those before it may be gone after this. at must not be NULL. */
void cursor_move(struct cursor *cursor, const struct entry *to);

/* Past the current entry. */
void cursor_advance(struct cursor *cursor);

/* Is this entry passed over? */
static inline bool cursor_passes(const struct cursor *cursor, const struct entry *entry)
{
    return entry->only != 0 && entry->only != cursor->id;
}

/* The epoch of what it reads next; the log's current one at the end. It must be in a log. */
struct epoch *cursor_epoch(const struct cursor *cursor);

/* What still has to be read, the current entry included whole; 0 in no log. */
uint64_t cursor_lag_messages(const struct cursor *cursor);
uint64_t cursor_lag_cost(const struct cursor *cursor);

/* The same without what was there before it joined, as no reader is slow because it was given much
 * to begin with; and without the current entry as well. */
uint64_t cursor_lag_live(const struct cursor *cursor);
uint64_t cursor_lag_beyond(const struct cursor *cursor);

/* Number of the next message that the cursor, which must be in a log, reads; others may be passed
 * over before there is one. */
uint64_t cursor_number(const struct cursor *cursor);

#endif
