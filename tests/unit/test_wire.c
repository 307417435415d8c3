/*
 * test_wire: the contract of proto/local/wire.h, line by line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/message.h"
#include "proto/local/wire.h"
#include "tests/harness/allocation.h"
#include "tests/harness/guard.h"
#include "tests/harness/local_samples.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <string.h>

#define HELLO                      \
    "\x14\0\0\0\x01\0\0\0\0\0\0\0" \
    "0123456789abcdefghij"
#define HELLO_LEN (WSP_WIRE_HEADER_LEN + 20)

/* A stream that is put together for a test, and what must come out of it. */
struct stream {
    uint8_t bytes[2 * WSP_WIRE_MAX_FRAME];
    size_t len;
    struct wsp_wire_frame frames[4];
    size_t n_frames;
};

static struct stream stream;

static void stream_add(const void *bytes, size_t len)
{
    ck_assert_uint_le(len, sizeof(stream.bytes) - stream.len);
    memcpy(stream.bytes + stream.len, bytes, len);
    stream.len += len;
}

static void stream_begin(void)
{
    stream.len = 0;
    stream.n_frames = 0;
    stream_add(WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN);
}

static void stream_add_frame(const void *bytes, size_t len)
{
    const uint8_t *header = bytes;

    stream.frames[stream.n_frames++] = (struct wsp_wire_frame){
        .type = header[4],
        .flags = header[5],
        .channel = (uint32_t)header[8] | (uint32_t)header[9] << 8 | (uint32_t)header[10] << 16 |
                   (uint32_t)header[11] << 24,
        .payload = {stream.bytes + stream.len + WSP_WIRE_HEADER_LEN, len - WSP_WIRE_HEADER_LEN},
    };
    stream_add(bytes, len);
}

static void stream_begin_with_hello(void)
{
    stream_begin();
    stream_add_frame(HELLO, HELLO_LEN);
}

static void stream_add_header(uint8_t type, uint8_t flags, uint32_t channel, size_t payload_len)
{
    uint8_t header[WSP_WIRE_HEADER_LEN];

    wsp_wire_header_write(header, type, flags, channel, payload_len);
    stream_add(header, sizeof(header));
}

static void assert_frame(const struct wsp_wire_frame *frame, const struct wsp_wire_frame *expected)
{
    ck_assert_uint_eq(frame->type, expected->type);
    ck_assert_uint_eq(frame->flags, expected->flags);
    ck_assert_uint_eq(frame->channel, expected->channel);
    unit_assert_bytes(frame->payload.data, frame->payload.len, expected->payload.data,
                      expected->payload.len);
}

/*
 * Feeds stream.bytes[from .. to) from memory of its own that ends at an unmapped page and is gone
 * afterwards, as pull.h allows. Returns what next() said last; frames count on from *n_frames.
 */
static int feed(struct wsp_wire_reader *reader, size_t from, size_t to, size_t *n_frames)
{
    struct wsp_wire_frame frame;
    struct guard guard;
    int r;

    guard_init(&guard, stream.bytes + from, to - from);
    wsp_wire_reader_feed(reader, (struct wsp_view){guard.data, guard.len});
    while ((r = wsp_wire_reader_next(reader, &frame)) == 0) {
        ck_assert_uint_lt(*n_frames, stream.n_frames);
        assert_frame(&frame, &stream.frames[(*n_frames)++]);
    }
    guard_deinit(&guard);
    return r;
}

static void assert_comes_in_windows_of(size_t window_len)
{
    struct wsp_wire_reader reader;
    size_t n_frames = 0;

    wsp_wire_reader_init(&reader);
    for (size_t at = 0; at < stream.len; at += window_len) {
        size_t to = stream.len - at > window_len ? at + window_len : stream.len;

        ck_assert_int_eq(feed(&reader, at, to, &n_frames), WSP_MORE);
    }
    ck_assert_uint_eq(n_frames, stream.n_frames);
    ck_assert(wsp_wire_reader_is_at_boundary(&reader));
    ck_assert_ptr_null(reader.partial.data);
    wsp_wire_reader_deinit(&reader);
}

static void assert_comes_split_at(size_t at)
{
    struct wsp_wire_reader reader;
    size_t n_frames = 0;

    wsp_wire_reader_init(&reader);
    ck_assert_int_eq(feed(&reader, 0, at, &n_frames), WSP_MORE);
    ck_assert_int_eq(feed(&reader, at, stream.len, &n_frames), WSP_MORE);
    ck_assert_uint_eq(n_frames, stream.n_frames);
    wsp_wire_reader_deinit(&reader);
}

/* Whatever way the stream is cut, it breaks with this error, and after as many frames as it holds. */
static void assert_breaks(enum wsp_fatal code, uint8_t type, uint32_t channel)
{
    for (size_t at = 0; at <= stream.len; at++) {
        struct wsp_wire_reader reader;
        struct wsp_wire_frame frame;
        size_t n_frames = 0;
        int r;

        wsp_wire_reader_init(&reader);
        r = feed(&reader, 0, at, &n_frames);
        if (r == WSP_MORE)
            r = feed(&reader, at, stream.len, &n_frames);
        ck_assert_int_eq(r, WSP_BROKEN);
        ck_assert_uint_eq(n_frames, stream.n_frames);
        ck_assert_uint_eq(reader.error.code, code);
        ck_assert_uint_eq(reader.error.type, type);
        ck_assert_uint_eq(reader.error.channel, channel);
        ck_assert_ptr_null(reader.partial.data);
        ck_assert_ptr_null(reader.window.data);
        ck_assert_int_eq(wsp_wire_reader_next(&reader, &frame), WSP_BROKEN);
        wsp_wire_reader_deinit(&reader);
    }
}

/* Loop test: magic, HELLO, and a sample of each type, cut in every way. */
START_TEST(every_type_comes_however_it_is_cut)
{
    const struct local_sample *sample = local_sample_get((size_t)_i);

    if (sample->message.type == WSP_LOCAL_HELLO) {
        stream_begin();
        stream_add_frame(sample->bytes.data, sample->bytes.len);
    } else {
        stream_begin_with_hello();
        stream_add_frame(sample->bytes.data, sample->bytes.len);
        stream_add_frame(sample->bytes.data, sample->bytes.len);
    }
    for (size_t at = 0; at <= stream.len; at++)
        assert_comes_split_at(at);
    for (size_t window_len = 1; window_len <= stream.len; window_len++)
        assert_comes_in_windows_of(window_len);
}
END_TEST

START_TEST(longest_payload_comes)
{
    static uint8_t frame[WSP_WIRE_MAX_FRAME];

    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)(i * 31 >> 3);
    wsp_wire_header_write(frame, WSP_LOCAL_BINARY, WSP_WIRE_MORE, 1, WSP_MAX_LOCAL_PAYLOAD);
    stream_begin_with_hello();
    stream_add_frame(frame, sizeof(frame));
    assert_comes_in_windows_of(stream.len);
    assert_comes_in_windows_of(4096);
    assert_comes_in_windows_of(13);
}
END_TEST

START_TEST(one_byte_more_is_refused_before_it_comes)
{
    static const uint8_t header[] = {1, 0, 1, 0, WSP_LOCAL_BINARY, 0, 0, 0, 5, 0, 0, 0};
    static const uint8_t longest[] = {255, 255, 255, 255, 0xee, 0, 0, 0, 6, 0, 0, 0};

    stream_begin_with_hello();
    stream_add(header, sizeof(header));
    assert_breaks(WSP_FATAL_TOO_LONG, WSP_LOCAL_BINARY, 5);
    stream_begin_with_hello();
    stream_add(longest, sizeof(longest));
    assert_breaks(WSP_FATAL_TOO_LONG, 0xee, 6);
}
END_TEST

/* Loop test: each byte of the magic may be wrong; nothing behind it is needed to see that. */
START_TEST(wrong_magic_breaks_at_its_first_wrong_byte)
{
    stream_begin();
    stream.bytes[_i] ^= 0x20;
    stream.len = (size_t)_i + 1;
    assert_breaks(WSP_FATAL_BAD_MAGIC, 0, 0);
    stream_add("GET / HTTP/1.1\r\n", 16);
    assert_breaks(WSP_FATAL_BAD_MAGIC, 0, 0);
}
END_TEST

/* Loop test: each bit of the flags and of the two reserved bytes, but MORE and MUST_UNDERSTAND. */
START_TEST(unknown_bits_break)
{
    size_t byte = 5 + (size_t)_i / 8;

    stream_begin_with_hello();
    stream_add_header(WSP_LOCAL_TEXT, 0, 9, 3);
    stream.bytes[stream.len - WSP_WIRE_HEADER_LEN + byte] = (uint8_t)(1 << _i % 8);
    assert_breaks(WSP_FATAL_BAD_HEADER, WSP_LOCAL_TEXT, 9);
}
END_TEST

START_TEST(known_flags_come_through)
{
    static const uint8_t frame[] = {0, 0, 0, 0, WSP_LOCAL_TEXT, 3, 0, 0, 9, 0, 0, 0};

    stream_begin_with_hello();
    stream_add_frame(frame, sizeof(frame));
    assert_comes_in_windows_of(1);
}
END_TEST

START_TEST(hello_must_come_first_and_once)
{
    stream_begin();
    stream_add_header(WSP_LOCAL_OPEN, 0, 1, 15);
    assert_breaks(WSP_FATAL_NO_HELLO, WSP_LOCAL_OPEN, 1);
    stream_begin();
    stream_add_header(0x7f, 0, 0, 0);
    assert_breaks(WSP_FATAL_NO_HELLO, 0x7f, 0);
    stream_begin_with_hello();
    stream_add_header(WSP_LOCAL_HELLO, 0, 0, 20);
    assert_breaks(WSP_FATAL_OUT_OF_TURN, WSP_LOCAL_HELLO, 0);
}
END_TEST

/* What is wrong with the bytes is said before what is wrong with their order. */
START_TEST(garbage_is_called_garbage)
{
    stream_begin();
    stream_add("GET / HTTP/1.1\r\n", 16);
    assert_breaks(WSP_FATAL_BAD_HEADER, '/', 0x312f5054);
}
END_TEST

START_TEST(unknown_types_are_frames_like_others)
{
    static const uint8_t frame[] = {2, 0, 0, 0, 0xfe, 2, 0, 0, 1, 2, 3, 4, 'h', 'i'};

    stream_begin_with_hello();
    stream_add_frame(frame, sizeof(frame));
    assert_comes_in_windows_of(stream.len);
}
END_TEST

START_TEST(boundary_is_where_the_other_side_may_stop)
{
    struct wsp_wire_reader reader;
    size_t n_frames = 0;

    stream_begin_with_hello();
    stream_add_frame(local_sample_get(LOCAL_N_SAMPLES - 1)->bytes.data,
                     local_sample_get(LOCAL_N_SAMPLES - 1)->bytes.len);
    wsp_wire_reader_init(&reader);
    ck_assert(!wsp_wire_reader_is_at_boundary(&reader));
    for (size_t at = 0; at < stream.len; at++) {
        size_t hello_end = WSP_WIRE_MAGIC_LEN + HELLO_LEN;

        ck_assert_int_eq(feed(&reader, at, at + 1, &n_frames), WSP_MORE);
        ck_assert_int_eq(wsp_wire_reader_is_at_boundary(&reader),
                         at + 1 == hello_end || at + 1 == stream.len);
    }
    wsp_wire_reader_deinit(&reader);
}
END_TEST

START_TEST(whole_frames_need_no_memory)
{
    struct wsp_wire_reader reader;
    struct wsp_wire_frame frame;
    int r[3];

    stream_begin_with_hello();
    stream_add_frame(local_sample_get(3)->bytes.data, local_sample_get(3)->bytes.len);
    wsp_wire_reader_init(&reader);
    wsp_wire_reader_feed(&reader, (struct wsp_view){stream.bytes, stream.len});
    allocation_fail_after(0);
    r[0] = wsp_wire_reader_next(&reader, &frame);
    r[1] = wsp_wire_reader_next(&reader, &frame);
    r[2] = wsp_wire_reader_next(&reader, &frame);
    ck_assert(!allocation_disarm());
    ck_assert_int_eq(r[0], 0);
    ck_assert_int_eq(r[1], 0);
    ck_assert_int_eq(r[2], WSP_MORE);
    ck_assert(frame.payload.data >= stream.bytes && frame.payload.data < stream.bytes + stream.len);
    wsp_wire_reader_deinit(&reader);
}
END_TEST

START_TEST(announced_length_takes_no_memory)
{
    struct wsp_wire_reader reader;
    size_t n_frames = 0;

    stream_begin_with_hello();
    stream_add_header(WSP_LOCAL_BINARY, 0, 1, WSP_MAX_LOCAL_PAYLOAD);
    stream_add("x", 1);
    wsp_wire_reader_init(&reader);
    ck_assert_int_eq(feed(&reader, 0, stream.len, &n_frames), WSP_MORE);
    ck_assert_uint_le(reader.partial.capacity, 1024);
    wsp_wire_reader_deinit(&reader);
}
END_TEST

/* Reads the stream in windows, again and again where memory is short. Asserts nothing. */
static bool comes_although_memory_is_short(size_t window_len, size_t *ret_n_failures)
{
    struct wsp_wire_reader reader;
    size_t n_frames = 0;
    bool is_right = true;

    *ret_n_failures = 0;
    wsp_wire_reader_init(&reader);
    for (size_t at = 0; at < stream.len && is_right; at += window_len) {
        size_t len = stream.len - at > window_len ? window_len : stream.len - at;
        struct wsp_wire_frame frame;
        int r;

        wsp_wire_reader_feed(&reader, (struct wsp_view){stream.bytes + at, len});
        while ((r = wsp_wire_reader_next(&reader, &frame)) == 0 || r == -ENOMEM) {
            if (r == -ENOMEM)
                ++*ret_n_failures;
            else if (!wsp_view_equals(frame.payload, stream.frames[n_frames++].payload))
                is_right = false;
        }
        is_right = is_right && r == WSP_MORE;
    }
    wsp_wire_reader_deinit(&reader);
    return is_right && n_frames == stream.n_frames;
}

/* Loop test over lengths of windows: each allocation in turn fails, once. */
START_TEST(failed_allocation_loses_nothing)
{
    static const size_t window_lens[] = {1, 5, 20, 700};
    static uint8_t frame[WSP_WIRE_HEADER_LEN + 3000];
    bool has_failed = true;
    size_t n;

    wsp_wire_header_write(frame, WSP_LOCAL_BINARY, 0, 1, sizeof(frame) - WSP_WIRE_HEADER_LEN);
    memset(frame + WSP_WIRE_HEADER_LEN, 'x', sizeof(frame) - WSP_WIRE_HEADER_LEN);
    stream_begin_with_hello();
    stream_add_frame(frame, sizeof(frame));
    for (n = 0; has_failed; n++) {
        size_t n_failures;
        bool is_right;

        allocation_fail_after(n);
        is_right = comes_although_memory_is_short(window_lens[_i], &n_failures);
        has_failed = allocation_disarm();
        ck_assert(is_right);
        ck_assert_uint_eq(n_failures, has_failed ? 1 : 0);
    }
    ck_assert_uint_ge(n, 3);
}
END_TEST

START_TEST(reader_can_be_let_go_at_any_time)
{
    struct wsp_wire_reader reader;
    size_t n_frames = 0;

    stream_begin_with_hello();
    wsp_wire_reader_init(&reader);
    ck_assert_int_eq(feed(&reader, 0, stream.len - 1, &n_frames), WSP_MORE);
    wsp_wire_reader_deinit(&reader);
    wsp_wire_reader_deinit(&reader);
    wsp_wire_reader_deinit(NULL);
}
END_TEST

START_TEST(empty_window_changes_nothing)
{
    struct wsp_wire_reader reader;
    struct wsp_wire_frame frame;

    wsp_wire_reader_init(&reader);
    for (int i = 0; i < 3; i++) {
        wsp_wire_reader_feed(&reader, (struct wsp_view){0});
        ck_assert_int_eq(wsp_wire_reader_next(&reader, &frame), WSP_MORE);
    }
    wsp_wire_reader_deinit(&reader);
}
END_TEST

START_TEST(header_is_as_specified)
{
    static const uint8_t expected[] = {0, 0, 1, 0, 0x21, 3, 0, 0, 4, 3, 2, 1};
    uint8_t header[WSP_WIRE_HEADER_LEN];

    wsp_wire_header_write(header, WSP_LOCAL_BINARY, WSP_WIRE_MORE | WSP_WIRE_MUST_UNDERSTAND,
                          0x01020304, WSP_MAX_LOCAL_PAYLOAD);
    unit_assert_bytes(header, sizeof(header), expected, sizeof(expected));
}
END_TEST

START_TEST(data_costs_its_frame)
{
    ck_assert_uint_eq(wsp_wire_cost(0), 12);
    ck_assert_uint_eq(wsp_wire_cost(WSP_MAX_LOCAL_PAYLOAD), WSP_INITIAL_CREDIT);
    ck_assert_uint_eq(WSP_INITIAL_CREDIT, WSP_WIRE_MAX_FRAME);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("wire");
    TCase *frames = unit_case(suite, "frames");
    TCase *breaks = unit_case(suite, "breaks");
    TCase *memory = unit_case(suite, "memory");
    TCase *writer = unit_case(suite, "writer");

    tcase_add_loop_test(frames, every_type_comes_however_it_is_cut, 0, LOCAL_N_SAMPLES);
    tcase_add_test(frames, longest_payload_comes);
    tcase_add_test(frames, known_flags_come_through);
    tcase_add_test(frames, unknown_types_are_frames_like_others);
    tcase_add_test(frames, boundary_is_where_the_other_side_may_stop);
    tcase_add_test(frames, empty_window_changes_nothing);
    tcase_add_test(breaks, one_byte_more_is_refused_before_it_comes);
    tcase_add_loop_test(breaks, wrong_magic_breaks_at_its_first_wrong_byte, 0, WSP_WIRE_MAGIC_LEN);
    tcase_add_loop_test(breaks, unknown_bits_break, 2, 24);
    tcase_add_test(breaks, hello_must_come_first_and_once);
    tcase_add_test(breaks, garbage_is_called_garbage);
    tcase_add_test(memory, whole_frames_need_no_memory);
    tcase_add_test(memory, announced_length_takes_no_memory);
    tcase_add_loop_test(memory, failed_allocation_loses_nothing, 0, 4);
    tcase_add_test(memory, reader_can_be_let_go_at_any_time);
    tcase_add_test(writer, header_is_as_specified);
    tcase_add_test(writer, data_costs_its_frame);
    return suite;
}
