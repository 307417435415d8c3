/*
 * test_outgoing: the writers of proto/websocket/message.h (RFC 6455, sections 5.3, 5.5, 5.6 and 7.4).
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/message.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

static void assert_holds(const struct wsp_buffer *b, const char *expected, size_t len)
{
    unit_assert_bytes(wsp_buffer_peek(b), wsp_buffer_len(b), expected, len);
}

/* -- data -- */

/* The examples of section 5.7. */
START_TEST(the_standard_s_hello)
{
    struct wsp_buffer out;

    wsp_buffer_init(&out, 100);
    ck_assert_int_eq(
        wsp_ws_write_message(&out, WSP_ROLE_SERVER, false, WSP_VIEW_LITERAL("Hello"), NULL), 0);
    assert_holds(&out, "\x81\x05Hello", 7);
    wsp_buffer_consume(&out, 7);
    ck_assert_int_eq(
        wsp_ws_write_message(&out, WSP_ROLE_CLIENT, false, WSP_VIEW_LITERAL("Hello"), key), 0);
    assert_holds(&out, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    wsp_buffer_deinit(&out);
}
END_TEST

static const size_t steps[] = {1, 2, 3, 7, 13, 14, 15, 64, 4096, 65536};

/* A frame written in steps is the frame written at once, and the payload is never touched. */
START_TEST(steps_of_any_size_make_the_same_frame)
{
    static const size_t lengths[] = {0, 1, 125, 126, 1000, 65535, 65536, 200001};
    static uint8_t payload[200001];
    static uint8_t wire[200001 + WSP_FRAME_MAX_HEADER];
    bool is_touched = false;

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 31);
    for (int l = 0; l < N_OF(lengths); l++) {
        for (int role = WSP_ROLE_CLIENT; role <= WSP_ROLE_SERVER; role++) {
            struct wsp_view view = {payload, lengths[l]};
            struct wsp_ws_outgoing outgoing;
            struct wsp_buffer out;
            size_t total;
            size_t at = 0;
            bool is_right = true;

            wsp_buffer_init(&out, SIZE_MAX);
            ck_assert_int_eq(wsp_ws_write_message(&out, (enum wsp_role)role, true, view, key), 0);
            wsp_ws_outgoing_begin(&outgoing, (enum wsp_role)role, true, view, key);
            total = wsp_ws_outgoing_left(&outgoing);
            ck_assert_uint_eq(wsp_ws_outgoing_fill(&outgoing, wire, 0), 0);
            while (wsp_ws_outgoing_left(&outgoing) > 0) {
                size_t room = total - at < steps[_i] ? total - at : steps[_i];

                is_right &= wsp_ws_outgoing_fill(&outgoing, wire + at, steps[_i]) == room;
                at += room;
                is_right &= wsp_ws_outgoing_left(&outgoing) == total - at;
            }
            ck_assert(is_right);
            ck_assert_uint_eq(wsp_ws_outgoing_fill(&outgoing, wire, steps[_i]), 0);
            unit_assert_bytes(wire, at, wsp_buffer_peek(&out), wsp_buffer_len(&out));
            wsp_buffer_deinit(&out);
        }
    }
    for (size_t i = 0; i < sizeof(payload); i++)
        is_touched |= payload[i] != (uint8_t)(i * 31);
    ck_assert(!is_touched);
}
END_TEST

/* -- control -- */

START_TEST(control_frames)
{
    static const struct {
        enum wsp_role role;
        enum wsp_opcode opcode;
        const char *payload;
        const char *wire;
        size_t len;
    } rows[] = {
        {WSP_ROLE_SERVER, WSP_OPCODE_PING, "Hello", "\x89\x05Hello", 7},
        {WSP_ROLE_CLIENT, WSP_OPCODE_PONG, "Hello", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
         11},
        {WSP_ROLE_SERVER, WSP_OPCODE_PONG, "", "\x8a\x00", 2},
        {WSP_ROLE_CLIENT, WSP_OPCODE_PING, "", "\x89\x80\x37\xfa\x21\x3d", 6},
        {WSP_ROLE_SERVER, WSP_OPCODE_CLOSE, "", "\x88\x00", 2},
    };

    for (int i = 0; i < N_OF(rows); i++) {
        struct wsp_buffer out;

        wsp_buffer_init(&out, 100);
        ck_assert_int_eq(wsp_ws_write_control(&out, rows[i].role, rows[i].opcode,
                                              wsp_view_of_string(rows[i].payload), key),
                         0);
        assert_holds(&out, rows[i].wire, rows[i].len);
        wsp_buffer_deinit(&out);
    }
}
END_TEST

START_TEST(control_frame_holds_125_bytes_and_no_more)
{
    uint8_t payload[126] = {0};
    struct wsp_buffer out;

    wsp_buffer_init(&out, 1000);
    ck_assert_int_eq(wsp_ws_write_control(&out, WSP_ROLE_SERVER, WSP_OPCODE_PING,
                                          (struct wsp_view){payload, 125}, NULL),
                     0);
    ck_assert_uint_eq(wsp_buffer_len(&out), 127);
    ck_assert_int_eq(wsp_ws_write_control(&out, WSP_ROLE_SERVER, WSP_OPCODE_PING,
                                          (struct wsp_view){payload, 126}, NULL),
                     -EINVAL);
    ck_assert_int_eq(wsp_ws_write_control(&out, WSP_ROLE_SERVER, WSP_OPCODE_TEXT,
                                          (struct wsp_view){payload, 1}, NULL),
                     -EINVAL);
    ck_assert_uint_eq(wsp_buffer_len(&out), 127);
    wsp_buffer_deinit(&out);
}
END_TEST

/* -- close -- */

START_TEST(close_frames)
{
    static const struct {
        uint16_t code;
        const char *reason;
        const char *wire;
        size_t len;
    } rows[] = {
        {1005, "", "\x88\x00", 2},
        {1000, "", "\x88\x02\x03\xe8", 4},
        {1001, "going", "\x88\x07\x03\xe9going", 9},
        {4999, "\xc3\xa4", "\x88\x04\x13\x87\xc3\xa4", 6},
    };

    for (int i = 0; i < N_OF(rows); i++) {
        struct wsp_buffer out;

        wsp_buffer_init(&out, 200);
        ck_assert_int_eq(wsp_ws_write_close(&out, WSP_ROLE_SERVER, rows[i].code,
                                            wsp_view_of_string(rows[i].reason), NULL),
                         0);
        assert_holds(&out, rows[i].wire, rows[i].len);
        wsp_buffer_deinit(&out);
    }
}
END_TEST

START_TEST(close_that_may_not_be_sent)
{
    static const struct {
        uint16_t code;
        const char *reason;
    } rows[] = {{0, ""},    {999, ""},  {1004, ""},     {1005, "reason"}, {1006, ""}, {1015, ""},
                {1016, ""}, {2999, ""}, {1000, "\xff"}, {1000, "\xc3"},   {5000, ""}, {65535, ""}};
    struct wsp_buffer out;

    wsp_buffer_init(&out, 200);
    for (int i = 0; i < N_OF(rows); i++)
        ck_assert_int_eq(wsp_ws_write_close(&out, WSP_ROLE_CLIENT, rows[i].code,
                                            wsp_view_of_string(rows[i].reason), key),
                         -EINVAL);
    ck_assert_uint_eq(wsp_buffer_len(&out), 0);
    wsp_buffer_deinit(&out);
}
END_TEST

START_TEST(reason_holds_123_bytes_and_no_more)
{
    char reason[124];
    struct wsp_buffer out;

    memset(reason, 'r', sizeof(reason));
    wsp_buffer_init(&out, 200);
    ck_assert_int_eq(wsp_ws_write_close(&out, WSP_ROLE_CLIENT, 1000,
                                        (struct wsp_view){(uint8_t *)reason, 124}, key),
                     -EINVAL);
    ck_assert_int_eq(wsp_ws_write_close(&out, WSP_ROLE_CLIENT, 1000,
                                        (struct wsp_view){(uint8_t *)reason, 123}, key),
                     0);
    ck_assert_uint_eq(wsp_buffer_len(&out), 6 + 125);
    wsp_buffer_deinit(&out);
}
END_TEST

/* -- failures -- */

START_TEST(all_or_nothing)
{
    struct wsp_buffer out;
    int r;

    wsp_buffer_init(&out, 10);
    ck_assert_int_eq(wsp_buffer_append(&out, "abc", 3), 0);
    ck_assert_int_eq(
        wsp_ws_write_message(&out, WSP_ROLE_SERVER, false, WSP_VIEW_LITERAL("123456"), NULL),
        -ENOBUFS);
    ck_assert_int_eq(
        wsp_ws_write_control(&out, WSP_ROLE_CLIENT, WSP_OPCODE_PING, WSP_VIEW_LITERAL("12"), key),
        -ENOBUFS);
    assert_holds(&out, "abc", 3);
    ck_assert_int_eq(
        wsp_ws_write_message(&out, WSP_ROLE_SERVER, false, WSP_VIEW_LITERAL("12345"), NULL), 0);
    assert_holds(&out,
                 "abc\x81\x05"
                 "12345",
                 10);
    wsp_buffer_deinit(&out);

    wsp_buffer_init(&out, 1000);
    allocation_fail_after(0);
    r = wsp_ws_write_close(&out, WSP_ROLE_CLIENT, 1000, WSP_VIEW_LITERAL("x"), key);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_uint_eq(wsp_buffer_len(&out), 0);
    wsp_buffer_deinit(&out);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("outgoing");
    TCase *data = unit_case(suite, "data");
    TCase *control = unit_case(suite, "control");

    tcase_add_test(data, the_standard_s_hello);
    tcase_add_loop_test(data, steps_of_any_size_make_the_same_frame, 0, N_OF(steps));
    tcase_add_test(control, control_frames);
    tcase_add_test(control, control_frame_holds_125_bytes_and_no_more);
    tcase_add_test(control, close_frames);
    tcase_add_test(control, close_that_may_not_be_sent);
    tcase_add_test(control, reason_holds_123_bytes_and_no_more);
    tcase_add_test(control, all_or_nothing);
    return suite;
}
