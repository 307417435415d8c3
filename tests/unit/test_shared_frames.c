/*
 * test_shared_frames: whatever readers ask for, in whatever order, they get the frames that each of them would have made
 * alone, and what one has been given stays as it is until its plan is over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/shared_frames.h"
#include "proto/local/message.h"
#include "tests/harness/unit.h"

#include <stdlib.h>
#include <string.h>

enum { N_READERS = 6, N_LOGS = 2, MANY = 500 };

static struct quota quota;
static struct user *user;
static struct log logs[N_LOGS];
static struct cursor cursors[N_READERS];
static struct shared_frames *frames;

static void woken(struct cursor *cursor)
{
    (void)cursor;
}

static void setup(void)
{
    quota_init(&quota);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0);
    for (int i = 0; i < N_LOGS; i++) {
        uint8_t epoch[LOG_EPOCH_LEN] = {(uint8_t)i};

        ck_assert_int_eq(log_init(&logs[i], epoch, user), 0);
    }
    for (int i = 0; i < N_READERS; i++) {
        cursor_init(&cursors[i], (uint64_t)i + 1, woken);
        cursor_join(&cursors[i], &logs[i % N_LOGS]);
    }
    frames = calloc(1, sizeof(*frames));
    ck_assert_ptr_nonnull(frames);
    shared_frames_begin(frames);
}

static void teardown(void)
{
    for (int i = 0; i < N_READERS; i++)
        cursor_leave(&cursors[i]);
    for (int i = 0; i < N_LOGS; i++)
        log_deinit(&logs[i]);
    user_unref(user);
    quota_deinit(&quota);
    free(frames);
}

/* Its content tells the log and the number, so that no two are the same. */
static void append(struct log *log, size_t len)
{
    static uint8_t bytes[2 * SHORT_MESSAGE_LEN];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((uint64_t)(log - logs) * 101 + log->next_number * 7 + i);
    ck_assert_int_eq(log_append(log, log->next_number % 3 == 0, (struct wsp_view){bytes, len}), 0);
}

static bool ask(const struct cursor *cursor, uint32_t channel, uint64_t end_number, size_t max_len,
                struct frames_run *ret_run)
{
    const struct frames_wish wish = {
        .from = cursor->at, .end_number = end_number, .channel = channel, .max_len = max_len};

    return shared_frames_get(frames, &wish, ret_run);
}

/* The run is the frames of the messages from the cursor on up to its next. */
static void assert_run(const struct cursor *cursor, uint32_t channel, const struct frames_run *run)
{
    struct wsp_view bytes = frames_run_bytes(run);
    size_t payload_len = 0;

    const struct entry *entry = cursor->at;

    for (unsigned i = run->begin; i < run->end; i++, entry = entry->next) {
        uint8_t header[WSP_WIRE_HEADER_LEN];

        wsp_wire_header_write(header, entry->is_binary ? WSP_LOCAL_BINARY : WSP_LOCAL_TEXT, 0,
                              channel, entry->len);
        ck_assert_uint_ge(bytes.len, sizeof(header) + entry->len);
        unit_assert_bytes(bytes.data, sizeof(header), header, sizeof(header));
        unit_assert_bytes(bytes.data + sizeof(header), entry->len, entry->data, entry->len);
        bytes.data += sizeof(header) + entry->len;
        bytes.len -= sizeof(header) + entry->len;
        payload_len += entry->len;
    }
    ck_assert_uint_eq(bytes.len, 0);
    ck_assert_uint_eq(frames_run_payload_len(run), payload_len);
}

START_TEST(frames_are_made_once_for_the_same_channel_number)
{
    struct frames_run first, second;

    append(&logs[0], 10);
    append(&logs[0], 0);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, SIZE_MAX / 2, &first));
    assert_run(&cursors[0], 1, &first);
    ck_assert_ptr_null(first.next);
    shared_frames_begin(frames);
    ck_assert(ask(&cursors[2], 1, UINT64_MAX, SIZE_MAX / 2, &second));
    ck_assert_ptr_eq(frames_run_bytes(&second).data, frames_run_bytes(&first).data);
    ck_assert(ask(&cursors[4], 2, UINT64_MAX, SIZE_MAX / 2, &second));
    ck_assert_ptr_ne(frames_run_bytes(&second).data, frames_run_bytes(&first).data);
    assert_run(&cursors[4], 2, &second);
}
END_TEST

START_TEST(a_wish_is_kept_to)
{
    struct frames_run run;

    for (int i = 0; i < 10; i++)
        append(&logs[0], 100);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, SIZE_MAX / 2, &run));
    ck_assert_uint_eq(run.end - run.begin, 10);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, 3 * 112, &run));
    ck_assert_uint_eq(run.end - run.begin, 3);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, 4 * 112 - 1, &run));
    ck_assert_uint_eq(run.end - run.begin, 3);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, 1, &run));
    ck_assert_uint_eq(run.end - run.begin, 1);
    ck_assert(ask(&cursors[0], 1, 6, SIZE_MAX / 2, &run));
    ck_assert_uint_eq(run.end - run.begin, 5);
    assert_run(&cursors[0], 1, &run);
    ck_assert_uint_eq(run.next->number, 6);
}
END_TEST

START_TEST(long_messages_end_a_run_and_begin_none)
{
    struct frames_run run;

    append(&logs[0], SHORT_MESSAGE_LEN - 1);
    append(&logs[0], SHORT_MESSAGE_LEN);
    append(&logs[0], 1);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, SIZE_MAX / 2, &run));
    assert_run(&cursors[0], 1, &run);
    ck_assert_uint_eq(run.next->number, 2);
    cursor_advance(&cursors[0]);
    ck_assert(!ask(&cursors[0], 1, UINT64_MAX, SIZE_MAX / 2, &run));
    cursor_advance(&cursors[0]);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, SIZE_MAX / 2, &run));
    assert_run(&cursors[0], 1, &run);
}
END_TEST

START_TEST(a_plan_keeps_what_it_was_given)
{
    struct frames_run runs[N_STRIPS], run;

    append(&logs[0], 50);
    for (uint32_t channel = 0; channel < N_STRIPS; channel++)
        ck_assert(ask(&cursors[0], channel, UINT64_MAX, SIZE_MAX / 2, &runs[channel]));
    ck_assert(!ask(&cursors[0], N_STRIPS, UINT64_MAX, SIZE_MAX / 2, &run));
    append(&logs[0], 50);
    ck_assert(ask(&cursors[0], 2, UINT64_MAX, SIZE_MAX / 2, &run));
    assert_run(&cursors[0], 2, &run);
    for (uint32_t channel = 0; channel < N_STRIPS; channel++)
        assert_run(&cursors[0], channel, &runs[channel]);
    shared_frames_begin(frames);
    ck_assert(ask(&cursors[0], N_STRIPS, UINT64_MAX, SIZE_MAX / 2, &run));
    assert_run(&cursors[0], N_STRIPS, &run);
}
END_TEST

START_TEST(a_run_is_shortened_to_whole_frames)
{
    struct frames_run whole, run;
    size_t len;

    append(&logs[0], 3);
    append(&logs[0], 0);
    append(&logs[0], 30);
    ck_assert(ask(&cursors[0], 1, UINT64_MAX, SIZE_MAX / 2, &whole));
    len = frames_run_bytes(&whole).len;
    ck_assert_uint_eq(len, 15 + 12 + 42);
    for (size_t taken = 0; taken <= len; taken++) {
        run = whole;
        frames_run_shorten(&run, taken);
        assert_run(&cursors[0], 1, &run);
        ck_assert_int_eq((int)(run.end - run.begin), (taken >= 15) + (taken >= 27) + (taken >= 69));
        ck_assert(taken == len || run.next);
    }
}
END_TEST

/* Readers that wander at their own speed, ahead of and behind each other, over strips that fill up and are reused. */
START_TEST(every_reader_gets_its_own_frames)
{
    unsigned n_moved = 0;

    srand(1 + (unsigned)_i);
    for (int step = 0; step < MANY; step++) {
        struct cursor *cursor = &cursors[rand() % N_READERS];
        uint32_t channel = rand() % 4 == 0 ? 2 : 1;
        struct frames_run run;

        if (rand() % 3 == 0)
            for (int i = rand() % 200; i > 0; i--)
                append(&logs[rand() % N_LOGS],
                       (size_t)(rand() % 50 == 0 ? rand() % 20000 : rand() % 300));
        if (cursor->at == NULL)
            continue;
        if (rand() % 2 == 0)
            shared_frames_begin(frames);
        if (!ask(cursor, channel, cursor->at->number + 1 + (uint64_t)(rand() % 500),
                 (size_t)rand() % 100000, &run)) {
            shared_frames_begin(frames);
            if (cursor->at->len >= SHORT_MESSAGE_LEN)
                cursor_advance(cursor);
            continue;
        }
        assert_run(cursor, channel, &run);
        n_moved += run.end - run.begin;
        cursor_move(cursor, run.next);
    }
    ck_assert_uint_gt(n_moved, MANY);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("shared_frames");
    TCase *tcase = unit_case(suite, "shared_frames");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, frames_are_made_once_for_the_same_channel_number);
    tcase_add_test(tcase, a_wish_is_kept_to);
    tcase_add_test(tcase, long_messages_end_a_run_and_begin_none);
    tcase_add_test(tcase, a_plan_keeps_what_it_was_given);
    tcase_add_test(tcase, a_run_is_shortened_to_whole_frames);
    tcase_add_loop_test(tcase, every_reader_gets_its_own_frames, 0, 5);
    return suite;
}
