/*
 * message: what is in the frames of the local protocol, typed encode and decode.
 *
 * Between local/wire and those who act on frames; see message.h for the contract. Invariant: what
 * decode accepts obeys messages.def in every field.
 *
 * There is one function per kind of field, and messages.def makes of them one function per type:
 * take_KIND() reads a field, size_KIND() measures it, put_KIND() writes it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/message.h"

#include <errno.h>
#include <string.h>

#include "proto/rules.h"
#include "proto/utf8.h"

/* --- the columns of messages.def --- */

enum {
    FROM_RETIRED = 0,
    FROM_CLIENT = WSP_SIDE_CLIENT,
    FROM_DAEMON = WSP_SIDE_DAEMON,
    FROM_BOTH = WSP_SIDE_CLIENT | WSP_SIDE_DAEMON,
    SCOPE_CONNECTION = 0,
    SCOPE_CHANNEL = 1,
    SHAPE_WHOLE = 0,
    SHAPE_PIECES = 1,
};

struct type {
    uint8_t from;
    bool has_channel;
    bool has_pieces;
};

static const struct type *type_find(unsigned int number)
{
    switch (number) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)                    \
    case number: {                                                                          \
        static const struct type type_##name = {FROM_##from, SCOPE_##scope, SHAPE_##shape}; \
        return &type_##name;                                                                \
    }
#include "proto/messages.def"
    default: return NULL;
    }
}

const char *wsp_message_type_to_string(unsigned int type)
{
    switch (type) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    case number: {                                                       \
        return #NAME;                                                    \
    }
#include "proto/messages.def"
    default: return "unknown";
    }
}

/* --- reading --- */

static bool take_u8(struct wsp_view *from, uint8_t *ret_value)
{
    return wsp_view_take_u8(from, ret_value);
}

static bool take_u16(struct wsp_view *from, uint16_t *ret_value)
{
    return wsp_view_take_u16le(from, ret_value);
}

static bool take_u32(struct wsp_view *from, uint32_t *ret_value)
{
    return wsp_view_take_u32le(from, ret_value);
}

static bool take_u64(struct wsp_view *from, uint64_t *ret_value)
{
    return wsp_view_take_u64le(from, ret_value);
}

static bool take_flag(struct wsp_view *from, uint8_t *ret_value)
{
    return wsp_view_take_u8(from, ret_value) && *ret_value <= 1;
}

static bool take_epoch(struct wsp_view *from, struct wsp_epoch *ret_value)
{
    struct wsp_view bytes;

    if (!wsp_view_take(from, sizeof(ret_value->bytes), &bytes))
        return false;
    memcpy(ret_value->bytes, bytes.data, sizeof(ret_value->bytes));
    return true;
}

static bool take_str(struct wsp_view *from, struct wsp_view *ret_value)
{
    uint16_t len;

    return wsp_view_take_u16le(from, &len) && wsp_view_take(from, len, ret_value) &&
           wsp_utf8_is_valid(ret_value->data, ret_value->len);
}

static bool take_items(struct wsp_view *from, struct wsp_view *ret_value, size_t *ret_n_items)
{
    uint32_t len;
    struct wsp_view rest;
    struct wsp_view item;

    if (!wsp_view_take_u32le(from, &len) || !wsp_view_take(from, len, ret_value))
        return false;
    rest = *ret_value;
    for (*ret_n_items = 0; rest.len > 0; ++*ret_n_items)
        if (!take_str(&rest, &item))
            return false;
    return true;
}

static bool take_list(struct wsp_view *from, struct wsp_view *ret_value)
{
    size_t n_items;

    return take_items(from, ret_value, &n_items);
}

static bool take_pairs(struct wsp_view *from, struct wsp_view *ret_value)
{
    size_t n_items;

    return take_items(from, ret_value, &n_items) && n_items % 2 == 0;
}

static bool take_rest(struct wsp_view *from, struct wsp_view *ret_value)
{
    return wsp_view_take(from, from->len, ret_value);
}

/* What a sender that does not know the field has left out. */
#define WSP_OPTIONAL(kind, name)                                        \
    &&(from.len == 0 ? (memset(&ret->name, 0, sizeof(ret->name)), true) \
                     : take_##kind(&from, &ret->name))
#define WSP_FIELD(kind, name) &&take_##kind(&from, &ret->name)
#define WSP_LOCAL(number, NAME, name, from_, scope, shape, since, fields)               \
    static bool take_message_##name(struct wsp_view from, struct wsp_local_##name *ret) \
    {                                                                                   \
        (void)from;                                                                     \
        (void)ret;                                                                      \
        return true fields;                                                             \
    }
#include "proto/messages.def"

static bool take_payload(struct wsp_view payload, struct wsp_message *ret_message)
{
    switch (ret_message->type) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    case number: {                                                       \
        return take_message_##name(payload, &ret_message->name);         \
    }
#include "proto/messages.def"
    default: return false;
    }
}

/* What a field may be, beyond what its kind says. */
static bool has_allowed_values(const struct wsp_message *message)
{
    switch (message->type) {
    case WSP_LOCAL_OPEN: return message->open.sharing <= WSP_SHARING_SHARED;
    case WSP_LOCAL_CLOSE:
        if (message->close.code == 0)
            return message->close.reason.len == 0;
        return wsp_close_code_is_for_api(message->close.code) &&
               wsp_close_reason_is_valid(message->close.reason.data, message->close.reason.len);
    case WSP_LOCAL_FAILED: return message->failed.cause != 0;
    case WSP_LOCAL_INTERRUPTED: return message->interrupted.cause != 0;
    case WSP_LOCAL_GAP:
        return message->gap.reason != 0 &&
               (message->gap.is_counted != 0 || message->gap.count == 0);
    case WSP_LOCAL_SUBSCRIBE:
        return message->subscribe.on_connect.len > 0;
    case WSP_LOCAL_CLOSED:
        return message->closed.code >= 1000 && message->closed.code <= 4999 &&
               message->closed.reason.len <= WSP_MAX_CLOSE_REASON;
    default: return true;
    }
}

int wsp_message_decode(const struct wsp_wire_frame *frame, enum wsp_side from,
                       struct wsp_message *ret_message)
{
    const struct type *type = type_find(frame->type);
    struct wsp_message message = {
        .type = frame->type,
        .flags = frame->flags,
        .channel = frame->channel,
    };

    if (type == NULL || type->from == FROM_RETIRED)
        return (frame->flags & WSP_WIRE_MUST_UNDERSTAND) != 0 ? WSP_FATAL_NOT_UNDERSTOOD : WSP_SKIP;
    if ((type->from & (unsigned int)from) == 0)
        return WSP_FATAL_WRONG_DIRECTION;
    if (type->has_channel != (frame->channel != 0))
        return WSP_FATAL_BAD_CHANNEL;
    if (!type->has_pieces && (frame->flags & WSP_WIRE_MORE) != 0)
        return WSP_FATAL_BAD_HEADER;
    if (!take_payload(frame->payload, &message) || !has_allowed_values(&message))
        return WSP_FATAL_BAD_PAYLOAD;
    *ret_message = message;
    return 0;
}

/* --- writing --- */

/* A size that no payload has: what holds such a field is too long, and no sum overflows. */
#define TOO_LONG ((size_t)WSP_MAX_LOCAL_PAYLOAD + 1)

static size_t size_u8(uint8_t value)
{
    return sizeof(value);
}

static size_t size_u16(uint16_t value)
{
    return sizeof(value);
}

static size_t size_u32(uint32_t value)
{
    return sizeof(value);
}

static size_t size_u64(uint64_t value)
{
    return sizeof(value);
}

static size_t size_flag(uint8_t value)
{
    return sizeof(value);
}

static size_t size_epoch(struct wsp_epoch value)
{
    return sizeof(value.bytes);
}

static size_t size_rest(struct wsp_view value)
{
    return value.len > WSP_MAX_LOCAL_PAYLOAD ? TOO_LONG : value.len;
}

/* Where the length would not fit 16 bits, the sum is already more than a payload. */
static size_t size_str(struct wsp_view value)
{
    return sizeof(uint16_t) + size_rest(value);
}

static size_t size_list(struct wsp_view value)
{
    return sizeof(uint32_t) + size_rest(value);
}

static size_t size_pairs(struct wsp_view value)
{
    return size_list(value);
}

static uint8_t *put_le(uint8_t *to, size_t len, uint64_t value)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> (8 * i));
    return to + len;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *data, size_t len)
{
    if (len > 0)
        memcpy(to, data, len);
    return to + len;
}

static uint8_t *put_u8(uint8_t *to, uint8_t value)
{
    return put_le(to, sizeof(value), value);
}

static uint8_t *put_u16(uint8_t *to, uint16_t value)
{
    return put_le(to, sizeof(value), value);
}

static uint8_t *put_u32(uint8_t *to, uint32_t value)
{
    return put_le(to, sizeof(value), value);
}

static uint8_t *put_u64(uint8_t *to, uint64_t value)
{
    return put_le(to, sizeof(value), value);
}

static uint8_t *put_flag(uint8_t *to, uint8_t value)
{
    return put_le(to, sizeof(value), value);
}

static uint8_t *put_epoch(uint8_t *to, struct wsp_epoch value)
{
    return put_bytes(to, value.bytes, sizeof(value.bytes));
}

static uint8_t *put_rest(uint8_t *to, struct wsp_view value)
{
    return put_bytes(to, value.data, value.len);
}

static uint8_t *put_str(uint8_t *to, struct wsp_view value)
{
    return put_rest(put_u16(to, (uint16_t)value.len), value);
}

static uint8_t *put_list(uint8_t *to, struct wsp_view value)
{
    return put_rest(put_u32(to, (uint32_t)value.len), value);
}

static uint8_t *put_pairs(uint8_t *to, struct wsp_view value)
{
    return put_list(to, value);
}

#define WSP_FIELD(kind, name) +size_##kind(message->name)
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)      \
    static size_t size_message_##name(const struct wsp_local_##name *message) \
    {                                                                         \
        (void)message;                                                        \
        return 0 fields;                                                      \
    }
#include "proto/messages.def"

#define WSP_FIELD(kind, name) to = put_##kind(to, message->name);
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)                    \
    static uint8_t *put_message_##name(uint8_t *to, const struct wsp_local_##name *message) \
    {                                                                                       \
        (void)message;                                                                      \
        fields;                                                                             \
        return to;                                                                          \
    }
#include "proto/messages.def"

static size_t size_payload(const struct wsp_message *message)
{
    switch (message->type) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    case number: {                                                       \
        return size_message_##name(&message->name);                      \
    }
#include "proto/messages.def"
    default: return 0;
    }
}

static void put_payload(uint8_t *to, const struct wsp_message *message)
{
    switch (message->type) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    case number: {                                                       \
        put_message_##name(to, &message->name);                          \
        break;                                                           \
    }
#include "proto/messages.def"
    default: break;
    }
}

int wsp_message_encode(struct wsp_buffer *buffer, const struct wsp_message *message)
{
    size_t payload_len;
    uint8_t *room;
    int r;

    if (type_find(message->type) == NULL)
        return -EINVAL;
    payload_len = size_payload(message);
    if (payload_len > WSP_MAX_LOCAL_PAYLOAD)
        return -EMSGSIZE;
    r = wsp_buffer_reserve(buffer, WSP_WIRE_HEADER_LEN + payload_len, &room);
    if (r < 0)
        return r;
    wsp_wire_header_write(room, message->type, message->flags, message->channel, payload_len);
    put_payload(room + WSP_WIRE_HEADER_LEN, message);
    wsp_buffer_commit(buffer, WSP_WIRE_HEADER_LEN + payload_len);
    return 0;
}

/* --- lists --- */

int wsp_local_list_append(struct wsp_buffer *buffer, struct wsp_view item)
{
    uint8_t *room;
    int r;

    if (item.len > UINT16_MAX)
        return -EMSGSIZE;
    r = wsp_buffer_reserve(buffer, size_str(item), &room);
    if (r < 0)
        return r;
    put_str(room, item);
    wsp_buffer_commit(buffer, size_str(item));
    return 0;
}

int wsp_local_list_append_strings(struct wsp_buffer *buffer, const char *const *strings,
                                  size_t n_strings)
{
    for (size_t i = 0; i < n_strings; i++) {
        int r = wsp_local_list_append(buffer, wsp_view_of_string(strings[i]));

        if (r < 0)
            return r;
    }
    return 0;
}

bool wsp_local_list_next(struct wsp_view *list, struct wsp_view *ret_item)
{
    uint16_t len;

    return wsp_view_take_u16le(list, &len) && wsp_view_take(list, len, ret_item);
}

size_t wsp_local_list_count(struct wsp_view list)
{
    struct wsp_view item;
    size_t n = 0;

    while (wsp_local_list_next(&list, &item))
        n++;
    return n;
}
