/*
 * test_frame: proto/websocket/frame.h against RFC 6455, section 5.2, clause by clause.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/frame.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <string.h>

/* What wsp_frame_header_read() says of bytes that end at an unmapped page. */
static int read_header(const void *bytes, size_t len, enum wsp_role role, uint8_t rsv_known,
                       struct wsp_frame_header *ret_header, size_t *ret_len, const char **ret_why)
{
    struct guard guard;
    int r;

    guard_init(&guard, bytes, len);
    r = wsp_frame_header_read((struct wsp_view){guard.data, len}, role, rsv_known, ret_header,
                              ret_len, ret_why);
    guard_deinit(&guard);
    return r;
}

#define BYTES(literal) literal, sizeof(literal) - 1
#define KEY                    \
    {                          \
        0x37, 0xfa, 0x21, 0x3d \
    }

static const struct {
    const char *bytes;
    size_t len;
    struct wsp_frame_header header;
} good[] = {
    {BYTES("\x81\x00"), {.opcode = 1, .is_final = true}},
    {BYTES("\x81\x05"), {.opcode = 1, .is_final = true, .payload_len = 5}},
    {BYTES("\x81\x85\x37\xfa\x21\x3d"),
     {.opcode = 1, .is_final = true, .payload_len = 5, .is_masked = true, .key = KEY}},
    {BYTES("\x01\x03"), {.opcode = 1, .payload_len = 3}},
    {BYTES("\x80\x02"), {.opcode = 0, .is_final = true, .payload_len = 2}},
    {BYTES("\x00\x00"), {.opcode = 0}},
    {BYTES("\x88\x00"), {.opcode = 8, .is_final = true}},
    {BYTES("\x89\x7d"), {.opcode = 9, .is_final = true, .payload_len = 125}},
    {BYTES("\x8a\x85\x37\xfa\x21\x3d"),
     {.opcode = 10, .is_final = true, .payload_len = 5, .is_masked = true, .key = KEY}},
    {BYTES("\x82\x7d"), {.opcode = 2, .is_final = true, .payload_len = 125}},
    {BYTES("\x82\x7e\x00\x7e"), {.opcode = 2, .is_final = true, .payload_len = 126}},
    {BYTES("\x82\x7e\x01\x00"), {.opcode = 2, .is_final = true, .payload_len = 256}},
    {BYTES("\x82\x7e\xff\xff"), {.opcode = 2, .is_final = true, .payload_len = 65535}},
    {BYTES("\x82\xfe\xff\xff\x37\xfa\x21\x3d"),
     {.opcode = 2, .is_final = true, .payload_len = 65535, .is_masked = true, .key = KEY}},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
     {.opcode = 2, .is_final = true, .payload_len = 65536}},
    {BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
     {.opcode = 2, .is_final = true, .payload_len = INT64_MAX}},
    {BYTES("\x82\xff\x01\x02\x03\x04\x05\x06\x07\x08\x37\xfa\x21\x3d"),
     {.opcode = 2,
      .is_final = true,
      .payload_len = 0x0102030405060708,
      .is_masked = true,
      .key = KEY}},
    {BYTES("\xc1\x05"), {.opcode = 1, .is_final = true, .payload_len = 5, .rsv = WSP_RSV1}},
    {BYTES("\x72\x05"), {.opcode = 2, .payload_len = 5, .rsv = WSP_RSV1 | WSP_RSV2 | WSP_RSV3}},
};

static void assert_same(const struct wsp_frame_header *a, const struct wsp_frame_header *b)
{
    ck_assert_uint_eq(a->payload_len, b->payload_len);
    ck_assert_uint_eq(a->opcode, b->opcode);
    ck_assert_uint_eq(a->rsv, b->rsv);
    ck_assert_int_eq(a->is_final, b->is_final);
    ck_assert_int_eq(a->is_masked, b->is_masked);
    unit_assert_bytes(a->key, sizeof(a->key), b->key, sizeof(b->key));
}

START_TEST(good_header_is_read_and_written)
{
    const struct wsp_frame_header *expected = &good[_i].header;
    enum wsp_role role = expected->is_masked ? WSP_ROLE_SERVER : WSP_ROLE_CLIENT;
    struct wsp_frame_header header;
    uint8_t written[WSP_FRAME_MAX_HEADER];
    const char *why = "untouched";
    char longer[WSP_FRAME_MAX_HEADER + 1];
    size_t len;

    for (size_t n = 0; n < good[_i].len; n++)
        ck_assert_int_eq(read_header(good[_i].bytes, n, role, expected->rsv, &header, &len, &why),
                         WSP_MORE);
    ck_assert_int_eq(
        read_header(good[_i].bytes, good[_i].len, role, expected->rsv, &header, &len, &why), 0);
    ck_assert_uint_eq(len, good[_i].len);
    assert_same(&header, expected);

    memcpy(longer, good[_i].bytes, good[_i].len);
    longer[good[_i].len] = '\xff';
    ck_assert_int_eq(
        read_header(longer, good[_i].len + 1, role, expected->rsv, &header, &len, &why), 0);
    ck_assert_uint_eq(len, good[_i].len);
    ck_assert_str_eq(why, "untouched");

    len = wsp_frame_header_write(written, expected);
    unit_assert_bytes(written, len, good[_i].bytes, good[_i].len);
}
END_TEST

/* Each row is as short as can be: one byte less is not yet wrong. */
static const struct {
    const char *bytes;
    size_t len;
    enum wsp_role role;
    uint8_t rsv_known;
    const char *why; /* a word of the reason */
} bad[] = {
    {BYTES("\x83"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x84"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x85"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x86"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x87"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x8b"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x8c"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x8d"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x8e"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\x8f"), WSP_ROLE_CLIENT, 0, "reserved opcode"},
    {BYTES("\xc1"), WSP_ROLE_CLIENT, 0, "reserved bit"},
    {BYTES("\xa1"), WSP_ROLE_CLIENT, 0, "reserved bit"},
    {BYTES("\x91"), WSP_ROLE_CLIENT, 0, "reserved bit"},
    {BYTES("\xc9"), WSP_ROLE_CLIENT, 0, "reserved bit"},
    {BYTES("\xe1"), WSP_ROLE_CLIENT, WSP_RSV1, "reserved bit"},
    {BYTES("\xc0"), WSP_ROLE_CLIENT, WSP_RSV1, "begins no message"},
    {BYTES("\xc9"), WSP_ROLE_CLIENT, WSP_RSV1, "begins no message"},
    {BYTES("\xc8"), WSP_ROLE_SERVER, WSP_RSV1, "begins no message"},
    {BYTES("\x08"), WSP_ROLE_CLIENT, 0, "fragmented"},
    {BYTES("\x09"), WSP_ROLE_CLIENT, 0, "fragmented"},
    {BYTES("\x0a"), WSP_ROLE_CLIENT, 0, "fragmented"},
    {BYTES("\x81\x85"), WSP_ROLE_CLIENT, 0, "server is masked"},
    {BYTES("\x8a\x80"), WSP_ROLE_CLIENT, 0, "server is masked"},
    {BYTES("\x81\x05"), WSP_ROLE_SERVER, 0, "client is not masked"},
    {BYTES("\x89\x00"), WSP_ROLE_SERVER, 0, "client is not masked"},
    {BYTES("\x88\x7e"), WSP_ROLE_CLIENT, 0, "125"},
    {BYTES("\x89\x7f"), WSP_ROLE_CLIENT, 0, "125"},
    {BYTES("\x8a\xfe"), WSP_ROLE_SERVER, 0, "125"},
    {BYTES("\x82\x7e\x00\x7d"), WSP_ROLE_CLIENT, 0, "shortest"},
    {BYTES("\x82\x7e\x00\x00"), WSP_ROLE_CLIENT, 0, "shortest"},
    {BYTES("\x82\xfe\x00\x7d"), WSP_ROLE_SERVER, 0, "shortest"},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00"), WSP_ROLE_CLIENT, 0, "shortest"},
    {BYTES("\x82\x7f\x80"), WSP_ROLE_CLIENT, 0, "highest bit"},
    {BYTES("\x82\xff\xff"), WSP_ROLE_SERVER, 0, "highest bit"},
};

START_TEST(bad_header_is_refused_at_its_first_bad_byte)
{
    struct wsp_frame_header header = {.opcode = 99};
    size_t len = 99;
    const char *why = "";
    char longer[16];

    ck_assert_int_eq(read_header(bad[_i].bytes, bad[_i].len - 1, bad[_i].role, bad[_i].rsv_known,
                                 &header, &len, &why),
                     WSP_MORE);
    for (size_t n = bad[_i].len; n <= sizeof(longer); n++) {
        memset(longer, 0x01, sizeof(longer));
        memcpy(longer, bad[_i].bytes, bad[_i].len);
        ck_assert_int_eq(
            read_header(longer, n, bad[_i].role, bad[_i].rsv_known, &header, &len, &why),
            WSP_BROKEN);
        ck_assert_msg(strstr(why, bad[_i].why) != NULL, "%s", why);
    }
    ck_assert_uint_eq(header.opcode, 99);
    ck_assert_uint_eq(len, 99);
}
END_TEST

START_TEST(length_is_written_in_the_shortest_form)
{
    static const struct {
        uint64_t payload_len;
        size_t len;
    } rows[] = {{0, 2},     {1, 2},      {125, 2},         {126, 4},       {127, 4},
                {65535, 4}, {65536, 10}, {UINT32_MAX, 10}, {1u << 31, 10}, {INT64_MAX, 10}};
    uint8_t to[WSP_FRAME_MAX_HEADER];

    for (size_t i = 0; i < N_OF(rows); i++) {
        struct wsp_frame_header header = {.opcode = 2, .payload_len = rows[i].payload_len};

        ck_assert_uint_eq(wsp_frame_header_write(to, &header), rows[i].len);
        header.is_masked = true;
        ck_assert_uint_eq(wsp_frame_header_write(to, &header), rows[i].len + WSP_FRAME_KEY);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *header = unit_case(suite, "header");

    tcase_add_loop_test(header, good_header_is_read_and_written, 0, N_OF(good));
    tcase_add_loop_test(header, bad_header_is_refused_at_its_first_bad_byte, 0, N_OF(bad));
    tcase_add_test(header, length_is_written_in_the_shortest_form);
    return suite;
}
