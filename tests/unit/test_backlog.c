/*
 * test_backlog: the contract of daemon/backlog.h: what is kept stays in order, what is dropped is counted where it
 * stood, and nothing of either is forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/backlog.h"

#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct quota quota;
static struct user *user;
static struct log messages;
static struct cursor cursor;
static struct backlog backlog;
static struct conflate_key key;
static struct epoch *told; /* the one of the message read last */

static void woken(struct cursor *at)
{
    (void)at;
}

static void begin_epoch(uint8_t id)
{
    uint8_t bytes[LOG_EPOCH_LEN] = {id};

    ck_assert_int_eq(log_begin_epoch(&messages, bytes), 0);
}

static void setup(void)
{
    uint8_t epoch[LOG_EPOCH_LEN] = {1};

    quota_init(&quota);
    ck_assert_int_eq(quota_user_ref(&quota, 1000, &user), 0);
    ck_assert_int_eq(log_init(&messages, epoch, user), 0);
    cursor_init(&cursor, 1, woken);
    cursor_join(&cursor, &messages);
    backlog_init(&backlog);
    ck_assert(conflate_key_parse(wsp_view_of_string("prefix:1"), &key));
    told = epoch_ref(messages.epoch);
}

static void teardown(void)
{
    backlog_clear(&backlog);
    ck_assert_uint_eq(backlog.cost, 0);
    ck_assert_ptr_null(backlog.by_key.root);
    cursor_leave(&cursor);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 0);
    epoch_unref(told);
    log_deinit(&messages);
    user_unref(user);
    quota_deinit(&quota);
}

static void append(const char *text)
{
    ck_assert_int_eq(log_append(&messages, false, wsp_view_of_string(text)), 0);
}

/* A message comes, and is kept, conflated or dropped: +, = or - before its text. */
static int comes(const char *what)
{
    int r = 0;

    append(what + 1);
    if (*what == '+')
        r = backlog_add(&backlog, &messages, cursor.at);
    else if (*what == '=')
        r = backlog_conflate(&backlog, &messages, cursor.at, &key);
    else
        backlog_miss(&backlog, cursor.at);
    cursor_advance(&cursor);
    return r;
}

static void come(const char *texts)
{
    char copy[200], *rest = copy;

    ck_assert_uint_lt(strlen(texts), sizeof(copy));
    strcpy(copy, texts);
    for (const char *text; (text = strtok_r(rest, " ", &rest)) != NULL;) {
        if (*text == '|')
            begin_epoch((uint8_t)text[1]);
        else
            ck_assert_int_eq(comes(text), 0);
    }
}

static const struct epoch *epoch_in_front(void)
{
    const struct backlog_item *item = backlog_first(&backlog);

    return item != NULL ? item->entry->epoch : cursor_epoch(&cursor);
}

/* Reads and tells everything: texts, "(n)" for what is dropped, "|" for an interruption. */
static const char *told_all(void)
{
    static char heard[400];
    const struct backlog_item *item;
    uint64_t before, behind;
    size_t len = 0;

    heard[0] = '\0';
    do {
        item = backlog_first(&backlog);
        backlog_count(&backlog, told, epoch_in_front(), &before, &behind);
        if (before > 0) {
            len += (size_t)sprintf(heard + len, "(%llu) ", (unsigned long long)before);
            backlog_told_before(&backlog, epoch_in_front());
        }
        if (told != epoch_in_front()) {
            len += (size_t)sprintf(heard + len, "| ");
            epoch_unref(told);
            told = epoch_ref((struct epoch *)(uintptr_t)epoch_in_front());
        }
        backlog_count(&backlog, told, epoch_in_front(), &before, &behind);
        ck_assert_uint_eq(before, 0);
        if (behind > 0) {
            len += (size_t)sprintf(heard + len, "(%llu) ", (unsigned long long)behind);
            backlog_told_behind(&backlog);
        }
        if (item != NULL) {
            len += (size_t)sprintf(heard + len, "%.*s ", (int)item->entry->len,
                                   (const char *)item->entry->data);
            backlog_shift(&backlog);
        }
    } while (item != NULL);
    ck_assert(!backlog_has_drops(&backlog));
    if (len > 0)
        heard[len - 1] = '\0';
    return heard;
}

/* --- stories --- */

START_TEST(what_is_kept_is_read_in_order)
{
    come("+a +b +a +c");
    ck_assert_uint_eq(backlog.n_items, 4);
    ck_assert_str_eq(told_all(), "a b a c");
    ck_assert_str_eq(told_all(), "");
}
END_TEST

START_TEST(what_is_dropped_is_counted_where_it_stood)
{
    come("-x +a -x -x +b -x -x -x");
    ck_assert(backlog_has_drops(&backlog));
    ck_assert_uint_eq(backlog.n_dropped, 6);
    ck_assert_uint_eq(backlog.n_dropped_bytes, 6);
    ck_assert_str_eq(told_all(), "(1) a (2) b (3)");
    come("+c");
    ck_assert_str_eq(told_all(), "c");
}
END_TEST

START_TEST(the_newest_of_each_key_stays)
{
    come("=a1 =b1 =a2 =c1 =b2 =a3");
    ck_assert_uint_eq(backlog.n_items, 3);
    ck_assert_str_eq(told_all(), "(3) c1 b2 a3");
    come("=a4 =a5");
    ck_assert_str_eq(told_all(), "(1) a5");
}
END_TEST

START_TEST(counts_of_neighbours_become_one)
{
    come("=a1 -x =b1 -x =b2");
    ck_assert_str_eq(told_all(), "a1 (3) b2");
    come("=a1 -x =b1 -x =a2");
    ck_assert_str_eq(told_all(), "(2) b1 (1) a2");
    come("=a1 -x =b1 -x");
    ck_assert(backlog_drop_last(&backlog));
    ck_assert_str_eq(told_all(), "a1 (3)");
    come("=a1 -x =b1");
    ck_assert(backlog_drop_last(&backlog) && backlog_drop_last(&backlog));
    ck_assert(!backlog_drop_last(&backlog));
    come("=c1");
    ck_assert_str_eq(told_all(), "(3) c1");
}
END_TEST

START_TEST(without_a_key_nothing_is_superseded)
{
    struct conflate_key pointer;

    ck_assert(conflate_key_parse(wsp_view_of_string("/s"), &pointer));
    key = pointer;
    come("=ping ={\"s\":1,\"n\":1} =ping ={\"s\":2} ={\"s\":1,\"n\":2} =ping");
    ck_assert_uint_eq(backlog.n_items, 5);
    ck_assert(backlog_drop_unkeyed(&backlog));
    ck_assert(backlog_drop_unkeyed(&backlog));
    ck_assert_str_eq(told_all(), "(3) {\"s\":2} {\"s\":1,\"n\":2} ping");
    come("=ping ={\"s\":1}");
    ck_assert(backlog_drop_unkeyed(&backlog));
    ck_assert(!backlog_drop_unkeyed(&backlog));
    ck_assert_str_eq(told_all(), "(1) {\"s\":1}");
}
END_TEST

START_TEST(for_one_reader_alone_is_superseded_by_none)
{
    struct wsp_buffer payload;

    for (int i = 0; i < 2; i++) {
        wsp_buffer_init(&payload, 10);
        ck_assert_int_eq(wsp_buffer_append(&payload, "a", 1), 0);
        ck_assert_int_eq(log_append_only(&messages, &cursor, false, &payload), 0);
        ck_assert_int_eq(backlog_conflate(&backlog, &messages, cursor.at, &key), 0);
        cursor_advance(&cursor);
    }
    come("=a =a");
    ck_assert_str_eq(told_all(), "a a (1) a");
}
END_TEST

START_TEST(what_has_begun_stays)
{
    come("=a1 =b1");
    backlog.is_begun = true;
    come("=a2 =a3");
    ck_assert_uint_eq(backlog.n_items, 3);
    ck_assert_str_eq(told_all(), "a1 b1 (1) a3");
    come("=a1");
    backlog.is_begun = true;
    ck_assert(!backlog_drop_last(&backlog));
    backlog_shift(&backlog);
    ck_assert(!backlog.is_begun);
    key = (struct conflate_key){.pointer = wsp_view_of_string("/s")};
    come("=a =b");
    backlog.is_begun = true;
    ck_assert(backlog_drop_unkeyed(&backlog));
    ck_assert(!backlog_drop_unkeyed(&backlog));
    ck_assert_str_eq(told_all(), "a (1)");
}
END_TEST

/* What was lost of a connection stands before its end, what was lost of the next behind it. */
START_TEST(an_interruption_lies_between)
{
    come("+a -x -x |2 -x +b");
    ck_assert_str_eq(told_all(), "a (2) | (1) b");
    come("+a -x |3 -x -x");
    ck_assert_str_eq(told_all(), "a (1) | (2)");
    come("-x |4 -x |5 -x -x +c");
    ck_assert_str_eq(told_all(), "(2) | (2) c");
    come("-x -x |6");
    ck_assert_str_eq(told_all(), "(2) |");
    come("=a1 |7 =b1 |8 =c1 -x =b2 =a2 =c2");
    ck_assert_str_eq(told_all(), "(2) | (2) b2 a2 c2");
    come("=a1 =b1 |9 =a2");
    ck_assert(backlog_drop_last(&backlog) && backlog_drop_last(&backlog));
    ck_assert_str_eq(told_all(), "(2) | (1)");
}
END_TEST

START_TEST(an_item_outlives_its_place_in_the_log)
{
    uint64_t cost;

    come("+a");
    ck_assert_ptr_null(messages.first);
    cost = backlog.cost;
    ck_assert_uint_gt(cost, 0);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], cost); /* charged as long as it is held */
    backlog_clear(&backlog);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 0);
}
END_TEST

START_TEST(two_backlogs_hold_one_entry)
{
    struct backlog other;

    backlog_init(&other);
    append("a");
    ck_assert_int_eq(backlog_add(&backlog, &messages, cursor.at), 0);
    ck_assert_int_eq(backlog_conflate(&other, &messages, cursor.at, &key), 0);
    backlog_shift(&backlog);
    ck_assert_ptr_eq(backlog_first(&other)->entry, cursor.at);
    cursor_advance(&cursor);
    unit_assert_bytes(backlog_first(&other)->entry->data, 1, "a", 1);
    backlog_clear(&other);
    ck_assert_uint_eq(user->used[QUOTA_QUEUED_BYTES], 0);
}
END_TEST

START_TEST(without_memory_nothing_is_lost)
{
    size_t n = 0;
    int r;

    come("=a1 =b1 -x");
    append("a2");
    do {
        allocation_fail_after(n++);
        r = backlog_conflate(&backlog, &messages, cursor.at, &key);
        if (!allocation_disarm())
            break;
        ck_assert_int_eq(r, -ENOMEM);
        /* A channel whose message cannot be kept ends: what is left of its backlog need only be whole. */
        ck_assert_uint_ge(backlog.n_items, 2);
    } while (true);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_gt(n, 2);
}
END_TEST

/* --- against a model --- */

enum { N_MESSAGES = 4000, N_KEYS = 6 };

enum fate { KEPT, DROPPED, DONE };

struct fact {
    enum fate fate;
    char key; /* 0: it has none */
    unsigned epoch;
};

static struct fact facts[N_MESSAGES + 1];
static uint64_t n_facts, n_done; /* messages from 1 on; those up to n_done are read or told */
static unsigned epoch_now, epoch_told;

static uint64_t first_kept(void)
{
    uint64_t number = n_done + 1;

    while (number <= n_facts && facts[number].fate != KEPT)
        number++;
    return number;
}

static uint64_t count_between(uint64_t from, uint64_t to, unsigned epoch, bool is_same)
{
    uint64_t n = 0;

    for (uint64_t number = from; number < to; number++)
        n += (facts[number].epoch == epoch) == is_same;
    return n;
}

static void model_comes(void)
{
    char text[2] = {(char)('a' + rand() % N_KEYS), '\0'};
    struct fact *fact = &facts[++n_facts];
    uint64_t first = first_kept();

    *fact = (struct fact){.fate = KEPT, .key = text[0], .epoch = epoch_now};
    append(text);
    switch (rand() % 4) {
    case 0:
        fact->fate = DROPPED;
        backlog_miss(&backlog, cursor.at);
        break;
    case 1:
        fact->key = 0;
        ck_assert_int_eq(backlog_add(&backlog, &messages, cursor.at), 0);
        break;
    default:
        for (uint64_t number = n_done + 1; number < n_facts; number++)
            if (facts[number].fate == KEPT && facts[number].key == fact->key) {
                if (backlog.is_begun && number == first)
                    facts[number].key = 0;
                else
                    facts[number].fate = DROPPED;
            }
        ck_assert_int_eq(backlog_conflate(&backlog, &messages, cursor.at, &key), 0);
    }
    cursor_advance(&cursor);
}

static void model_drops_last(void)
{
    uint64_t number = n_facts;

    while (number > n_done && facts[number].fate != KEPT)
        number--;
    if (number == n_done || (backlog.is_begun && number == first_kept())) {
        ck_assert(!backlog_drop_last(&backlog));
        return;
    }
    facts[number].fate = DROPPED;
    ck_assert(backlog_drop_last(&backlog));
}

/* Tells what is due and reads one message, as a channel would. */
static void model_reads(void)
{
    uint64_t first = first_kept(), before, behind;
    unsigned epoch = first <= n_facts ? facts[first].epoch : epoch_now;
    const struct backlog_item *item = backlog_first(&backlog);

    ck_assert((item != NULL) == (first <= n_facts));
    backlog_count(&backlog, told, epoch_in_front(), &before, &behind);
    if (epoch_told == epoch) {
        ck_assert_uint_eq(before, 0);
        ck_assert_uint_eq(behind, first - n_done - 1);
    } else {
        ck_assert_uint_eq(before, count_between(n_done + 1, first, epoch, false));
        ck_assert_uint_eq(behind, count_between(n_done + 1, first, epoch, true));
    }
    if (before > 0)
        backlog_told_before(&backlog, epoch_in_front());
    if (behind > 0)
        backlog_told_behind(&backlog);
    epoch_unref(told);
    told = epoch_ref((struct epoch *)(uintptr_t)epoch_in_front());
    epoch_told = epoch;
    n_done = first - 1;
    if (item == NULL)
        return;
    ck_assert_uint_eq(item->entry->number, first);
    if (rand() % 3 == 0) {
        backlog.is_begun = true;
        return;
    }
    backlog_shift(&backlog);
    facts[first].fate = DONE;
    n_done = first;
}

START_TEST(every_message_is_read_or_counted_once)
{
    srand((unsigned)_i + 1);
    while (n_facts < N_MESSAGES) {
        switch (rand() % 12) {
        case 0: model_drops_last(); break;
        case 1:
        case 2:
        case 3: model_reads(); break;
        case 4:
            if (rand() % 4 == 0) {
                begin_epoch((uint8_t)++epoch_now);
            }
            break;
        default: model_comes();
        }
    }
    ck_assert_uint_gt(backlog.n_dropped, N_MESSAGES / 4);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("backlog");
    TCase *story = unit_case(suite, "story");
    TCase *model = unit_case(suite, "model");

    tcase_add_checked_fixture(story, setup, teardown);
    tcase_add_checked_fixture(model, setup, teardown);
    tcase_add_test(story, what_is_kept_is_read_in_order);
    tcase_add_test(story, what_is_dropped_is_counted_where_it_stood);
    tcase_add_test(story, the_newest_of_each_key_stays);
    tcase_add_test(story, counts_of_neighbours_become_one);
    tcase_add_test(story, without_a_key_nothing_is_superseded);
    tcase_add_test(story, for_one_reader_alone_is_superseded_by_none);
    tcase_add_test(story, what_has_begun_stays);
    tcase_add_test(story, an_interruption_lies_between);
    tcase_add_test(story, an_item_outlives_its_place_in_the_log);
    tcase_add_test(story, two_backlogs_hold_one_entry);
    tcase_add_test(story, without_memory_nothing_is_lost);
    tcase_add_loop_test(model, every_message_is_read_or_counted_once, 0, 20);
    return suite;
}
