/*
 * test_deflate: messages packed and unpacked (RFC 7692, sections 6 and 7.2), by the codec and by the
 * reader and writer of proto/websocket/message.h.
 *
 * A row is what the server sends and what must come of it: T[text] B[binary] P[ping] !1007 for a
 * broken rule. Every row is run whole, byte by byte and cut in two at each byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/deflate.h"
#include "proto/websocket/message.h"
#include "tests/harness/allocation.h"
#include "tests/harness/pieces.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct wsp_ws_limits small = {.max_message = 200, .max_fragments = 20};
static const struct wsp_ws_limits usual = {.max_message = WSP_DEFAULT_MAX_MESSAGE,
                                           .max_fragments = WSP_DEFAULT_MAX_FRAGMENTS};
static const struct wsp_deflate_mode takeover = {15, true};
static const struct wsp_deflate_mode no_takeover = {15, false};
static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* -- reading: what a server sends, by its bytes -- */

static void tell_event(char *story, const struct wsp_ws_event *event)
{
    size_t at = strlen(story);

    story[at++] = "TPQC"[event->type];
    if (event->is_binary)
        story[at - 1] = 'B';
    at += (size_t)sprintf(story + at, "[");
    for (size_t i = 0; i < event->payload.len; i++)
        at += (size_t)sprintf(story + at, "%c", event->payload.data[i]);
    sprintf(story + at, "]");
}

/* With an allowance of a few bytes at a time, the events are the same. */
static int tell_window(char *story, struct wsp_ws_reader *reader, struct wsp_view window,
                       size_t allowance)
{
    struct wsp_ws_event event;
    int r;

    wsp_ws_reader_feed(reader, window);
    for (;;) {
        if (allowance > 0)
            wsp_ws_reader_allow(reader, allowance);
        r = wsp_ws_reader_next(reader, &event);
        if (r == 0)
            tell_event(story, &event);
        else if (r == WSP_WS_SPENT)
            ck_assert(wsp_ws_reader_is_wet(reader));
        else
            break;
    }
    if (r == WSP_MORE)
        ck_assert_uint_eq(wsp_ws_reader_rest(reader).len, 0);
    return r;
}

static void tell_all(char *story, struct wsp_deflate_mode mode, const void *bytes, size_t len,
                     size_t cut, size_t allowance)
{
    struct wsp_ws_reader reader;
    struct pieces pieces;
    struct wsp_view piece;
    int r = WSP_MORE;

    story[0] = '\0';
    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
    wsp_ws_reader_inflate(&reader, mode);
    pieces_init(&pieces, bytes, len, cut);
    while (r == WSP_MORE && pieces_next(&pieces, &piece))
        r = tell_window(story, &reader, piece, allowance);
    if (r == WSP_BROKEN)
        sprintf(story + strlen(story), "!%u", wsp_ws_reader_broken_code(&reader));
    else if (wsp_ws_reader_is_amid(&reader))
        strcat(story, "+");
    if (r == WSP_BROKEN || (!mode.is_taking_over && !wsp_ws_reader_is_amid(&reader)))
        ck_assert_uint_eq(wsp_inflater_held(&reader.inflater), 0);
    pieces_deinit(&pieces);
    wsp_ws_reader_deinit(&reader);
}

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"

static const struct {
    const char *bytes;
    size_t len;
    const char *story;
} from_server[] = {
    /* 7.2.3.1: one compressed block, in one frame and in two */
    {BYTES("\xc1\x07" HELLO), "T[Hello]"},
    {BYTES("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), "T[Hello]"},
    {BYTES("\xc2\x07" HELLO), "B[Hello]"},
    /* 7.2.3.2: the second refers to the first */
    {BYTES("\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00"), "T[Hello]T[Hello]"},
    {BYTES("\xc1\x07" HELLO "\xc1\x07" HELLO), "T[Hello]T[Hello]"},
    /* 7.2.3.3: a block without compression */
    {BYTES("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "T[Hello]"},
    /* 7.2.3.4: BFINAL, with the empty block behind it and without; others follow */
    {BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "T[Hello]"},
    {BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
     "T[Hello]T[Hello]"},
    {BYTES("\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00"),
     "T[Hello]T[Hello]"},
    {BYTES("\xc1\x0e\xf3\x48\xcd\xc9\xc9\x07\x00" HELLO), "T[HelloHello]"},
    {BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x05\xf2\x00\x11\x00\x00"),
     "T[Hello]T[Hello]"},
    {BYTES("\xc1\x01\x01"), "T[]"},
    /* 7.2.3.5: two blocks in one message */
    {BYTES("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "T[Hello]"},
    {BYTES("\x41\x05\xf2\x48\x05\x00\x00\x00\x03\x00\xff\xff\x80\x05\xca\xc9\xc9\x07\x00"),
     "T[Hello]"},
    /* 7.2.3.6: nothing, and not even that */
    {BYTES("\xc1\x01\x00"), "T[]"},
    {BYTES("\xc1\x00"), "T[]"},
    {BYTES("\xc2\x01\x00\xc1\x07" HELLO), "B[]T[Hello]"},
    {BYTES("\xc2\x00\xc1\x07" HELLO), "B[]T[Hello]"},
    {BYTES("\x41\x00\x00\x00\x80\x07" HELLO), "T[Hello]"},
    {BYTES("\x41\x07" HELLO "\x80\x00"), "T[Hello]"},

    /* 6.2: messages that are not compressed, between those that are */
    {BYTES("\x81\x05Hello\xc1\x07" HELLO
           "\x82\x02hi\xc1\x05\xf2\x00\x11\x00\x00\x01\x01x\x80\x01y"),
     "T[Hello]T[Hello]B[hi]T[Hello]T[xy]"},
    /* control frames between the fragments, which are never compressed */
    {BYTES("\x41\x03\xf2\x48\xcd\x89\x01!\x00\x02\xc9\xc9\x8a\x00\x80\x02\x07\x00"),
     "P[!]Q[]T[Hello]"},
    {BYTES("\x41\x03\xf2\x48\xcd\x88\x02\x03\xe8"), "C[]"},
    /* 6.1: RSV1 on the first frame of a data message alone, and no other reserved bit */
    {BYTES("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), "!1002"},
    {BYTES("\x01\x01x\xc0\x01y"), "!1002"},
    {BYTES("\xc9\x00"), "!1002"},
    {BYTES("\xca\x00"), "!1002"},
    {BYTES("\xc8\x00"), "!1002"},
    {BYTES("\xe1\x07"), "!1002"},
    {BYTES("\xd1\x07"), "!1002"},
    {BYTES("\xa1\x07"), "!1002"},
    /* half a message */
    {BYTES("\xc1\x07\xf2\x48\xcd"), "+"},
    {BYTES("\x41\x07" HELLO), "+"},

    /* what is no deflate data: a reserved block type, lengths that do not fit, a reference to nothing,
     * a block that does not end */
    {BYTES("\xc1\x01\x06"), "!1007"},
    {BYTES("\xc1\x05\x00\x05\x00\xfa\xfe"), "!1007"},
    {BYTES("\xc1\x05\xf2\x00\x11\x00\x00"), "!1007"},
    {BYTES("\xc1\x03\xf2\x48\xcd"), "!1007"},
    {BYTES("\xc1\x05\x00\x05\x00\xfa\xff"), "!1007"},
    {BYTES("\x41\x01\x06"), "!1007"},
    {BYTES("\xc1\x07\x06"), "!1007"}, /* at once, though the frame goes on */

    /* 8.1 of RFC 6455: the unpacked text is judged, at its first wrong byte */
    {BYTES("\xc1\x08\x00\x02\x00\xfd\xff\xc3\xa4\x00"), "T[\xc3\xa4]"},
    {BYTES("\xc1\x08\x00\x02\x00\xfd\xff\xc3\x28\x00"), "!1007"},
    {BYTES("\xc1\x7e\x00\xc8\x00\x02\x00\xfd\xff\xff"), "!1007"},
    {BYTES("\x41\x06\x00\x02\x00\xfd\xff\xc3\x80\x02\xa4\x00"), "T[\xc3\xa4]"},
    {BYTES("\x41\x06\x00\x02\x00\xfd\xff\xc3\x00\x01\x28"), "!1007"},
    {BYTES("\xc1\x07\x00\x01\x00\xfe\xff\xc3\x00"), "!1007"},
    {BYTES("\xc2\x07\x00\x01\x00\xfe\xff\xc3\x00"), "B[\xc3]"},

    /* the limits: 200 bytes unpacked, and no more than 8 packed bytes for each */
    {BYTES("\xc2\x05\x4a\x4c\x1c\x19\x00"), "!1009"},
    {BYTES("\xc2\x7e\x06\x48"), "+"},
    {BYTES("\xc2\x7e\x06\x49"), "!1009"},
    {BYTES("\x42\x05\x00\x00\x00\xff\xff\x80\x7e\x06\x44"), "!1009"},
};

START_TEST(server_sends)
{
    static const size_t allowances[] = {0, 1, 3};
    char story[1024];

    for (int i = 0; i < N_OF(allowances); i++) {
        for (size_t cut = 0; cut < pieces_n_cuts(from_server[_i].len); cut++) {
            tell_all(story, takeover, from_server[_i].bytes, from_server[_i].len, cut,
                     allowances[i]);
            ck_assert_msg(strcmp(story, from_server[_i].story) == 0,
                          "cut %zu, %zu at a time: %s, not %s", cut, allowances[i], story,
                          from_server[_i].story);
        }
    }
}
END_TEST

/* 7.1.1: without context takeover nobody may refer to an earlier message. */
/* The first wrong byte is what is told, though what follows it is wrong as well and came with it. */
START_TEST(what_came_before_nonsense_is_judged_first)
{
    static const char wire[] = "\xc1\x07\x00\x01\x00\xfe\xff\xff\x06";
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;

    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
    wsp_ws_reader_inflate(&reader, (struct wsp_deflate_mode){15, true});
    wsp_ws_reader_feed(&reader, (struct wsp_view){(const uint8_t *)wire, sizeof(wire) - 1});
    ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_BROKEN);
    ck_assert_uint_eq(wsp_ws_reader_broken_code(&reader), 1007);
    ck_assert_ptr_nonnull(strstr(wsp_ws_reader_broken_why(&reader), "UTF-8"));
    wsp_ws_reader_deinit(&reader);
}
END_TEST

START_TEST(no_takeover_is_no_memory)
{
    static const char again[] = "\xc1\x07" HELLO "\xc1\x07" HELLO "\xc1\x00\xc1\x07" HELLO;
    static const char refers[] = "\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00";
    static const char final[] = "\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00\xc1\x07" HELLO;
    char story[256];

    for (size_t cut = 0; cut < pieces_n_cuts(sizeof(again) - 1); cut++) {
        tell_all(story, no_takeover, again, sizeof(again) - 1, cut, 0);
        ck_assert_str_eq(story, "T[Hello]T[Hello]T[]T[Hello]");
    }
    for (size_t cut = 0; cut < pieces_n_cuts(sizeof(refers) - 1); cut++) {
        tell_all(story, no_takeover, refers, sizeof(refers) - 1, cut, 0);
        ck_assert_str_eq(story, "T[Hello]!1007");
    }
    tell_all(story, no_takeover, final, sizeof(final) - 1, 0, 0);
    ck_assert_str_eq(story, "T[Hello]T[Hello]");
}
END_TEST

/* -- both ways -- */

static uint32_t random_state;

static uint8_t random_byte(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint8_t)(random_state >> 24);
}

/* Half noise, half repetition. */
static uint8_t *make_payload(size_t len, bool is_noise)
{
    uint8_t *payload = malloc(len + 1);

    ck_assert_ptr_nonnull(payload);
    random_state = (uint32_t)len;
    for (size_t i = 0; i < len; i++)
        payload[i] = is_noise ? random_byte() : (uint8_t)("{\"key\": 12345}, "[i % 16]);
    return payload;
}

/* Packs message as far as that goes, in steps; whether it is worth it. */
static bool pack(struct wsp_deflater *deflater, struct wsp_view message, size_t step,
                 struct wsp_buffer *out)
{
    int r;

    wsp_buffer_init(out, 0);
    wsp_deflater_begin(deflater, message);
    do {
        r = wsp_deflater_step(deflater, step, out);
    } while (r == WSP_MORE);
    if (r == WSP_DEFLATE_PLAIN) {
        ck_assert_uint_eq(wsp_buffer_len(out), 0);
        return false;
    }
    ck_assert_int_eq(r, 0);
    ck_assert_uint_lt(wsp_buffer_len(out), message.len);
    return true;
}

/* As one frame of role; returns whether it was packed. */
static bool write_frame(struct wsp_buffer *wire, enum wsp_role role, struct wsp_deflater *deflater,
                        struct wsp_view message, size_t step)
{
    struct wsp_ws_outgoing outgoing;
    struct wsp_buffer packed;
    bool is_packed = pack(deflater, message, step, &packed);
    uint8_t *room;
    size_t len;

    if (is_packed)
        wsp_ws_outgoing_begin_packed(
            &outgoing, role, true,
            (struct wsp_view){wsp_buffer_peek(&packed), wsp_buffer_len(&packed)}, key);
    else
        wsp_ws_outgoing_begin(&outgoing, role, true, message, key);
    len = wsp_ws_outgoing_left(&outgoing);
    ck_assert_int_eq(wsp_buffer_reserve(wire, len, &room), 0);
    ck_assert_uint_eq(wsp_ws_outgoing_fill(&outgoing, room, len), len);
    ck_assert_uint_eq(room[0], is_packed ? 0xc2 : 0x82);
    wsp_buffer_commit(wire, len);
    wsp_buffer_deinit(&packed);
    return is_packed;
}

static void assert_reads(struct wsp_ws_reader *reader, const struct wsp_buffer *wire,
                         struct wsp_view message)
{
    struct wsp_ws_event event;

    wsp_ws_reader_feed(reader, (struct wsp_view){wsp_buffer_peek(wire), wsp_buffer_len(wire)});
    ck_assert_int_eq(wsp_ws_reader_next(reader, &event), 0);
    ck_assert(event.is_binary);
    unit_assert_bytes(event.payload.data, event.payload.len, message.data, message.len);
    ck_assert_int_eq(wsp_ws_reader_next(reader, &event), WSP_MORE);
}

static const size_t lengths[] = {0,    1,    63,    64,    65,     125,    126,     127,    200,
                                 4095, 4096, 65535, 65536, 131072, 300001, 1 << 20, 5 << 20};

/* Every window, with and without takeover, in both roles: repetition, noise, the same again. */
START_TEST(what_is_packed_is_unpacked)
{
    struct wsp_deflate_mode mode = {(uint8_t)(8 + _i % 8), _i >= 8};
    enum wsp_role role = _i % 2 ? WSP_ROLE_CLIENT : WSP_ROLE_SERVER;
    struct wsp_deflater deflater;
    struct wsp_ws_reader reader;

    wsp_deflater_init(&deflater, mode);
    wsp_ws_reader_init(&reader, role == WSP_ROLE_CLIENT ? WSP_ROLE_SERVER : WSP_ROLE_CLIENT,
                       &usual);
    wsp_ws_reader_inflate(&reader, mode);
    for (int i = 0; i < 3 * N_OF(lengths); i++) {
        struct wsp_view message = {NULL, lengths[i / 3]};
        uint8_t *payload = make_payload(message.len, i % 3 == 1);
        struct wsp_buffer wire;
        bool is_packed;

        message.data = payload;
        wsp_buffer_init(&wire, SIZE_MAX);
        is_packed = write_frame(&wire, role, &deflater, message, i % 2 ? 1000 : SIZE_MAX);
        ck_assert_int_eq(is_packed, mode.window_bits > 8 && message.len >= 64 && i % 3 != 1);
        assert_reads(&reader, &wire, message);
        if (!mode.is_taking_over) {
            ck_assert_ptr_null(deflater.memory);
            ck_assert_uint_eq(wsp_inflater_held(&reader.inflater), 0);
        }
        wsp_buffer_deinit(&wire);
        free(payload);
    }
    wsp_deflater_deinit(&deflater);
    wsp_ws_reader_deinit(&reader);
}
END_TEST

/* Section 7.1.1: with context takeover the second of two equal messages is a reference to the first. */
START_TEST(takeover_pays)
{
    static const struct wsp_deflate_mode modes[] = {{15, false}, {15, true}};
    struct wsp_view message = {NULL, 500};
    uint8_t *payload = make_payload(500, true);
    size_t len[2];

    for (size_t i = 0; i < 500; i++)
        payload[i] = (uint8_t)('a' + payload[i] % 16);
    message.data = payload;
    for (int m = 0; m < 2; m++) {
        struct wsp_deflater deflater;
        struct wsp_buffer out;

        wsp_deflater_init(&deflater, modes[m]);
        ck_assert(pack(&deflater, message, SIZE_MAX, &out));
        wsp_buffer_deinit(&out);
        ck_assert(pack(&deflater, message, SIZE_MAX, &out));
        len[m] = wsp_buffer_len(&out);
        wsp_buffer_deinit(&out);
        wsp_deflater_deinit(&deflater);
    }
    ck_assert_uint_gt(len[0], 250);
    ck_assert_uint_lt(len[1], 20);
    free(payload);
}
END_TEST

/* What a message leaves in the window while it is sent plain, the next one must not refer to. */
START_TEST(what_was_not_sent_packed_is_forgotten)
{
    uint8_t *noise = make_payload(3000, true);
    struct wsp_view message = {noise, 3000};
    struct wsp_deflater deflater;
    struct wsp_ws_reader reader;
    struct wsp_buffer wire;

    wsp_deflater_init(&deflater, takeover);
    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &usual);
    wsp_ws_reader_inflate(&reader, takeover);
    for (int i = 0; i < 2; i++) {
        wsp_buffer_init(&wire, SIZE_MAX);
        /* Were it remembered, the second would be one reference. */
        ck_assert(!write_frame(&wire, WSP_ROLE_SERVER, &deflater, message, 100));
        assert_reads(&reader, &wire, message);
        wsp_buffer_deinit(&wire);
    }
    memset(noise, 'x', 1000);
    wsp_buffer_init(&wire, SIZE_MAX);
    ck_assert(write_frame(&wire, WSP_ROLE_SERVER, &deflater, message, 100));
    assert_reads(&reader, &wire, message);
    wsp_buffer_deinit(&wire);
    wsp_deflater_deinit(&deflater);
    wsp_ws_reader_deinit(&reader);
    free(noise);
}
END_TEST

/* -- the bound, and memory -- */

/* 64 MiB of zeros in 64 KiB: broken at the limit, with no more memory than that. */
START_TEST(a_bomb_stops_at_the_limit)
{
    struct wsp_ws_limits limits = {.max_message = 1 << 20, .max_fragments = 5};
    struct wsp_view message = {calloc(1, 64 << 20), 64 << 20};
    struct wsp_deflater deflater;
    struct wsp_ws_reader reader;
    struct wsp_ws_event event;
    struct wsp_buffer wire;
    size_t n_allowed = 0;
    int r;

    wsp_buffer_init(&wire, SIZE_MAX);
    wsp_deflater_init(&deflater, takeover);
    ck_assert(write_frame(&wire, WSP_ROLE_SERVER, &deflater, message, SIZE_MAX));
    ck_assert_uint_lt(wsp_buffer_len(&wire), 1 << 20);
    wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &limits);
    wsp_ws_reader_inflate(&reader, takeover);
    wsp_ws_reader_feed(&reader, (struct wsp_view){wsp_buffer_peek(&wire), wsp_buffer_len(&wire)});
    do {
        wsp_ws_reader_allow(&reader, 1000);
        n_allowed += 1000;
        r = wsp_ws_reader_next(&reader, &event);
        ck_assert_uint_le(wsp_ws_reader_held(&reader), 1 << 20);
        ck_assert_uint_le(wsp_inflater_held(&reader.inflater), 64 << 10);
    } while (r == WSP_WS_SPENT);
    ck_assert_int_eq(r, WSP_BROKEN);
    ck_assert_uint_eq(wsp_ws_reader_broken_code(&reader), 1009);
    ck_assert_uint_le(n_allowed, (1 << 20) + 2000);
    ck_assert_uint_eq(wsp_ws_reader_held(&reader), 0);
    wsp_ws_reader_deinit(&reader);
    wsp_deflater_deinit(&deflater);
    wsp_buffer_deinit(&wire);
    free((void *)(uintptr_t)message.data);
}
END_TEST

/* Exactly max_message bytes come through, one more does not. */
START_TEST(exactly_the_limit_passes)
{
    for (size_t len = 199; len <= 201; len++) {
        uint8_t *payload = make_payload(len, false);
        struct wsp_deflater deflater;
        struct wsp_ws_reader reader;
        struct wsp_ws_event event;
        struct wsp_buffer wire;

        wsp_buffer_init(&wire, SIZE_MAX);
        wsp_deflater_init(&deflater, takeover);
        ck_assert(write_frame(&wire, WSP_ROLE_SERVER, &deflater, (struct wsp_view){payload, len},
                              SIZE_MAX));
        wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
        wsp_ws_reader_inflate(&reader, takeover);
        wsp_ws_reader_feed(&reader,
                           (struct wsp_view){wsp_buffer_peek(&wire), wsp_buffer_len(&wire)});
        if (len <= 200) {
            ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), 0);
            unit_assert_bytes(event.payload.data, event.payload.len, payload, len);
        } else {
            ck_assert_int_eq(wsp_ws_reader_next(&reader, &event), WSP_BROKEN);
            ck_assert_uint_eq(wsp_ws_reader_broken_code(&reader), 1009);
        }
        wsp_ws_reader_deinit(&reader);
        wsp_deflater_deinit(&deflater);
        wsp_buffer_deinit(&wire);
        free(payload);
    }
}
END_TEST

/* Each allocation of the reader is refused in turn; repeated, the call goes on where it stood. */
START_TEST(refused_memory_loses_nothing_on_the_way_in)
{
    static const char wire[] = "\x41\x03\xf2\x48\xcd\x89\x01p\x80\x04\xc9\xc9\x07\x00"
                               "\xc1\x05\xf2\x00\x11\x00\x00";
    size_t n_failed = 0;

    for (int m = 0; m < 2; m++) {
        struct wsp_ws_reader reader;
        char story[256] = "";

        wsp_ws_reader_init(&reader, WSP_ROLE_CLIENT, &small);
        wsp_ws_reader_inflate(&reader, takeover);
        for (size_t i = 0; i < sizeof(wire) - 1; i++) {
            struct wsp_ws_event event;
            size_t n = 0;
            int r;

            wsp_ws_reader_feed(&reader, (struct wsp_view){(const uint8_t *)wire + i, 1});
            do {
                bool has_failed;

                allocation_fail_after(n);
                r = wsp_ws_reader_next(&reader, &event);
                has_failed = allocation_disarm();
                ck_assert_int_eq(r == -ENOMEM, has_failed);
                n_failed += has_failed;
                n = has_failed ? n + 1 : 0;
                if (r == 0)
                    tell_event(story, &event);
            } while (r == 0 || r == -ENOMEM);
            ck_assert_int_eq(r, WSP_MORE);
        }
        ck_assert_str_eq(story, "P[p]T[Hello]T[Hello]");
        wsp_ws_reader_deinit(&reader);
    }
    ck_assert_uint_ge(n_failed, 8);
}
END_TEST

START_TEST(refused_memory_on_the_way_out)
{
    uint8_t *payload = make_payload(20000, false);
    struct wsp_view message = {payload, 20000};
    struct wsp_deflater deflater;
    struct wsp_buffer out;
    size_t n = 0;
    bool has_failed;

    wsp_deflater_init(&deflater, takeover);
    do {
        int r;

        wsp_buffer_init(&out, 0);
        wsp_deflater_begin(&deflater, message);
        allocation_fail_after(n++);
        do {
            r = wsp_deflater_step(&deflater, 1000, &out);
        } while (r == WSP_MORE);
        has_failed = allocation_disarm();
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        if (has_failed)
            ck_assert_uint_eq(wsp_buffer_len(&out), 0);
        else
            ck_assert_uint_gt(wsp_buffer_len(&out), 0);
        wsp_buffer_deinit(&out);
        if (n % 2)
            wsp_deflater_deinit(&deflater);
    } while (has_failed);
    ck_assert_uint_ge(n, 3);
    wsp_deflater_deinit(&deflater);
    free(payload);
}
END_TEST

START_TEST(half_built_and_twice_is_fine)
{
    struct wsp_inflater inflater;
    struct wsp_deflater deflater;

    wsp_inflater_init(&inflater, takeover);
    wsp_inflater_deinit(&inflater);
    wsp_inflater_deinit(&inflater);
    wsp_inflater_deinit(NULL);
    wsp_deflater_init(&deflater, takeover);
    wsp_deflater_deinit(&deflater);
    wsp_deflater_deinit(&deflater);
    wsp_deflater_deinit(NULL);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("deflate");
    TCase *rules = unit_case(suite, "rules");
    TCase *both = unit_case(suite, "both ways");
    TCase *memory = unit_case(suite, "memory");

    tcase_set_timeout(both, 60);
    tcase_set_timeout(memory, 60);
    tcase_add_loop_test(rules, server_sends, 0, N_OF(from_server));
    tcase_add_test(rules, what_came_before_nonsense_is_judged_first);
    tcase_add_test(rules, no_takeover_is_no_memory);
    tcase_add_loop_test(both, what_is_packed_is_unpacked, 0, 16);
    tcase_add_test(both, takeover_pays);
    tcase_add_test(both, what_was_not_sent_packed_is_forgotten);
    tcase_add_test(memory, a_bomb_stops_at_the_limit);
    tcase_add_test(memory, exactly_the_limit_passes);
    tcase_add_test(memory, refused_memory_loses_nothing_on_the_way_in);
    tcase_add_test(memory, refused_memory_on_the_way_out);
    tcase_add_test(memory, half_built_and_twice_is_fine);
    return suite;
}
