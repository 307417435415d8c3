/*
 * local_samples: one frame of each type of the local protocol; see local_samples.h.
 *
 * Between messages.def and the tests of local/wire and local/message.
 *
 * Invariant: the bytes are written by hand, never made by the code under test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/local_samples.h"

#include <string.h>

/* clang-format off */

#define BYTES(text) {(const uint8_t *)("" text), sizeof(text) - 1}

static const struct local_sample samples[] = {
    {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_HELLO,
                    .hello = {.minor = 0x0102, .max_channels = 0x03040506,
                              .software = BYTES("a/1"),
                              .extensions = BYTES("\2\0xy\1\0z")}},
        .bytes = BYTES("\x16\0\0\0" "\x01" "\0" "\0\0" "\0\0\0\0"
                       "\2\1" "\6\5\4\3" "\3\0" "a/1"
                       "\7\0\0\0" "\2\0" "xy" "\1\0" "z"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_HELLO,
                    .hello = {.max_channels = 16}},
        .bytes = BYTES("\x0c\0\0\0" "\x01" "\0" "\0\0" "\0\0\0\0"
                       "\0\0" "\x10\0\0\0" "\0\0" "\0\0\0\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_ERROR,
                    .error = {.code = WSP_FATAL_UNKNOWN_CHANNEL, .frame_type = WSP_LOCAL_TEXT,
                              .frame_channel = 0xdeadbeef, .text = BYTES("n\xc3\xb3")}},
        .bytes = BYTES("\x0c\0\0\0" "\x02" "\0" "\0\0" "\0\0\0\0"
                       "\x09\0" "\x20" "\xef\xbe\xad\xde" "\3\0" "n\xc3\xb3"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_OPEN, .channel = 7,
                    .open = {.sharing = WSP_SHARING_SHARED, .url = BYTES("ws://h/"),
                             .protocols = BYTES("\1\0p\2\0qq"),
                             .headers = BYTES("\1\0N\0\0"),
                             .options = BYTES("\1\0k\1\0v\2\0k2\2\0v2"),
                             .resume_epoch = {{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
                             .resume_after = 0x1112131415161718}},
        .bytes = BYTES("\x48\0\0\0" "\x10" "\0" "\0\0" "\7\0\0\0"
                       "\2" "\7\0" "ws://h/" "\7\0\0\0" "\1\0p\2\0qq" "\5\0\0\0" "\1\0N\0\0"
                       "\x0e\0\0\0" "\1\0k\1\0v\2\0k2\2\0v2"
                       "\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\7\6\5\4\3\2\1\0"
                       "\x18\x17\x16\x15\x14\x13\x12\x11"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_OPEN, .flags = WSP_WIRE_MUST_UNDERSTAND,
                    .channel = 0xffffffff},
        .bytes = BYTES("\x27\0\0\0" "\x10" "\2" "\0\0" "\xff\xff\xff\xff"
                       "\0" "\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0"
                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_OPENED, .channel = 7,
                    .opened = {.protocol = BYTES("p"), .extensions = BYTES("permessage-deflate"),
                               .epoch = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}},
                               .next_number = 0x0102030405060708,
                               .max_message = 0x090a0b0c0d0e0f10,
                               .live_number = 0x2122232425262728,
                               .denied = WSP_DENIED_SEND}},
        .bytes = BYTES("\x40\0\0\0" "\x11" "\0" "\0\0" "\7\0\0\0"
                       "\1\0" "p" "\x12\0" "permessage-deflate"
                       "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xff"
                       "\x08\7\6\5\4\3\2\1" "\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09"
                       "\x28\x27\x26\x25\x24\x23\x22\x21" "\1"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_CLOSE, .channel = 7,
                    .close = {.code = 4999, .discard = 1, .reason = BYTES("bye")}},
        .bytes = BYTES("\x08\0\0\0" "\x12" "\0" "\0\0" "\7\0\0\0"
                       "\x87\x13" "\1" "\3\0" "bye"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_CLOSE, .channel = 7},
        .bytes = BYTES("\5\0\0\0" "\x12" "\0" "\0\0" "\7\0\0\0" "\0\0" "\0" "\0\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_CLOSING, .channel = 7},
        .bytes = BYTES("\1\0\0\0" "\x13" "\0" "\0\0" "\7\0\0\0" "\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_CLOSING, .channel = 7, .closing = {.is_shutdown = 1}},
        .bytes = BYTES("\1\0\0\0" "\x13" "\0" "\0\0" "\7\0\0\0" "\1"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_FAILED, .channel = 7,
                    .failed = {.cause = WSP_CAUSE_HANDSHAKE, .http_status = 404,
                               .text = BYTES("404"), .retry_after = 0x01020304,
                               .excerpt = BYTES("why")}},
        .bytes = BYTES("\x12\0\0\0" "\x14" "\0" "\0\0" "\7\0\0\0"
                       "\x13\0" "\x94\1" "\3\0" "404" "\4\3\2\1" "\3\0" "why"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_CLOSED, .channel = 7,
                    .closed = {.was_clean = 1, .code = 1000, .reason = BYTES("ok"),
                               .is_shutdown = 1}},
        .bytes = BYTES("\x08\0\0\0" "\x15" "\0" "\0\0" "\7\0\0\0"
                       "\1" "\xe8\3" "\2\0" "ok" "\1"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_RELEASE, .channel = 7},
        .bytes = BYTES("\0\0\0\0" "\x16" "\0" "\0\0" "\7\0\0\0"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_TEXT, .flags = WSP_WIRE_MORE, .channel = 7,
                    .text = {.payload = BYTES("half a character: \xc3")}},
        .bytes = BYTES("\x13\0\0\0" "\x20" "\1" "\0\0" "\7\0\0\0" "half a character: \xc3"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_TEXT, .channel = 7},
        .bytes = BYTES("\0\0\0\0" "\x20" "\0" "\0\0" "\7\0\0\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_BINARY, .channel = 7,
                    .binary = {.payload = BYTES("\0\xff\n")}},
        .bytes = BYTES("\3\0\0\0" "\x21" "\0" "\0\0" "\7\0\0\0" "\0\xff\n"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_ABORT, .channel = 7},
        .bytes = BYTES("\0\0\0\0" "\x22" "\0" "\0\0" "\7\0\0\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_CREDIT, .channel = 7, .credit = {.total = 131096}},
        .bytes = BYTES("\x08\0\0\0" "\x23" "\0" "\0\0" "\7\0\0\0" "\x18\0\2\0\0\0\0\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_SENT, .channel = 7,
                    .sent = {.total = UINT64_MAX, .messages = 0x0102030405060708}},
        .bytes = BYTES("\x10\0\0\0" "\x24" "\0" "\0\0" "\7\0\0\0"
                       "\xff\xff\xff\xff\xff\xff\xff\xff" "\x08\7\6\5\4\3\2\1"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_GAP, .channel = 7,
                    .gap = {.reason = WSP_GAP_SLOW_CONSUMER, .is_counted = 1, .count = 0x0102,
                            .epoch = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}},
                            .next_number = 0x0102030405060708}},
        .bytes = BYTES("\x22\0\0\0" "\x25" "\0" "\0\0" "\7\0\0\0"
                       "\1" "\1" "\2\1\0\0\0\0\0\0"
                       "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xff"
                       "\x08\7\6\5\4\3\2\1"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_GAP, .channel = 7, .gap = {.reason = 255}},
        .bytes = BYTES("\x22\0\0\0" "\x25" "\0" "\0\0" "\7\0\0\0"
                       "\xff" "\0" "\0\0\0\0\0\0\0\0"
                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_INTERRUPTED, .channel = 7,
                    .interrupted = {.cause = WSP_CAUSE_SERVER_CLOSED, .http_status = 503,
                                    .text = BYTES("1012"), .retry_after = 0x01020304}},
        .bytes = BYTES("\x0e\0\0\0" "\x26" "\0" "\0\0" "\7\0\0\0"
                       "\x26\0" "\xf7\1" "\4\0" "1012" "\4\3\2\1"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_RESUMED, .channel = 7, .resumed = {.extensions = BYTES("x")}},
        .bytes = BYTES("\3\0\0\0" "\x27" "\0" "\0\0" "\7\0\0\0" "\1\0" "x"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_UNSENT, .channel = 7,
                    .unsent = {.messages = 0x0102, .bytes = 0x0102030405060708}},
        .bytes = BYTES("\x10\0\0\0" "\x28" "\0" "\0\0" "\7\0\0\0"
                       "\2\1\0\0\0\0\0\0" "\x08\7\6\5\4\3\2\1"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_POSITION, .channel = 7,
                    .position = {.next_number = 0x0102030405060708}},
        .bytes = BYTES("\x08\0\0\0" "\x29" "\0" "\0\0" "\7\0\0\0" "\x08\7\6\5\4\3\2\1"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_SUBSCRIBE, .channel = 7,
                    .subscribe = {.on_connect = BYTES("hi"), .on_leave = BYTES("n\xc3\xb3")}},
        .bytes = BYTES("\x09\0\0\0" "\x2a" "\0" "\0\0" "\7\0\0\0"
                       "\2\0" "hi" "\3\0" "n\xc3\xb3"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_UNSUBSCRIBE, .channel = 7,
                    .unsubscribe = {.on_connect = BYTES("hi")}},
        .bytes = BYTES("\4\0\0\0" "\x2b" "\0" "\0\0" "\7\0\0\0" "\2\0" "hi"),
    }, {
        .from = WSP_SIDE_CLIENT,
        .message = {.type = WSP_LOCAL_REQUEST,
                    .request = {.id = 0x01020304, .verb = BYTES("show"),
                                .arguments = BYTES("\2\0u1")}},
        .bytes = BYTES("\x12\0\0\0" "\x30" "\0" "\0\0" "\0\0\0\0"
                       "\4\3\2\1" "\4\0" "show" "\4\0\0\0" "\2\0" "u1"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_REPLY, .flags = WSP_WIRE_MORE,
                    .reply = {.id = 5, .status = WSP_STATUS_OK, .json = BYTES("{\"a\":")}},
        .bytes = BYTES("\x0b\0\0\0" "\x31" "\1" "\0\0" "\0\0\0\0" "\5\0\0\0" "\0\0" "{\"a\":"),
    }, {
        .from = WSP_SIDE_DAEMON,
        .message = {.type = WSP_LOCAL_REPLY,
                    .reply = {.id = 5, .status = WSP_STATUS_NOT_FOUND}},
        .bytes = BYTES("\6\0\0\0" "\x31" "\0" "\0\0" "\0\0\0\0" "\5\0\0\0" "\4\0"),
    },
};

/* clang-format on */

_Static_assert(sizeof(samples) / sizeof(samples[0]) == LOCAL_N_SAMPLES, "count the samples");

const struct local_sample *local_sample_get(size_t index)
{
    return index < LOCAL_N_SAMPLES ? &samples[index] : NULL;
}

static bool equals_u(uint64_t a, uint64_t b)
{
    return a == b;
}

static bool equals_epoch(struct wsp_epoch a, struct wsp_epoch b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

#define equals_u8    equals_u
#define equals_u16   equals_u
#define equals_u32   equals_u
#define equals_u64   equals_u
#define equals_flag  equals_u
#define equals_str   wsp_view_equals
#define equals_list  wsp_view_equals
#define equals_pairs wsp_view_equals
#define equals_rest  wsp_view_equals

#define WSP_FIELD(kind, name) &&equals_##kind(a->name, b->name)
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)                          \
    static bool equals_##name(const struct wsp_local_##name *a, const struct wsp_local_##name *b) \
    {                                                                                             \
        return a != NULL && b != NULL fields;                                                     \
    }
#include "proto/messages.def"

bool local_message_equals(const struct wsp_message *a, const struct wsp_message *b)
{
    if (a->type != b->type || a->flags != b->flags || a->channel != b->channel)
        return false;
    switch (a->type) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    case number: {                                                       \
        return equals_##name(&a->name, &b->name);                        \
    }
#include "proto/messages.def"
    default: return false;
    }
}
