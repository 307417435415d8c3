/*
 * test_buffer: the contract of proto/buffer.h, line by line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/buffer.h"
#include "tests/harness/allocation.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void assert_holds(const struct wsp_buffer *b, const char *expected)
{
    unit_assert_bytes(wsp_buffer_peek(b), wsp_buffer_len(b), expected, strlen(expected));
}

START_TEST(empty_buffer_has_no_memory)
{
    struct wsp_buffer b;

    wsp_buffer_init(&b, 100);
    ck_assert_uint_eq(wsp_buffer_len(&b), 0);
    ck_assert_ptr_null(wsp_buffer_peek(&b));
    ck_assert_uint_eq(b.capacity, 0);
    wsp_buffer_deinit(&b);
    wsp_buffer_deinit(&b);
    wsp_buffer_deinit(NULL);
}
END_TEST

START_TEST(nothing_is_legal_everywhere)
{
    struct wsp_buffer b;
    uint8_t *room;

    wsp_buffer_init(&b, 0);
    ck_assert_int_eq(wsp_buffer_append(&b, NULL, 0), 0);
    ck_assert_int_eq(wsp_buffer_reserve(&b, 0, &room), 0);
    wsp_buffer_commit(&b, 0);
    wsp_buffer_consume(&b, 0);
    wsp_buffer_truncate(&b, 0);
    wsp_buffer_trim(&b);
    ck_assert_uint_eq(wsp_buffer_len(&b), 0);
    wsp_buffer_deinit(&b);
}
END_TEST

START_TEST(bytes_leave_in_the_order_they_came)
{
    struct wsp_buffer b;

    wsp_buffer_init(&b, 100);
    ck_assert_int_eq(wsp_buffer_append(&b, "abc", 3), 0);
    ck_assert_int_eq(wsp_buffer_append(&b, "def", 3), 0);
    assert_holds(&b, "abcdef");
    wsp_buffer_consume(&b, 2);
    assert_holds(&b, "cdef");
    wsp_buffer_truncate(&b, 3);
    assert_holds(&b, "cde");
    wsp_buffer_consume(&b, 3);
    assert_holds(&b, "");
    ck_assert_int_eq(wsp_buffer_append(&b, "x", 1), 0);
    assert_holds(&b, "x");
    wsp_buffer_deinit(&b);
}
END_TEST

START_TEST(room_is_not_content_until_committed)
{
    struct wsp_buffer b;
    uint8_t *room;

    wsp_buffer_init(&b, 100);
    ck_assert_int_eq(wsp_buffer_reserve(&b, 10, &room), 0);
    memcpy(room, "0123456789", 10);
    assert_holds(&b, "");
    wsp_buffer_commit(&b, 4);
    assert_holds(&b, "0123");
    wsp_buffer_deinit(&b);
}
END_TEST

START_TEST(cap_is_exact_and_refusal_changes_nothing)
{
    struct wsp_buffer b;
    uint8_t *room = NULL;

    wsp_buffer_init(&b, 8);
    ck_assert_int_eq(wsp_buffer_append(&b, "12345678", 8), 0);
    ck_assert_int_eq(wsp_buffer_append(&b, "9", 1), -ENOBUFS);
    ck_assert_int_eq(wsp_buffer_append_u8(&b, 9), -ENOBUFS);
    ck_assert_int_eq(wsp_buffer_reserve(&b, SIZE_MAX, &room), -ENOBUFS);
    ck_assert_ptr_null(room);
    assert_holds(&b, "12345678");
    wsp_buffer_consume(&b, 1);
    ck_assert_int_eq(wsp_buffer_append(&b, "9", 1), 0);
    assert_holds(&b, "23456789");
    wsp_buffer_deinit(&b);
}
END_TEST

START_TEST(refused_memory_changes_nothing)
{
    struct wsp_buffer b;
    uint8_t big[4096] = {0};
    int r;

    wsp_buffer_init(&b, sizeof(big) * 2);
    ck_assert_int_eq(wsp_buffer_append(&b, "abc", 3), 0);
    allocation_fail_after(0);
    r = wsp_buffer_append(&b, big, sizeof(big));
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    assert_holds(&b, "abc");
    ck_assert_int_eq(wsp_buffer_append(&b, big, sizeof(big)), 0);
    ck_assert_uint_eq(wsp_buffer_len(&b), 3 + sizeof(big));
    wsp_buffer_deinit(&b);
}
END_TEST

START_TEST(trim_frees_only_an_empty_buffer)
{
    struct wsp_buffer b;

    wsp_buffer_init(&b, 100);
    ck_assert_int_eq(wsp_buffer_append(&b, "abc", 3), 0);
    wsp_buffer_trim(&b);
    assert_holds(&b, "abc");
    wsp_buffer_consume(&b, 3);
    ck_assert_ptr_nonnull(b.data);
    wsp_buffer_trim(&b);
    ck_assert_ptr_null(b.data);
    ck_assert_uint_eq(b.capacity, 0);
    ck_assert_int_eq(wsp_buffer_append(&b, "d", 1), 0);
    assert_holds(&b, "d");
    wsp_buffer_deinit(&b);
}
END_TEST

/* A queue that is filled once and emptied must not hold more memory than its cap. */
START_TEST(filling_stops_at_the_cap)
{
    struct wsp_buffer b;

    wsp_buffer_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(wsp_buffer_append_u8(&b, (uint8_t)i), 0);
    ck_assert_uint_eq(b.capacity, 1000);
    wsp_buffer_deinit(&b);
}
END_TEST

/* The worst case: always nearly full, one byte out and one in. Data that moved shows in its address. */
START_TEST(full_queue_is_seldom_moved)
{
    const size_t max = 1000;
    struct wsp_buffer b;
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    size_t n_moves = 0;

    wsp_buffer_init(&b, max);
    for (size_t i = 0; i < max - 1; i++)
        ck_assert_int_eq(wsp_buffer_append_u8(&b, next_in++), 0);
    for (size_t i = 0; i < 100 * max; i++) {
        size_t start = b.start;

        ck_assert_int_eq(wsp_buffer_append_u8(&b, next_in++), 0);
        n_moves += b.start < start;
        ck_assert_uint_eq(*wsp_buffer_peek(&b), next_out++);
        wsp_buffer_consume(&b, 1);
        ck_assert_uint_le(b.capacity, 2 * max);
    }
    ck_assert_uint_le(n_moves, 101);
    wsp_buffer_deinit(&b);
}
END_TEST

START_TEST(integers_have_the_order_of_their_name)
{
    static const uint8_t bytes[] = {
        0x01,                                           /* u8 */
        0x02, 0x01,                                     /* u16le */
        0x04, 0x03, 0x02, 0x01,                         /* u32le */
        0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x81, /* u64le */
        0x81, 0x02,                                     /* u16be */
    };
    struct wsp_view view = {bytes, sizeof(bytes)};
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    ck_assert(wsp_view_take_u8(&view, &u8) && u8 == 0x01);
    ck_assert(wsp_view_take_u16le(&view, &u16) && u16 == 0x0102);
    ck_assert(wsp_view_take_u32le(&view, &u32) && u32 == 0x01020304);
    ck_assert(wsp_view_take_u64le(&view, &u64) && u64 == 0x8102030405060708);
    ck_assert(wsp_view_take_u16be(&view, &u16) && u16 == 0x8102);
    ck_assert_uint_eq(view.len, 0);
}
END_TEST

/* Loop test: views of 0 to 8 bytes that end at an unmapped page, against every taker. */
START_TEST(short_view_is_refused_and_untouched)
{
    static const uint8_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    size_t len = (size_t)_i;
    uint8_t u8 = 7;
    uint16_t u16 = 7;
    uint32_t u32 = 7;
    uint64_t u64 = 7;
    struct wsp_view taken = WSP_VIEW_LITERAL("7");
    struct guard guard;
    struct wsp_view view;

    guard_init(&guard, ones, len);
#define CHECK_TAKER(width, call, ret)                   \
    do {                                                \
        view = (struct wsp_view){guard.data, len};      \
        ck_assert_int_eq(call, len >= (width));         \
        ck_assert_int_eq((ret) == 7, len < (width));    \
        if (len < (width)) {                            \
            ck_assert_ptr_eq(view.data, guard.data);    \
            ck_assert_uint_eq(view.len, len);           \
        } else {                                        \
            ck_assert_uint_eq(view.len, len - (width)); \
        }                                               \
        (ret) = 7;                                      \
    } while (0)
    CHECK_TAKER(1, wsp_view_take_u8(&view, &u8), u8);
    CHECK_TAKER(2, wsp_view_take_u16le(&view, &u16), u16);
    CHECK_TAKER(2, wsp_view_take_u16be(&view, &u16), u16);
    CHECK_TAKER(4, wsp_view_take_u32le(&view, &u32), u32);
    CHECK_TAKER(8, wsp_view_take_u64le(&view, &u64), u64);
#undef CHECK_TAKER
    view = (struct wsp_view){guard.data, len};
    ck_assert(!wsp_view_take(&view, len + 1, &taken));
    ck_assert(wsp_view_equals(taken, WSP_VIEW_LITERAL("7")));
    ck_assert(wsp_view_take(&view, len, &taken));
    ck_assert_uint_eq(taken.len, len);
    ck_assert_uint_eq(view.len, 0);
    guard_deinit(&guard);
}
END_TEST

START_TEST(views_compare_by_content)
{
    struct wsp_view nothing = {0};
    struct wsp_view taken;

    ck_assert(wsp_view_equals(nothing, WSP_VIEW_LITERAL("")));
    ck_assert(wsp_view_equals(nothing, wsp_view_of_string(NULL)));
    ck_assert(wsp_view_equals(wsp_view_of_string("ab"), WSP_VIEW_LITERAL("ab")));
    ck_assert(!wsp_view_equals(wsp_view_of_string("ab"), WSP_VIEW_LITERAL("ac")));
    ck_assert(!wsp_view_equals(wsp_view_of_string("ab"), WSP_VIEW_LITERAL("abc")));
    ck_assert_uint_eq(WSP_VIEW_LITERAL("a\0b").len, 3);
    ck_assert(wsp_view_take(&nothing, 0, &taken));
    ck_assert_uint_eq(taken.len, 0);
    ck_assert(!wsp_view_take(&nothing, 1, &taken));
}
END_TEST

START_TEST(string_of_a_view_is_a_copy)
{
    struct guard guard;
    char *string;

    guard_init(&guard, "abc", 3);
    string = wsp_view_to_string((struct wsp_view){guard.data, guard.len});
    ck_assert_str_eq(string, "abc");
    free(string);
    string = wsp_view_to_string((struct wsp_view){0});
    ck_assert_str_eq(string, "");
    free(string);
    allocation_fail_after(0);
    string = wsp_view_to_string(WSP_VIEW_LITERAL("abc"));
    ck_assert(allocation_disarm());
    ck_assert_ptr_null(string);
    guard_deinit(&guard);
}
END_TEST

static struct {
    const void *block;
    size_t len;
    unsigned n_freed;
} watched;

static void assert_wiped(const void *block)
{
    const uint8_t *bytes = block;

    if (block != watched.block)
        return;
    watched.n_freed++;
    for (size_t i = 0; i < watched.len; i++)
        ck_assert_msg(bytes[i] == 0, "byte %zu of a freed block is not wiped", i);
}

/* Its whole block has something in it, committed or not. */
static void fill_block(struct wsp_buffer *b)
{
    uint8_t *room;

    ck_assert_int_eq(wsp_buffer_reserve(b, b->capacity - b->end, &room), 0);
    memset(room, 's', b->capacity - b->end);
    watched.block = b->data;
    watched.len = b->capacity;
    watched.n_freed = 0;
}

START_TEST(secret_leaves_nothing_behind)
{
    static const uint8_t nothing[256];
    struct wsp_buffer b;

    wsp_buffer_init(&b, 100000);
    wsp_buffer_keep_secret(&b);
    ck_assert_int_eq(wsp_buffer_append(&b, "abcdefgh", 8), 0);
    wsp_buffer_consume(&b, 3);
    unit_assert_bytes(b.data, 8, "\0\0\0defgh", 8);
    wsp_buffer_truncate(&b, 2);
    unit_assert_bytes(b.data, 8, "\0\0\0de\0\0\0", 8);
    allocation_on_free(assert_wiped);
    fill_block(&b);
    ck_assert_int_eq(wsp_buffer_append(&b, nothing, sizeof(nothing)), 0);
    ck_assert_uint_eq(watched.n_freed, 1);
    fill_block(&b);
    wsp_buffer_consume(&b, wsp_buffer_len(&b));
    wsp_buffer_trim(&b);
    ck_assert_uint_eq(watched.n_freed, 1);
    ck_assert(!b.is_secret);
    wsp_buffer_keep_secret(&b);
    ck_assert_int_eq(wsp_buffer_append(&b, "abc", 3), 0);
    fill_block(&b);
    wsp_buffer_deinit(&b);
    ck_assert_uint_eq(watched.n_freed, 1);
    allocation_on_free(NULL);
}
END_TEST

/* What is moved to the front leaves no second copy at its old place. */
START_TEST(secret_is_not_left_where_it_was_moved_from)
{
    struct wsp_buffer b;
    uint8_t *room;
    size_t capacity;

    wsp_buffer_init(&b, 256);
    wsp_buffer_keep_secret(&b);
    ck_assert_int_eq(wsp_buffer_reserve(&b, 256, &room), 0);
    capacity = b.capacity;
    memset(room, 'a', capacity);
    wsp_buffer_commit(&b, capacity);
    wsp_buffer_consume(&b, capacity - 8);
    ck_assert_int_eq(wsp_buffer_reserve(&b, 1, &room), 0);
    assert_holds(&b, "aaaaaaaa");
    ck_assert_uint_eq(b.start, 0);
    for (size_t i = 8; i < capacity; i++)
        ck_assert_uint_eq(b.data[i], 0);
    wsp_buffer_deinit(&b);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("buffer");
    TCase *queue = unit_case(suite, "queue");
    TCase *view = unit_case(suite, "view");

    tcase_add_test(queue, empty_buffer_has_no_memory);
    tcase_add_test(queue, nothing_is_legal_everywhere);
    tcase_add_test(queue, bytes_leave_in_the_order_they_came);
    tcase_add_test(queue, room_is_not_content_until_committed);
    tcase_add_test(queue, cap_is_exact_and_refusal_changes_nothing);
    tcase_add_test(queue, refused_memory_changes_nothing);
    tcase_add_test(queue, trim_frees_only_an_empty_buffer);
    tcase_add_test(queue, filling_stops_at_the_cap);
    tcase_add_test(queue, full_queue_is_seldom_moved);
    tcase_add_test(queue, secret_leaves_nothing_behind);
    tcase_add_test(queue, secret_is_not_left_where_it_was_moved_from);
    tcase_add_test(view, integers_have_the_order_of_their_name);
    tcase_add_loop_test(view, short_view_is_refused_and_untouched, 0, 9);
    tcase_add_test(view, views_compare_by_content);
    tcase_add_test(view, string_of_a_view_is_a_copy);
    return suite;
}
