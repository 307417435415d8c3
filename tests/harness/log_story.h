/*
 * log_story: what tests of a log and of who joins it have in common: a user, whose log it is, and a cursor.
 *
 * Between daemon/log and a test, which includes it once: the story has its own log.
 *
 * Invariant: a cursor is woken when there is something at it, and at its end the log has given back what was charged.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_TESTS_HARNESS_LOG_STORY_H
#define WSPLEX_TESTS_HARNESS_LOG_STORY_H

#include <stdio.h>

#include "daemon/log.h"
#include "daemon/quota.h"
#include "tests/harness/unit.h"

static const struct retention everything = {UINT64_MAX, UINT64_MAX};

static struct quota quota;
static struct user *user;
static struct log messages;
static unsigned n_wakes;
static uint64_t last_cursor_id;

/* Where a cursor stands after it has joined. */
static struct cursor cursor;
static struct gap gap;
static struct epoch *place;

static inline void woken(struct cursor *woken_cursor)
{
    ck_assert_ptr_nonnull(woken_cursor->at);
    n_wakes++;
}

/* Until the next call. */
static inline const uint8_t *epoch_id(unsigned n)
{
    static uint8_t id[LOG_EPOCH_LEN];

    snprintf((char *)id, sizeof(id), "epoch %u", n);
    return id;
}

/* In its first epoch. */
static inline void story_begins(void)
{
    quota_init(&quota);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0);
    ck_assert_int_eq(log_init(&messages, epoch_id(1), user), 0);
    cursor_init(&cursor, ++last_cursor_id, woken);
}

static inline void story_ends(void)
{
    cursor_leave(&cursor);
    log_deinit(&messages);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 0);
    user_unref(user);
    quota_deinit(&quota);
}

static inline void join_after(unsigned epoch, uint64_t number)
{
    cursor_leave(&cursor);
    cursor_join_after(&cursor, &messages, epoch_id(epoch), number, &everything, &gap, &place);
}

static inline void assert_gap(unsigned reason, bool is_counted, uint64_t count)
{
    ck_assert_uint_eq(gap.reason, reason);
    ck_assert_int_eq(gap.is_counted, is_counted);
    ck_assert_uint_eq(gap.count, count);
}

static inline unsigned n_entries(void)
{
    unsigned n = 0;

    for (const struct entry *entry = messages.first; entry != NULL; entry = entry->next, n++)
        ck_assert_uint_eq(entry->number, messages.first->number + n);
    return n;
}

#endif
