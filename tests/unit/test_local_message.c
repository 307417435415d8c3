/*
 * test_local_message: the contracts of proto/local/message.h and proto/local/errors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/message.h"
#include "tests/harness/allocation.h"
#include "tests/harness/guard.h"
#include "tests/harness/local_samples.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <string.h>

static enum wsp_side other(enum wsp_side side)
{
    return side == WSP_SIDE_CLIENT ? WSP_SIDE_DAEMON : WSP_SIDE_CLIENT;
}

/* The frame of a sample, its payload at the given place. */
static struct wsp_wire_frame sample_frame(const struct local_sample *sample, const uint8_t *payload,
                                          size_t payload_len)
{
    return (struct wsp_wire_frame){
        .type = sample->message.type,
        .flags = sample->message.flags,
        .channel = sample->message.channel,
        .payload = {payload, payload_len},
    };
}

/* Decodes a payload that ends at an unmapped page. */
static int decode(uint8_t type, uint32_t channel, enum wsp_side from, const void *payload,
                  size_t payload_len, struct wsp_message *ret_message)
{
    struct wsp_wire_frame frame = {.type = type, .channel = channel};
    struct guard guard;
    int r;

    guard_init(&guard, payload, payload_len);
    frame.payload = (struct wsp_view){guard.data, guard.len};
    r = wsp_message_decode(&frame, from, ret_message);
    guard_deinit(&guard);
    return r;
}

#define DECODE(type, channel, from, payload) \
    decode((type), (channel), (from), "" payload, sizeof(payload) - 1, &(struct wsp_message){0})

START_TEST(every_row_of_the_table_has_a_sample)
{
    const struct local_sample *sample;
    bool has_sample[256] = {false};

    for (size_t i = 0; (sample = local_sample_get(i)) != NULL; i++)
        has_sample[sample->message.type] = true;
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    ck_assert_msg(has_sample[number], "%s has no sample", #NAME);
#include "proto/messages.def"
}
END_TEST

START_TEST(sample_is_encoded)
{
    const struct local_sample *sample = local_sample_get((size_t)_i);
    struct wsp_buffer buffer;

    wsp_buffer_init(&buffer, 2 * WSP_WIRE_MAX_FRAME);
    ck_assert_int_eq(wsp_buffer_append(&buffer, "before", 6), 0);
    ck_assert_int_eq(wsp_message_encode(&buffer, &sample->message), 0);
    unit_assert_bytes(wsp_buffer_peek(&buffer), 6, "before", 6);
    unit_assert_bytes(wsp_buffer_peek(&buffer) + 6, wsp_buffer_len(&buffer) - 6, sample->bytes.data,
                      sample->bytes.len);
    wsp_buffer_deinit(&buffer);
}
END_TEST

/* Loop test: a sample, its payload ending at an unmapped page, or cut before its end, or longer. */
START_TEST(sample_is_decoded)
{
    const struct local_sample *sample = local_sample_get((size_t)_i);
    struct wsp_view payload = {sample->bytes.data + WSP_WIRE_HEADER_LEN,
                               sample->bytes.len - WSP_WIRE_HEADER_LEN};
    struct wsp_message message;
    struct wsp_wire_frame frame;
    struct guard guard;

    guard_init(&guard, payload.data, payload.len);
    frame = sample_frame(sample, guard.data, guard.len);
    ck_assert_int_eq(wsp_message_decode(&frame, sample->from, &message), 0);
    ck_assert(local_message_equals(&message, &sample->message));
    guard_deinit(&guard);
}
END_TEST

/* The bytes that a type needs at least when the fields before have the lengths of the sample. */
static size_t needed_len(const struct local_sample *sample)
{
    size_t len = sample->bytes.len - WSP_WIRE_HEADER_LEN;

    switch (sample->message.type) {
    case WSP_LOCAL_TEXT: return len - sample->message.text.payload.len;
    case WSP_LOCAL_BINARY: return len - sample->message.binary.payload.len;
    case WSP_LOCAL_REPLY: return len - sample->message.reply.json.len;
    default: return len;
    }
}

/* What stands before an optional field is whole as well: how many bytes those behind it have, from each on. */
static bool is_whole(const struct local_sample *sample, size_t len)
{
    size_t missing = needed_len(sample) - len;

    if (len >= needed_len(sample))
        return true;
    switch (sample->message.type) {
    case WSP_LOCAL_OPEN: return missing == 8 || missing == 24;
    case WSP_LOCAL_OPENED: return missing == 1 || missing == 9;
    case WSP_LOCAL_CLOSING:
    case WSP_LOCAL_CLOSED: return missing == 1;
    case WSP_LOCAL_SENT: return missing == 8;
    case WSP_LOCAL_FAILED: {
        size_t excerpt = 2 + sample->message.failed.excerpt.len;

        return missing == excerpt || missing == excerpt + 4;
    }
    default: return false;
    }
}

START_TEST(cut_payload_is_bad)
{
    const struct local_sample *sample = local_sample_get((size_t)_i);
    size_t whole_len = sample->bytes.len - WSP_WIRE_HEADER_LEN;

    for (size_t len = 0; len < whole_len; len++) {
        struct wsp_message message = {.type = 0xaa};
        struct wsp_wire_frame frame;
        struct guard guard;
        int r;

        guard_init(&guard, sample->bytes.data + WSP_WIRE_HEADER_LEN, len);
        frame = sample_frame(sample, guard.data, guard.len);
        r = wsp_message_decode(&frame, sample->from, &message);
        ck_assert_int_eq(r, is_whole(sample, len) ? 0 : WSP_FATAL_BAD_PAYLOAD);
        ck_assert_int_eq(message.type, r == 0 ? sample->message.type : 0xaa);
        guard_deinit(&guard);
    }
}
END_TEST

START_TEST(bytes_behind_the_last_field_are_ignored)
{
    const struct local_sample *sample = local_sample_get((size_t)_i);
    size_t len = sample->bytes.len - WSP_WIRE_HEADER_LEN;
    uint8_t payload[256] = {0};
    struct wsp_message message;
    struct wsp_wire_frame frame = sample_frame(sample, payload, len + 9);

    memcpy(payload, sample->bytes.data + WSP_WIRE_HEADER_LEN, len);
    memset(payload + len, 0xfe, 9);
    ck_assert_int_eq(wsp_message_decode(&frame, sample->from, &message), 0);
    /* A field of kind rest has no end of its own. */
    ck_assert_int_eq(local_message_equals(&message, &sample->message),
                     sample->message.type != WSP_LOCAL_TEXT &&
                         sample->message.type != WSP_LOCAL_BINARY &&
                         sample->message.type != WSP_LOCAL_REPLY);
}
END_TEST

START_TEST(optional_fields_that_are_missing_are_empty)
{
    struct wsp_message message;

    memset(&message, 0xfe, sizeof(message));
    ck_assert_int_eq(decode(WSP_LOCAL_FAILED, 1, WSP_SIDE_DAEMON, "\x13\0\xf7\1\0\0", 6, &message),
                     0);
    ck_assert_uint_eq(message.failed.http_status, 503);
    ck_assert_uint_eq(message.failed.retry_after, 0);
    ck_assert_uint_eq(message.failed.excerpt.len, 0);
    memset(&message, 0xfe, sizeof(message));
    ck_assert_int_eq(
        decode(WSP_LOCAL_FAILED, 1, WSP_SIDE_DAEMON, "\x13\0\xf7\1\0\0\x1e\0\0\0", 10, &message),
        0);
    ck_assert_uint_eq(message.failed.retry_after, 30);
    ck_assert_uint_eq(message.failed.excerpt.len, 0);
}
END_TEST

START_TEST(frame_must_suit_its_row)
{
    const struct local_sample *sample = local_sample_get((size_t)_i);
    const struct wsp_wire_frame good = sample_frame(
        sample, sample->bytes.data + WSP_WIRE_HEADER_LEN, sample->bytes.len - WSP_WIRE_HEADER_LEN);
    struct wsp_message message;
    struct wsp_wire_frame frame = good;
    bool is_both = false;
    bool has_pieces = false;

#define FROM_BOTH    true
#define FROM_CLIENT  false
#define FROM_DAEMON  false
#define SHAPE_PIECES true
#define SHAPE_WHOLE  false
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    if (sample->message.type == (number)) {                              \
        is_both = FROM_##from;                                           \
        has_pieces = SHAPE_##shape;                                      \
    }
#include "proto/messages.def"
    ck_assert_int_eq(wsp_message_decode(&frame, other(sample->from), &message),
                     is_both ? 0 : WSP_FATAL_WRONG_DIRECTION);
    frame.channel = good.channel == 0 ? 1 : 0;
    ck_assert_int_eq(wsp_message_decode(&frame, sample->from, &message), WSP_FATAL_BAD_CHANNEL);
    frame = good;
    frame.flags |= WSP_WIRE_MORE;
    ck_assert_int_eq(wsp_message_decode(&frame, sample->from, &message),
                     has_pieces ? 0 : WSP_FATAL_BAD_HEADER);
    frame.flags = WSP_WIRE_MUST_UNDERSTAND;
    ck_assert_int_eq(wsp_message_decode(&frame, sample->from, &message), 0);
}
END_TEST

/* Loop test: every number of a type, known or not. */
START_TEST(unknown_type_is_skipped_unless_it_must_be_understood)
{
    struct wsp_wire_frame frame = {.type = (uint8_t)_i, .channel = 5};
    struct wsp_message message = {.type = 0xaa};
    bool is_known = false;

#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)   \
    if (_i == (number)) {                                                  \
        is_known = true;                                                   \
        ck_assert_str_eq(wsp_message_type_to_string((unsigned)_i), #NAME); \
    }
#include "proto/messages.def"
    if (is_known)
        return;
    ck_assert_str_eq(wsp_message_type_to_string((unsigned)_i), "unknown");
    ck_assert_int_eq(wsp_message_decode(&frame, WSP_SIDE_CLIENT, &message), WSP_SKIP);
    ck_assert_int_eq(wsp_message_decode(&frame, WSP_SIDE_DAEMON, &message), WSP_SKIP);
    frame.flags = WSP_WIRE_MUST_UNDERSTAND | WSP_WIRE_MORE;
    ck_assert_int_eq(wsp_message_decode(&frame, WSP_SIDE_DAEMON, &message),
                     WSP_FATAL_NOT_UNDERSTOOD);
    ck_assert_uint_eq(message.type, 0xaa);
}
END_TEST

START_TEST(texts_are_utf8)
{
    ck_assert_int_eq(DECODE(WSP_LOCAL_CLOSED, 1, WSP_SIDE_DAEMON, "\1\xe8\3\2\0\xc3\xa9"), 0);
    ck_assert_int_eq(DECODE(WSP_LOCAL_CLOSED, 1, WSP_SIDE_DAEMON, "\1\xe8\3\2\0\0x"), 0);
    ck_assert_int_eq(DECODE(WSP_LOCAL_CLOSED, 1, WSP_SIDE_DAEMON, "\1\xe8\3\1\0\xc3"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_CLOSED, 1, WSP_SIDE_DAEMON, "\1\xe8\3\3\0\xed\xa0\x80"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_REQUEST, 0, WSP_SIDE_CLIENT, "\1\0\0\0\0\0\3\0\0\0\1\0\xff"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_TEXT, 1, WSP_SIDE_CLIENT, "\xff"), 0);
}
END_TEST

START_TEST(lists_are_whole)
{
    /* The length of the list, then that of its only item, one too large and one too small. */
    ck_assert_int_eq(DECODE(WSP_LOCAL_REQUEST, 0, WSP_SIDE_CLIENT, "\1\0\0\0\0\0\3\0\0\0\1\0x"), 0);
    ck_assert_int_eq(DECODE(WSP_LOCAL_REQUEST, 0, WSP_SIDE_CLIENT, "\1\0\0\0\0\0\4\0\0\0\1\0x"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_REQUEST, 0, WSP_SIDE_CLIENT, "\1\0\0\0\0\0\2\0\0\0\1\0x"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_REQUEST, 0, WSP_SIDE_CLIENT, "\1\0\0\0\0\0\3\0\0\0\2\0xy"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_REQUEST, 0, WSP_SIDE_CLIENT, "\1\0\0\0\0\0\3\0\0\0\0\0x"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(
        DECODE(WSP_LOCAL_REQUEST, 0, WSP_SIDE_CLIENT, "\1\0\0\0\0\0\xff\xff\xff\xff\1\0x"),
        WSP_FATAL_BAD_PAYLOAD);
}
END_TEST

START_TEST(pairs_are_even)
{
    ck_assert_int_eq(
        DECODE(WSP_LOCAL_OPEN, 1, WSP_SIDE_CLIENT, "\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0"), 0);
    ck_assert_int_eq(
        DECODE(WSP_LOCAL_OPEN, 1, WSP_SIDE_CLIENT, "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0"),
        WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(
        DECODE(WSP_LOCAL_OPEN, 1, WSP_SIDE_CLIENT, "\0\0\0\0\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\0\0"),
        WSP_FATAL_BAD_PAYLOAD);
}
END_TEST

START_TEST(values_are_allowed_ones)
{
    ck_assert_int_eq(DECODE(WSP_LOCAL_OPEN, 1, WSP_SIDE_CLIENT, "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                     0);
    ck_assert_int_eq(DECODE(WSP_LOCAL_OPEN, 1, WSP_SIDE_CLIENT, "\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_CLOSED, 1, WSP_SIDE_DAEMON, "\2\0\0\0\0"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_CLOSE, 1, WSP_SIDE_CLIENT, "\0\0\2\0\0"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_INTERRUPTED, 1, WSP_SIDE_DAEMON, "\0\0\0\0\0\0\0\0\0\0"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_SUBSCRIBE, 1, WSP_SIDE_CLIENT, "\1\0x\0\0"), 0);
    ck_assert_int_eq(DECODE(WSP_LOCAL_SUBSCRIBE, 1, WSP_SIDE_CLIENT, "\0\0\1\0x"),
                     WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(DECODE(WSP_LOCAL_SUBSCRIBE, 1, WSP_SIDE_CLIENT, "\0\0\0\0"),
                     WSP_FATAL_BAD_PAYLOAD);
}
END_TEST

static int decode_gap(uint8_t reason, uint8_t is_counted, uint8_t count)
{
    uint8_t payload[34] = {reason, is_counted, count};

    return decode(WSP_LOCAL_GAP, 1, WSP_SIDE_DAEMON, payload, sizeof(payload),
                  &(struct wsp_message){0});
}

START_TEST(gap_is_counted_or_not)
{
    ck_assert_int_eq(decode_gap(1, 1, 3), 0);
    ck_assert_int_eq(decode_gap(255, 1, 0), 0);
    ck_assert_int_eq(decode_gap(3, 0, 0), 0);
    ck_assert_int_eq(decode_gap(0, 1, 3), WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(decode_gap(1, 0, 3), WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(decode_gap(1, 2, 3), WSP_FATAL_BAD_PAYLOAD);
}
END_TEST

static int decode_close(uint16_t code, size_t reason_len)
{
    uint8_t payload[200] = {(uint8_t)code, (uint8_t)(code >> 8), 0, (uint8_t)reason_len, 0};

    memset(payload + 5, 'r', reason_len);
    return decode(WSP_LOCAL_CLOSE, 1, WSP_SIDE_CLIENT, payload, 5 + reason_len,
                  &(struct wsp_message){0});
}

START_TEST(close_is_as_the_standard_allows)
{
    static const uint16_t good[] = {0, 1000, 3000, 4999};
    static const uint16_t bad[] = {1, 999, 1001, 1005, 1006, 2999, 5000, 65535};

    for (size_t i = 0; i < N_OF(good); i++)
        ck_assert_int_eq(decode_close(good[i], 0), 0);
    for (size_t i = 0; i < N_OF(bad); i++)
        ck_assert_int_eq(decode_close(bad[i], 0), WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(decode_close(1000, 123), 0);
    ck_assert_int_eq(decode_close(1000, 124), WSP_FATAL_BAD_PAYLOAD);
    ck_assert_int_eq(decode_close(0, 1), WSP_FATAL_BAD_PAYLOAD);
}
END_TEST

/* A message with one str, or with a rest, of a length; where the bytes come from does not matter. */
static struct wsp_message long_message(uint8_t type, size_t len)
{
    static uint8_t bytes[WSP_MAX_LOCAL_PAYLOAD + 1];
    struct wsp_view view = {bytes, len};
    struct wsp_message message = {.type = type};

    if (type == WSP_LOCAL_TEXT)
        message.text.payload = view;
    else if (type == WSP_LOCAL_REQUEST)
        message.request.arguments = view;
    else
        message.error.text = view;
    return message;
}

START_TEST(encode_refuses_what_is_too_long)
{
    static const struct {
        uint8_t type;
        size_t max_len;
    } rows[] = {
        {WSP_LOCAL_TEXT, 65536},
        {WSP_LOCAL_REQUEST, 65536 - 10},
        {WSP_LOCAL_ERROR, 65536 - 9},
    };
    struct wsp_buffer buffer;

    for (size_t i = 0; i < N_OF(rows); i++) {
        struct wsp_message fits = long_message(rows[i].type, rows[i].max_len);
        struct wsp_message longer = long_message(rows[i].type, rows[i].max_len + 1);
        struct wsp_message endless = long_message(rows[i].type, SIZE_MAX);

        wsp_buffer_init(&buffer, 2 * WSP_WIRE_MAX_FRAME);
        ck_assert_int_eq(wsp_message_encode(&buffer, &longer), -EMSGSIZE);
        ck_assert_int_eq(wsp_message_encode(&buffer, &endless), -EMSGSIZE);
        ck_assert_uint_eq(wsp_buffer_len(&buffer), 0);
        ck_assert_int_eq(wsp_message_encode(&buffer, &fits), 0);
        ck_assert_uint_eq(wsp_buffer_len(&buffer), WSP_WIRE_MAX_FRAME);
        wsp_buffer_deinit(&buffer);
    }
}
END_TEST

START_TEST(encode_refuses_a_str_over_16_bits)
{
    struct wsp_message message = long_message(WSP_LOCAL_ERROR, 65536);
    struct wsp_buffer buffer;

    wsp_buffer_init(&buffer, 2 * WSP_WIRE_MAX_FRAME);
    ck_assert_int_eq(wsp_message_encode(&buffer, &message), -EMSGSIZE);
    ck_assert_int_eq(wsp_local_list_append(&buffer, message.error.text), -EMSGSIZE);
    message.error.text.len = 65535;
    ck_assert_int_eq(wsp_local_list_append(&buffer, message.error.text), 0);
    ck_assert_uint_eq(wsp_buffer_len(&buffer), 65537);
    wsp_buffer_deinit(&buffer);
}
END_TEST

START_TEST(encode_refuses_an_unknown_type)
{
    struct wsp_message message = {.type = 0xfe};
    struct wsp_buffer buffer;

    wsp_buffer_init(&buffer, 100);
    ck_assert_int_eq(wsp_message_encode(&buffer, &message), -EINVAL);
    ck_assert_uint_eq(wsp_buffer_len(&buffer), 0);
    wsp_buffer_deinit(&buffer);
}
END_TEST

START_TEST(encode_that_fails_changes_nothing)
{
    const struct local_sample *sample = local_sample_get((size_t)_i);
    struct wsp_buffer buffer;
    int r;

    wsp_buffer_init(&buffer, sample->bytes.len);
    ck_assert_int_eq(wsp_buffer_append(&buffer, "b", 1), 0);
    ck_assert_int_eq(wsp_message_encode(&buffer, &sample->message), -ENOBUFS);
    unit_assert_bytes(wsp_buffer_peek(&buffer), wsp_buffer_len(&buffer), "b", 1);
    wsp_buffer_deinit(&buffer);

    wsp_buffer_init(&buffer, sample->bytes.len);
    allocation_fail_after(0);
    r = wsp_message_encode(&buffer, &sample->message);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_uint_eq(wsp_buffer_len(&buffer), 0);
    ck_assert_int_eq(wsp_message_encode(&buffer, &sample->message), 0);
    wsp_buffer_deinit(&buffer);
}
END_TEST

START_TEST(list_gives_back_what_was_put_in)
{
    static const char *const items[] = {"", "a", "permessage-deflate", ""};
    const size_t n_items = N_OF(items);
    struct wsp_buffer buffer;
    struct wsp_view list = {0};
    struct wsp_view item = WSP_VIEW_LITERAL("untouched");

    ck_assert(!wsp_local_list_next(&list, &item));
    ck_assert_uint_eq(wsp_local_list_count(list), 0);
    ck_assert(wsp_view_equals(item, WSP_VIEW_LITERAL("untouched")));
    wsp_buffer_init(&buffer, 1000);
    for (size_t i = 0; i < n_items; i++)
        ck_assert_int_eq(wsp_local_list_append(&buffer, wsp_view_of_string(items[i])), 0);
    list = (struct wsp_view){wsp_buffer_peek(&buffer), wsp_buffer_len(&buffer)};
    ck_assert_uint_eq(wsp_local_list_count(list), n_items);
    for (size_t i = 0; i < n_items; i++) {
        ck_assert(wsp_local_list_next(&list, &item));
        ck_assert(wsp_view_equals(item, wsp_view_of_string(items[i])));
    }
    ck_assert(!wsp_local_list_next(&list, &item));
    wsp_buffer_deinit(&buffer);
}
END_TEST

START_TEST(list_that_fails_to_grow_changes_nothing)
{
    struct wsp_buffer buffer;
    int r;

    wsp_buffer_init(&buffer, 5);
    allocation_fail_after(0);
    r = wsp_local_list_append(&buffer, WSP_VIEW_LITERAL("a"));
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_eq(wsp_local_list_append(&buffer, WSP_VIEW_LITERAL("a")), 0);
    ck_assert_int_eq(wsp_local_list_append(&buffer, WSP_VIEW_LITERAL("b")), -ENOBUFS);
    unit_assert_bytes(wsp_buffer_peek(&buffer), wsp_buffer_len(&buffer), "\1\0a", 3);
    wsp_buffer_deinit(&buffer);
}
END_TEST

START_TEST(errors_have_names_and_meanings)
{
    ck_assert_str_eq(wsp_fatal_to_string(WSP_FATAL_BAD_MAGIC), "bad-magic");
    ck_assert_str_eq(wsp_cause_to_string(WSP_CAUSE_SLOW_CONSUMER), "slow-consumer");
    ck_assert_str_eq(wsp_status_to_string(WSP_STATUS_UNKNOWN_VERB), "unknown-verb");
    ck_assert_str_eq(wsp_status_to_string(WSP_STATUS_OK), "ok");
    ck_assert_str_eq(wsp_status_meaning(WSP_STATUS_OK), "it was done");
    ck_assert_str_eq(wsp_fatal_to_string(0), "unknown");
    ck_assert_str_eq(wsp_fatal_to_string(0x10000), "unknown");
    ck_assert_str_eq(wsp_cause_to_string(9999), "unknown");
    ck_assert_str_eq(wsp_status_to_string(9999), "unknown");
    ck_assert_str_eq(wsp_gap_to_string(0), "unknown");
    ck_assert_str_eq(wsp_gap_to_string(WSP_GAP_NOT_KEPT), "not-kept");
    ck_assert_str_eq(wsp_gap_meaning(255), "a reason that this version does not know");
#define WSP_FATAL(number, NAME, name, meaning)           \
    ck_assert_str_eq(wsp_fatal_to_string(number), name); \
    ck_assert_str_eq(wsp_fatal_meaning(number), meaning);
#define WSP_CAUSE(number, NAME, name, meaning)           \
    ck_assert_str_eq(wsp_cause_to_string(number), name); \
    ck_assert_str_eq(wsp_cause_meaning(number), meaning);
#define WSP_STATUS(number, NAME, name, meaning)           \
    ck_assert_str_eq(wsp_status_to_string(number), name); \
    ck_assert_str_eq(wsp_status_meaning(number), meaning);
#define WSP_GAP(number, NAME, name, meaning)           \
    ck_assert_str_eq(wsp_gap_to_string(number), name); \
    ck_assert_str_eq(wsp_gap_meaning(number), meaning);
#include "proto/local/errors.def"
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("local_message");
    TCase *table = unit_case(suite, "table");
    TCase *values = unit_case(suite, "values");
    TCase *writer = unit_case(suite, "writer");
    TCase *errors = unit_case(suite, "errors");

    tcase_add_test(table, every_row_of_the_table_has_a_sample);
    tcase_add_loop_test(table, sample_is_encoded, 0, LOCAL_N_SAMPLES);
    tcase_add_loop_test(table, sample_is_decoded, 0, LOCAL_N_SAMPLES);
    tcase_add_loop_test(table, cut_payload_is_bad, 0, LOCAL_N_SAMPLES);
    tcase_add_loop_test(table, bytes_behind_the_last_field_are_ignored, 0, LOCAL_N_SAMPLES);
    tcase_add_test(table, optional_fields_that_are_missing_are_empty);
    tcase_add_loop_test(table, frame_must_suit_its_row, 0, LOCAL_N_SAMPLES);
    tcase_add_loop_test(table, unknown_type_is_skipped_unless_it_must_be_understood, 0, 256);
    tcase_add_test(values, texts_are_utf8);
    tcase_add_test(values, lists_are_whole);
    tcase_add_test(values, pairs_are_even);
    tcase_add_test(values, values_are_allowed_ones);
    tcase_add_test(values, gap_is_counted_or_not);
    tcase_add_test(values, close_is_as_the_standard_allows);
    tcase_add_test(writer, encode_refuses_what_is_too_long);
    tcase_add_test(writer, encode_refuses_a_str_over_16_bits);
    tcase_add_test(writer, encode_refuses_an_unknown_type);
    tcase_add_loop_test(writer, encode_that_fails_changes_nothing, 0, LOCAL_N_SAMPLES);
    tcase_add_test(writer, list_gives_back_what_was_put_in);
    tcase_add_test(writer, list_that_fails_to_grow_changes_nothing);
    tcase_add_test(errors, errors_have_names_and_meanings);
    return suite;
}
