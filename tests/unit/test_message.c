/*
 * test_message: the reader of proto/websocket/message.h against RFC 6455, clause by clause.
 *
 * A row is what the peer sends and what must come of it, written as a line:
 *     T[text] B[binary] P[ping] Q[pong] C1000[close and reason] !1002 for a broken rule,
 *     and + at the end when the stream must not end here.
 * Every row is run whole, byte by byte and cut in two at each byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/message.h"
#include "tests/harness/allocation.h"
#include "tests/harness/pieces.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct wsp_ws_limits small = {.max_message = 200, .max_fragments = 5};
static const struct wsp_ws_limits usual = {.max_message = WSP_DEFAULT_MAX_MESSAGE,
                                           .max_fragments = WSP_DEFAULT_MAX_FRAGMENTS};
static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

struct story {
    char text[2048];
    size_t len;
};

static void tell(struct story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void tell(struct story *story, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(story->text + story->len, sizeof(story->text) - story->len, format, args);
    va_end(args);
    ck_assert_int_ge(n, 0);
    story->len += (size_t)n;
    ck_assert_uint_lt(story->len, sizeof(story->text));
}

static void tell_payload(struct story *story, struct wsp_view payload)
{
    tell(story, "[");
    for (size_t i = 0; i < payload.len; i++) {
        uint8_t c = payload.data[i];

        if (c >= ' ' && c < 0x7f)
            tell(story, "%c", c);
        else
            tell(story, "<%02x>", c);
    }
    tell(story, "]");
}

static void tell_event(struct story *story, const struct wsp_ws_event *event)
{
    switch (event->type) {
    case WSP_WS_MESSAGE: tell(story, "%c", event->is_binary ? 'B' : 'T'); break;
    case WSP_WS_PING: tell(story, "P"); break;
    case WSP_WS_PONG: tell(story, "Q"); break;
    case WSP_WS_CLOSE: tell(story, "C%u", event->code); break;
    }
    tell_payload(story, event->payload);
}

/* Takes all events of the window; the story of the last one is BROKEN or MORE. */
static int tell_window(struct story *story, struct wsp_ws_reader *reader, struct wsp_view window)
{
    struct wsp_ws_event event;
    int r;

    wsp_ws_reader_feed(reader, window);
    for (;;) {
        r = wsp_ws_reader_next(reader, &event);
        if (r == 0)
            tell_event(story, &event);
        else if (r != -ENOMEM)
            break;
    }
    if (r == WSP_MORE)
        ck_assert_uint_eq(wsp_ws_reader_rest(reader).len, 0);
    return r;
}

static void tell_all(struct story *story, enum wsp_role role, const struct wsp_ws_limits *limits,
                     const void *bytes, size_t len, size_t cut)
{
    struct wsp_ws_reader reader;
    struct pieces pieces;
    struct wsp_view piece;
    int r = WSP_MORE;

    *story = (struct story){0};
    wsp_ws_reader_init(&reader, role, limits);
    pieces_init(&pieces, bytes, len, cut);
    while (r == WSP_MORE && pieces_next(&pieces, &piece))
        r = tell_window(story, &reader, piece);
    if (r == WSP_BROKEN) {
        struct wsp_ws_event event;

        tell(story, "!%u", wsp_ws_reader_broken_code(&reader));
        ck_assert_ptr_nonnull(wsp_ws_reader_broken_why(&reader));
        ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_BROKEN);
        ck_assert_uint_eq(wsp_ws_reader_held(&reader), 0);
        ck_assert(!wsp_ws_reader_is_amid(&reader));
    } else if (wsp_ws_reader_is_amid(&reader)) {
        tell(story, "+");
    }
    pieces_deinit(&pieces);
    wsp_ws_reader_deinit(&reader);
}

static void assert_story(enum wsp_role role, const struct wsp_ws_limits *limits, const void *bytes,
                         size_t len, const char *expected)
{
    struct story story;

    for (size_t cut = 0; cut < pieces_n_cuts(len); cut++) {
        tell_all(&story, role, limits, bytes, len, cut);
        ck_assert_msg(strcmp(story.text, expected) == 0, "cut %zu: %s, not %s", cut, story.text,
                      expected);
    }
}

/* -- what a server sends, clause by clause -- */

static const struct {
    const char *bytes;
    size_t len;
    const char *story;
} from_server[] = {
    /* 5.1: a client closes on a masked frame, with 1002 */
    {BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "!1002"},
    {BYTES("\x81\x80\x37\xfa\x21\x3d"), "!1002"},
    {BYTES("\x89\x80\x37\xfa\x21\x3d"), "!1002"},
    {BYTES("\x81\x02ok\x81\x82\x37\xfa\x21\x3d"), "T[ok]!1002"},

    /* 5.2: reserved bits without an extension that knows them */
    {BYTES("\xc1\x05Hello"), "!1002"},
    {BYTES("\xa1\x05Hello"), "!1002"},
    {BYTES("\x91\x05Hello"), "!1002"},
    {BYTES("\xc9\x00"), "!1002"},
    {BYTES("\xa8\x00"), "!1002"},
    {BYTES("\x01\x01x\xc0\x01y"), "!1002"},

    /* 5.2: reserved opcodes */
    {BYTES("\x83\x00"), "!1002"},
    {BYTES("\x84\x00"), "!1002"},
    {BYTES("\x85\x00"), "!1002"},
    {BYTES("\x86\x00"), "!1002"},
    {BYTES("\x87\x00"), "!1002"},
    {BYTES("\x8b\x00"), "!1002"},
    {BYTES("\x8c\x00"), "!1002"},
    {BYTES("\x8d\x00"), "!1002"},
    {BYTES("\x8e\x00"), "!1002"},
    {BYTES("\x8f\x00"), "!1002"},
    {BYTES("\x01\x01x\x83\x00"), "!1002"},

    /* 5.2: the minimal number of bytes for the length, most significant bit 0 */
    {BYTES("\x82\x7e\x00\x05Hello"), "!1002"},
    {BYTES("\x82\x7e\x00\x7d"), "!1002"},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x05Hello"), "!1002"},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), "!1002"},
    {BYTES("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), "!1002"},

    /* 5.2: what is cut off is neither an event nor a fault */
    {BYTES(""), ""},
    {BYTES("\x81"), "+"},
    {BYTES("\x81\x05"), "+"},
    {BYTES("\x81\x05Hell"), "+"},
    {BYTES("\x82\x7e\x00"), "+"},
    {BYTES("\x89\x05Hell"), "+"},
    {BYTES("\x01\x05Hello"), "+"},

    /* 5.4: fragments */
    {BYTES("\x01\x03Hel\x80\x02lo"), "T[Hello]"},
    {BYTES("\x02\x03Hel\x00\x01l\x80\x01o"), "B[Hello]"},
    {BYTES("\x01\x00\x00\x00\x80\x00"), "T[]"},
    {BYTES("\x02\x00\x80\x03Hel"), "B[Hel]"},
    {BYTES("\x02\x03Hel\x80\x00"), "B[Hel]"},
    {BYTES("\x01\x01"
           "a\x80\x01"
           "b\x01\x01"
           "c\x80\x01"
           "d"),
     "T[ab]T[cd]"},
    {BYTES("\x01\x01"
           "a\x80\x01"
           "b\x81\x01"
           "c"),
     "T[ab]T[c]"},
    {BYTES("\x81\x01"
           "a\x01\x01"
           "b\x80\x01"
           "c\x82\x01"
           "d"),
     "T[a]T[bc]B[d]"},
    /* control frames in the middle of a fragmented message */
    {BYTES("\x01\x03Hel\x89\x01!\x80\x02lo"), "P[!]T[Hello]"},
    {BYTES("\x01\x03Hel\x8a\x00\x89\x02xy\x00\x00\x89\x00\x80\x02lo"), "Q[]P[xy]P[]T[Hello]"},
    /* a close ends it all, the half message is lost */
    {BYTES("\x01\x03Hel\x88\x00\x80\x02lo"), "C1005[]"},
    /* nothing to continue */
    {BYTES("\x80\x02lo"), "!1002"},
    {BYTES("\x00\x02lo"), "!1002"},
    {BYTES("\x81\x01x\x80\x01y"), "T[x]!1002"},
    {BYTES("\x01\x01"
           "a\x80\x01"
           "b\x80\x01"
           "c"),
     "T[ab]!1002"},
    {BYTES("\x89\x00\x80\x00"), "P[]!1002"},
    /* messages do not interleave */
    {BYTES("\x01\x01x\x81\x01y"), "!1002"},
    {BYTES("\x01\x01x\x01\x01y"), "!1002"},
    {BYTES("\x01\x01x\x82\x01y"), "!1002"},
    {BYTES("\x02\x01x\x89\x00\x02\x01y"), "P[]!1002"},

    /* 5.5: control frames are whole, and at most 125 bytes */
    {BYTES("\x09\x00"), "!1002"},
    {BYTES("\x0a\x00"), "!1002"},
    {BYTES("\x08\x00"), "!1002"},
    {BYTES("\x89\x7e\x00\x7e"), "!1002"},
    {BYTES("\x8a\x7e\x00\x7e"), "!1002"},
    {BYTES("\x88\x7f\x00\x00\x00\x00\x00\x00\x00\x7e"), "!1002"},

    /* 5.5.1, 7.1.5, 7.1.6: close */
    {BYTES("\x88\x00"), "C1005[]"},
    {BYTES("\x88\x02\x03\xe8"), "C1000[]"},
    {BYTES("\x88\x05\x03\xe9"
           "bye"),
     "C1001[bye]"},
    {BYTES("\x88\x04\x0f\xa0\xc3\xa4"), "C4000[<c3><a4>]"},
    {BYTES("\x88\x03\x13\x87\x00"), "C4999[<00>]"},
    {BYTES("\x88\x01\x03"), "!1002"},
    {BYTES("\x88\x03\x03\xe8\xff"), "!1007"},
    {BYTES("\x88\x03\x03\xe8\xc3"), "!1007"},
    {BYTES("\x88\x05\x03\xe8\xed\xa0\x80"), "!1007"},
    /* after a close whatever comes is nothing */
    {BYTES("\x88\x02\x03\xe8\x81\x05Hello"), "C1000[]"},
    {BYTES("\x88\x02\x03\xe8\x88\x02\x03\xe9"), "C1000[]"},
    {BYTES("\x88\x00\xff\xff\xff\xff"), "C1005[]"},
    {BYTES("\x88\x00\x01"), "C1005[]"},
    {BYTES("\x81\x01x\x88\x00"), "T[x]C1005[]"},

    /* 5.5.2, 5.5.3: ping and pong, also unasked */
    {BYTES("\x89\x00"), "P[]"},
    {BYTES("\x89\x05Hello"), "P[Hello]"},
    {BYTES("\x8a\x05Hello"), "Q[Hello]"},
    {BYTES("\x89\x01\xff\x8a\x01\x00"), "P[<ff>]Q[<00>]"},
    {BYTES("\x89\x01"
           "1\x89\x01"
           "2\x89\x01"
           "3"),
     "P[1]P[2]P[3]"},

    /* 5.6: text and binary */
    {BYTES("\x81\x05Hello"), "T[Hello]"},
    {BYTES("\x81\x00"), "T[]"},
    {BYTES("\x82\x00"), "B[]"},
    {BYTES("\x82\x03\x00\xff\xfe"), "B[<00><ff><fe>]"},
    {BYTES("\x81\x01"
           "a\x82\x01"
           "b\x81\x00\x81\x01"
           "c"),
     "T[a]B[b]T[]T[c]"},

    /* 8.1: text is UTF-8, U+0000 and noncharacters too */
    {BYTES("\x81\x02\xc3\xa4"), "T[<c3><a4>]"},
    {BYTES("\x81\x01\x00"), "T[<00>]"},
    {BYTES("\x81\x03\xef\xbf\xbf"), "T[<ef><bf><bf>]"},
    {BYTES("\x81\x04\xf4\x8f\xbf\xbf"), "T[<f4><8f><bf><bf>]"},
    {BYTES("\x01\x01\xc3\x80\x01\xa4"), "T[<c3><a4>]"},
    {BYTES("\x01\x01\xf0\x00\x01\x9f\x89\x00\x00\x01\x98\x80\x01\x80"), "P[]T[<f0><9f><98><80>]"},
    {BYTES("\x01\x01\xc3\x00\x00\x80\x01\xa4"), "T[<c3><a4>]"},
    {BYTES("\x81\x01\xff"), "!1007"},
    {BYTES("\x81\x02\xc0\x80"), "!1007"},
    {BYTES("\x81\x03\xed\xa0\x80"), "!1007"},
    {BYTES("\x81\x04\xf4\x90\x80\x80"), "!1007"},
    {BYTES("\x81\x01\x80"), "!1007"},
    {BYTES("\x81\x01\xc3"), "!1007"},
    {BYTES("\x01\x01\xc3\x80\x00"), "!1007"},
    {BYTES("\x01\x01\xc3\x80\x01x"), "!1007"},
    {BYTES("\x01\x01\xc3\x89\x01\xa4\x80\x01x"), "P[<a4>]!1007"},
    {BYTES("\x81\x02ok\x81\x01\xff\x81\x02no"), "T[ok]!1007"},
    /* a message after a broken character begins anew, binary is not looked at */
    {BYTES("\x82\x01\xc3\x81\x01x"), "B[<c3>]T[x]"},
    /* fail fast: at the first wrong byte, though frame and message go on */
    {BYTES("\x81\x7e\x00\xc8\xff"), "!1007"},
    {BYTES("\x81\x7e\x00\xc8"
           "abc\xf4\x90"),
     "!1007"},
    {BYTES("\x01\x01\xff"), "!1007"},
    {BYTES("\x01\x02ok\x00\x05\xed\xa0"), "!1007"},

    /* 10.4: limits, before the payload has come; 200 bytes and 5 frames here */
    {BYTES("\x82\x7e\x00\xc9"), "!1009"},
    {BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "!1009"},
    {BYTES("\x02\x03"
           "abc\x80\x7e\x00\xc6"),
     "!1009"},
    {BYTES("\x02\x03"
           "abc\x00\x7e\x7f\xff"),
     "!1009"},
    {BYTES("\x82\x7e\x00\xc8"), "+"},
    {BYTES("\x02\x00\x00\x00\x00\x00\x00\x00\x80\x00"), "B[]"},
    {BYTES("\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00"), "!1009"},
    {BYTES("\x02\x00\x00\x00\x00\x00\x00\x00\x80\x00\x02\x00\x80\x00"), "B[]B[]"},
};

START_TEST(server_sends)
{
    assert_story(WSP_ROLE_CLIENT, &small, from_server[_i].bytes, from_server[_i].len,
                 from_server[_i].story);
}
END_TEST

/* -- what a client sends -- */

static const struct {
    const char *bytes;
    size_t len;
    const char *story;
} from_client[] = {
    /* 5.1: a server closes on an unmasked frame */
    {BYTES("\x81\x05Hello"), "!1002"},
    {BYTES("\x89\x00"), "!1002"},
    /* 5.7: the examples */
    {BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "T[Hello]"},
    {BYTES("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "Q[Hello]"},
    {BYTES("\x81\x80\x37\xfa\x21\x3d"), "T[]"},
    {BYTES("\x89\x80\x37\xfa\x21\x3d"), "P[]"},
    /* each frame has its own key, and the key its own beginning */
    {BYTES("\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d\x80\x82\x00\x00\x00\x00lo"), "T[Hello]"},
    {BYTES(
         "\x01\x83\x37\xfa\x21\x3d\x7f\x9f\x4d\x89\x81\x01\x00\x00\x00 \x80\x82\x00\x00\x00\x00lo"),
     "P[!]T[Hello]"},
    /* text is judged behind the mask */
    {BYTES("\x81\x81\xff\x00\x00\x00\x9e"), "T[a]"},
    {BYTES("\x81\x81\x80\x00\x00\x00\x61"), "!1007"},
    /* close */
    {BYTES("\x88\x82\x00\x00\x00\x00\x03\xe8"), "C1000[]"},
    {BYTES("\x88\x82\x03\xe8\x00\x00\x00\x00"), "C1000[]"},
    {BYTES("\x88\x81\x00\x00\x00\x00\x03"), "!1002"},
    {BYTES("\x88\x80\x00\x00\x00\x00\x81\x00"), "C1005[]"},
    {BYTES("\x82\xfe\x00\xc9"), "+"},
    {BYTES("\x82\xfe\x00\xc9\x00\x00\x00\x00"), "!1009"},
    {BYTES("\x81\x85\x37\xfa"), "+"},
    {BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f"), "+"},
};

START_TEST(client_sends)
{
    assert_story(WSP_ROLE_SERVER, &small, from_client[_i].bytes, from_client[_i].len,
                 from_client[_i].story);
}
END_TEST

/* -- close codes (section 7.4) -- */

static bool may_be_sent(unsigned code)
{
    static const struct {
        unsigned first, last;
    } ranges[] = {{1000, 1003}, {1007, 1014}, {3000, 4999}};

    for (size_t i = 0; i < N_OF(ranges); i++) {
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    }
    return false;
}

START_TEST(every_close_code)
{
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        uint8_t bytes[] = {0x88, 2, (uint8_t)(code >> 8), (uint8_t)code};
        char expected[16] = "!1002";
        struct story story;

        if (may_be_sent(code))
            snprintf(expected, sizeof(expected), "C%u[]", code);
        tell_all(&story, WSP_ROLE_CLIENT, &small, bytes, sizeof(bytes), 0);
        ck_assert_str_eq(story.text, expected);
    }
}
END_TEST

/* -- lengths -- */

static const size_t lengths[] = {0,   1,     124,   125,   126,   127,     128,     255,
                                 256, 65535, 65536, 65537, 99999, 1 << 20, 16 << 20};

static uint8_t *make_payload(size_t len)
{
    uint8_t *payload = malloc(len + 1);

    ck_assert_ptr_nonnull(payload);
    for (size_t i = 0; i < len; i++)
        payload[i] = (uint8_t)(i % 95 + ' ');
    return payload;
}

static void assert_message(struct wsp_ws_reader *reader, struct wsp_view wire, size_t step,
                           struct wsp_view payload, bool is_binary)
{
    struct wsp_ws_event event;
    int r = WSP_MORE;

    for (size_t at = 0; at < wire.len; at += step) {
        ck_assert_int_eq(r, WSP_MORE);
        wsp_ws_reader_feed(
            reader, (struct wsp_view){wire.data + at, wire.len - at < step ? wire.len - at : step});
        r = wsp_ws_reader_next(reader, &event);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(event.type, WSP_WS_MESSAGE);
    ck_assert_int_eq(event.is_binary, is_binary);
    unit_assert_bytes(event.payload.data, event.payload.len, payload.data, payload.len);
    ck_assert_int_eq(wsp_ws_reader_next(reader, &event), WSP_MORE);
    ck_assert_uint_eq(wsp_ws_reader_held(reader), 0);
}

/* Both roles, text and binary, whole, in reads of 4096 and of 65536, and byte by byte when short. */
START_TEST(every_length_comes_through)
{
    size_t len = lengths[_i];
    uint8_t *bytes = make_payload(len);
    struct wsp_view payload = {bytes, len};

    for (int way = 0; way < 4; way++) {
        enum wsp_role writer = way & 1 ? WSP_ROLE_CLIENT : WSP_ROLE_SERVER;
        enum wsp_role role = way & 1 ? WSP_ROLE_SERVER : WSP_ROLE_CLIENT;
        bool is_binary = (way & 2) != 0;
        struct wsp_buffer out;
        struct wsp_ws_reader reader;
        struct wsp_view wire;

        wsp_buffer_init(&out, SIZE_MAX);
        wsp_ws_reader_init(&reader, role, &usual);
        ck_assert_int_eq(wsp_ws_write_message(&out, writer, is_binary, payload, key), 0);
        wire = (struct wsp_view){wsp_buffer_peek(&out), wsp_buffer_len(&out)};
        assert_message(&reader, wire, wire.len, payload, is_binary);
        assert_message(&reader, wire, 65536, payload, is_binary);
        assert_message(&reader, wire, 4096, payload, is_binary);
        if (len < 100000)
            assert_message(&reader, wire, 1, payload, is_binary);
        wsp_ws_reader_deinit(&reader);
        wsp_buffer_deinit(&out);
    }
    free(bytes);
}
END_TEST

START_TEST(exactly_the_limit_passes)
{
    for (size_t len = 199; len <= 201; len++) {
        uint8_t *bytes = make_payload(len);
        struct wsp_buffer out;
        struct story story;

        wsp_buffer_init(&out, SIZE_MAX);
        ck_assert_int_eq(
            wsp_ws_write_message(&out, WSP_ROLE_SERVER, true, (struct wsp_view){bytes, len}, key),
            0);
        for (size_t cut = 0; cut < 5; cut++) {
            tell_all(&story, WSP_ROLE_CLIENT, &small, wsp_buffer_peek(&out), wsp_buffer_len(&out),
                     cut);
            ck_assert_int_eq(story.text[0], len <= 200 ? 'B' : '!');
        }
        wsp_buffer_deinit(&out);
        free(bytes);
    }
}
END_TEST

/* -- memory -- */

START_TEST(whole_message_is_lent_from_the_window)
{
    static const uint8_t wire[] = "\x81\x05Hello\x82\x02hi\x89\x01p\x88\x05\x03\xe8"
                                  "bye";
    static const size_t at[] = {2, 9, 13, 18};
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    struct wsp_buffer taken;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
    wsp_ws_reader_feed(&reader, (struct wsp_view){wire, sizeof(wire) - 1});
    allocation_fail_after(0);
    for (size_t i = 0; i < N_OF(at); i++) {
        int r = wsp_ws_reader_next(&reader, &event);

        if (r != 0 || !event.is_borrowed || event.payload.data != wire + at[i])
            abort();
    }
    ck_assert(!allocation_disarm());
    ck_assert_int_eq(wsp_ws_reader_take(&reader, &taken), -ENODATA);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

START_TEST(assembled_message_is_taken_without_a_copy)
{
    static const uint8_t wire[] = "\x01\x03Hel\x80\x02lo\x81\x01x";
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    struct wsp_buffer taken;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
    ck_assert_int_eq(wsp_ws_reader_take(&reader, &taken), -ENODATA);
    wsp_ws_reader_feed(&reader, (struct wsp_view){wire, sizeof(wire) - 1});
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), 0);
    ck_assert(!event.is_borrowed);
    ck_assert_int_eq(wsp_ws_reader_take(&reader, &taken), 0);
    ck_assert_ptr_eq(wsp_buffer_peek(&taken), event.payload.data);
    ck_assert_uint_eq(wsp_ws_reader_held(&reader), 0);
    ck_assert_int_eq(wsp_ws_reader_take(&reader, &taken), -ENODATA);
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), 0);
    unit_assert_bytes(event.payload.data, event.payload.len, "x", 1);
    unit_assert_bytes(wsp_buffer_peek(&taken), wsp_buffer_len(&taken), "Hello", 5);
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_MORE);
    wsp_buffer_deinit(&taken);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

/* A header announces; only what came is held. */
START_TEST(memory_grows_with_what_has_come)
{
    static const uint8_t header[] = {0x82, 0x7f, 0, 0, 0, 0, 1, 0, 0, 0}; /* 16 MiB */
    const size_t announced = 16 << 20;
    uint8_t piece[4096] = {0};
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    size_t came = 0;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &usual);
    wsp_ws_reader_feed(&reader, (struct wsp_view){header, sizeof(header)});
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_MORE);
    ck_assert_uint_eq(wsp_ws_reader_held(&reader), 0);
    while (came < announced) {
        wsp_ws_reader_feed(&reader, (struct wsp_view){piece, sizeof(piece)});
        came += sizeof(piece);
        ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), came < announced ? WSP_MORE : 0);
        ck_assert_uint_le(wsp_ws_reader_held(&reader), 2 * came);
    }
    ck_assert_uint_eq(wsp_ws_reader_held(&reader), announced);
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_MORE);
    ck_assert_uint_eq(wsp_ws_reader_held(&reader), 0);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

/* 3000 bytes in two windows, then the beginning of a small message: nothing of the large one stays. */
START_TEST(large_memory_does_not_stay_behind_a_small_message)
{
    const size_t len = 8000;
    uint8_t *bytes = make_payload(len);
    struct wsp_buffer out;
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    struct wsp_view wire;

    wsp_buffer_init(&out, SIZE_MAX);
    ck_assert_int_eq(
        wsp_ws_write_message(&out, WSP_ROLE_SERVER, true, (struct wsp_view){bytes, len}, NULL), 0);
    ck_assert_int_eq(wsp_buffer_append(&out, "\x01\x01x", 3), 0);
    wire = (struct wsp_view){wsp_buffer_peek(&out), wsp_buffer_len(&out)};
    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &usual);
    wsp_ws_reader_feed(&reader, (struct wsp_view){wire.data, 3000});
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_MORE);
    wsp_ws_reader_feed(&reader, (struct wsp_view){wire.data + 3000, wire.len - 3000});
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), 0);
    ck_assert_uint_eq(event.payload.len, len);
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_MORE);
    ck_assert_uint_le(wsp_ws_reader_held(&reader), 256);
    wsp_ws_reader_deinit(&reader);
    wsp_buffer_deinit(&out);
    free(bytes);
}
END_TEST

/* A server with honest intentions may send 100,000 fragments. */
START_TEST(a_hundred_thousand_fragments_pass)
{
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &usual);
    for (int i = 0; i < 100000; i++) {
        bool is_last = i == 99999;
        uint8_t frame[] = {(uint8_t)((is_last ? 0x80 : 0) | (i == 0 ? 1 : 0)), 1, 'x'};

        wsp_ws_reader_feed(&reader, (struct wsp_view){frame, sizeof(frame)});
        ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), is_last ? 0 : WSP_MORE);
    }
    ck_assert_uint_eq(event.payload.len, 100000);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

START_TEST(a_flood_of_empty_fragments_ends_and_costs_nothing)
{
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    uint8_t frame[] = {0x01, 0};
    int r = WSP_MORE;
    size_t held = 0;
    unsigned n = 0;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &usual);
    while (r == WSP_MORE) {
        wsp_ws_reader_feed(&reader, (struct wsp_view){frame, sizeof(frame)});
        r = wsp_ws_reader_next(&reader, &event);
        held |= wsp_ws_reader_held(&reader);
        frame[0] = 0x00;
        n++;
    }
    ck_assert_int_eq(r, WSP_BROKEN);
    ck_assert_uint_eq(wsp_ws_reader_broken_code(&reader), 1009);
    ck_assert_uint_eq(n, WSP_DEFAULT_MAX_FRAGMENTS + 1);
    ck_assert_uint_eq(held, 0);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

/* -- the caller's side -- */

/* After each event the caller goes away with the rest in other memory. */
START_TEST(stopping_early_loses_nothing)
{
    static const char wire[] = "\x81\x02hi\x01\x01"
                               "a\x89\x01p\x80\x01"
                               "b\x82\x03xyz\x88\x02\x03\xe8";
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    struct story story = {0};
    struct guard guard;
    int r;

    guard_init(&guard, wire, sizeof(wire) - 1);
    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
    wsp_ws_reader_feed(&reader, (struct wsp_view){guard.data, guard.len});
    while ((r = wsp_ws_reader_next(&reader, &event)) == 0) {
        struct wsp_view rest = wsp_ws_reader_rest(&reader);
        struct guard next;

        tell_event(&story, &event);
        guard_init(&next, rest.data, rest.len);
        guard_deinit(&guard);
        guard = next;
        wsp_ws_reader_feed(&reader, (struct wsp_view){guard.data, guard.len});
    }
    ck_assert_int_eq(r, WSP_MORE);
    ck_assert_str_eq(story.text, "T[hi]P[p]T[ab]B[xyz]C1000[]");
    guard_deinit(&guard);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

/* Each allocation is refused once, the call is repeated, the story is the same. */
START_TEST(refused_memory_loses_nothing)
{
    static const char wire[] = "\x01\x03Hel\x89\x01p\x80\x02lo\x81\x7e\x00\x80"
                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct story whole;
    struct wsp_ws_reader reader;
    struct story story = {0};
    size_t n_failed = 0;

    tell_all(&whole, WSP_ROLE_CLIENT, &small, wire, sizeof(wire) - 1, 0);
    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
    for (size_t i = 0; i < sizeof(wire) - 1; i++) {
        struct wsp_ws_event event;
        int r;

        wsp_ws_reader_feed(&reader, (struct wsp_view){(const uint8_t *)wire + i, 1});
        for (;;) {
            bool has_failed;

            allocation_fail_after(0);
            r = wsp_ws_reader_next(&reader, &event);
            has_failed = allocation_disarm();
            ck_assert_int_eq(r == -ENOMEM, has_failed);
            n_failed += has_failed;
            if (has_failed)
                r = wsp_ws_reader_next(&reader, &event);
            if (r != 0)
                break;
            tell_event(&story, &event);
        }
        ck_assert_int_eq(r, WSP_MORE);
    }
    ck_assert_uint_eq(n_failed, 2);
    ck_assert_str_eq(story.text, whole.text);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

START_TEST(no_limit_at_all_is_a_limit_too)
{
    static const struct wsp_ws_limits none = {.max_message = SIZE_MAX, .max_fragments = UINT32_MAX};

    assert_story(WSP_ROLE_CLIENT, &none,
                 BYTES("\x02\x01"
                       "a\x80\x01"
                       "b"),
                 "B[ab]");
    assert_story(WSP_ROLE_CLIENT, &none,
                 BYTES("\x02\x01"
                       "a\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
                 "!1009");
}
END_TEST

START_TEST(half_built_and_twice_is_fine)
{
    struct wsp_ws_reader reader;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
    wsp_ws_reader_deinit(&reader);
    wsp_ws_reader_deinit(&reader);
    wsp_ws_reader_deinit(NULL);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("message");
    TCase *rules = unit_case(suite, "rules");
    TCase *sizes = unit_case(suite, "sizes");
    TCase *memory = unit_case(suite, "memory");

    tcase_set_timeout(rules, 60);
    tcase_set_timeout(sizes, 60);
    tcase_set_timeout(memory, 60);
    tcase_add_loop_test(rules, server_sends, 0, N_OF(from_server));
    tcase_add_loop_test(rules, client_sends, 0, N_OF(from_client));
    tcase_add_test(rules, every_close_code);
    tcase_add_loop_test(sizes, every_length_comes_through, 0, N_OF(lengths));
    tcase_add_test(sizes, exactly_the_limit_passes);
    tcase_add_test(memory, whole_message_is_lent_from_the_window);
    tcase_add_test(memory, assembled_message_is_taken_without_a_copy);
    tcase_add_test(memory, memory_grows_with_what_has_come);
    tcase_add_test(memory, large_memory_does_not_stay_behind_a_small_message);
    tcase_add_test(memory, a_hundred_thousand_fragments_pass);
    tcase_add_test(memory, a_flood_of_empty_fragments_ends_and_costs_nothing);
    tcase_add_test(memory, stopping_early_loses_nothing);
    tcase_add_test(memory, refused_memory_loses_nothing);
    tcase_add_test(memory, no_limit_at_all_is_a_limit_too);
    tcase_add_test(memory, half_built_and_twice_is_fine);
    return suite;
}
