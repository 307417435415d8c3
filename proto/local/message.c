/*
 * message: what is in the frames of the local protocol, typed encode and decode.
 *
 * Between local/wire and those who act on frames; see message.h for the contract. Invariant: what
 * decode accepts obeys messages.def in every field.
 *
 * messages.def becomes a few bytes of data per type, the kind of each field and where its member is;
 * one loop reads, one measures and one writes what they say. A function per type would be the
 * larger part of libwsplex.
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

/* Those of integers are their lengths. */
enum kind {
    KIND_end,
    KIND_u8 = 1,
    KIND_u16 = 2,
    KIND_u32 = 4,
    KIND_u64 = 8,
    KIND_flag,
    KIND_epoch,
    KIND_str,
    KIND_list,
    KIND_pairs,
    KIND_rest,
};

struct field {
    uint8_t kind;
    bool is_optional;
    uint8_t offset; /* of the member in its struct */
};

struct type {
    uint8_t from;
    bool has_channel;
    bool has_pieces;
    struct field fields[]; /* up to one of KIND_end */
};

#define WSP_FIELD(kind, name)    {KIND_##kind, false, offsetof(this_type, name)},
#define WSP_OPTIONAL(kind, name) {KIND_##kind, true, offsetof(this_type, name)},

static const struct type *type_find(unsigned int number)
{
    switch (number) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields)                 \
    case number: {                                                                       \
        typedef struct wsp_local_##name this_type;                                       \
        static const struct type type_##name = {                                         \
            FROM_##from, SCOPE_##scope, SHAPE_##shape, {fields{KIND_end, false, 0}}};    \
        _Static_assert(sizeof(this_type) <= UINT8_MAX, "an offset does not fit a byte"); \
        return &type_##name;                                                             \
    }
#include "proto/messages.def"
    default: return NULL;
    }
}

/* All members of the union begin where it does. */
static const void *message_member(const struct wsp_message *message, const struct field *field)
{
    return (const uint8_t *)&message->hello + field->offset;
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

static bool take_str(struct wsp_view *from, struct wsp_view *ret_value)
{
    uint16_t len;

    return wsp_view_take_u16le(from, &len) && wsp_view_take(from, len, ret_value) &&
           wsp_utf8_is_valid(ret_value->data, ret_value->len);
}

static bool take_items(struct wsp_view *from, size_t divisor, struct wsp_view *ret_value)
{
    uint32_t len;
    struct wsp_view rest;
    struct wsp_view item;
    size_t n_items;

    if (!wsp_view_take_u32le(from, &len) || !wsp_view_take(from, len, ret_value))
        return false;
    rest = *ret_value;
    for (n_items = 0; rest.len > 0; ++n_items)
        if (!take_str(&rest, &item))
            return false;
    return n_items % divisor == 0;
}

static bool take_epoch(struct wsp_view *from, struct wsp_epoch *ret_value)
{
    struct wsp_view bytes;

    if (!wsp_view_take(from, sizeof(ret_value->bytes), &bytes))
        return false;
    memcpy(ret_value->bytes, bytes.data, sizeof(ret_value->bytes));
    return true;
}

static bool take_field(struct wsp_view *from, enum kind kind, void *ret_value)
{
    switch (kind) {
    case KIND_u8: return wsp_view_take_u8(from, ret_value);
    case KIND_u16: return wsp_view_take_u16le(from, ret_value);
    case KIND_u32: return wsp_view_take_u32le(from, ret_value);
    case KIND_u64: return wsp_view_take_u64le(from, ret_value);
    case KIND_flag: return wsp_view_take_u8(from, ret_value) && *(uint8_t *)ret_value <= 1;
    case KIND_epoch: return take_epoch(from, ret_value);
    case KIND_str: return take_str(from, ret_value);
    case KIND_list: return take_items(from, 1, ret_value);
    case KIND_pairs: return take_items(from, 2, ret_value);
    case KIND_rest: return wsp_view_take(from, from->len, ret_value);
    case KIND_end: break;
    }
    return false;
}

static bool take_payload(struct wsp_view from, const struct type *type,
                         struct wsp_message *ret_message)
{
    for (const struct field *field = type->fields; field->kind != KIND_end; field++) {
        uint8_t *member = (uint8_t *)&ret_message->hello + field->offset;

        if (field->is_optional && from.len == 0) {
            /* What a sender that does not know it has left out, and all that is behind it. */
            memset(member, 0, (size_t)((uint8_t *)(ret_message + 1) - member));
            return true;
        }
        if (!take_field(&from, field->kind, member))
            return false;
    }
    return true;
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
    case WSP_LOCAL_SUBSCRIBE: return message->subscribe.on_connect.len > 0;
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
    if (!take_payload(frame->payload, type, &message) || !has_allowed_values(&message))
        return WSP_FATAL_BAD_PAYLOAD;
    *ret_message = message;
    return 0;
}

/* --- writing --- */

/* A size that no payload has: what holds such a field is too long, and no sum overflows. */
#define TOO_LONG ((size_t)WSP_MAX_LOCAL_PAYLOAD + 1)

static size_t size_view(const struct wsp_view *view)
{
    return view->len > WSP_MAX_LOCAL_PAYLOAD ? TOO_LONG : view->len;
}

static size_t size_field(enum kind kind, const void *value)
{
    switch (kind) {
    case KIND_flag: return sizeof(uint8_t);
    case KIND_epoch: return sizeof(struct wsp_epoch);
    /* Where the length would not fit 16 bits, the sum is already more than a payload. */
    case KIND_str: return sizeof(uint16_t) + size_view(value);
    case KIND_list:
    case KIND_pairs: return sizeof(uint32_t) + size_view(value);
    case KIND_rest: return size_view(value);
    default: return kind; /* an integer */
    }
}

static size_t size_payload(const struct wsp_message *message, const struct type *type)
{
    size_t size = 0;

    for (const struct field *field = type->fields; field->kind != KIND_end; field++)
        size += size_field(field->kind, message_member(message, field));
    return size;
}

static uint8_t *put_le(uint8_t *to, size_t len, uint64_t value)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> (8 * i));
    return to + len;
}

static uint8_t *put_bytes(uint8_t *to, const struct wsp_view *bytes)
{
    if (bytes->len > 0)
        memcpy(to, bytes->data, bytes->len);
    return to + bytes->len;
}

static uint8_t *put_field(uint8_t *to, enum kind kind, const void *value)
{
    const struct wsp_view *view = value;

    switch (kind) {
    case KIND_u8:
    case KIND_flag: return put_le(to, 1, *(const uint8_t *)value);
    case KIND_u16: return put_le(to, 2, *(const uint16_t *)value);
    case KIND_u32: return put_le(to, 4, *(const uint32_t *)value);
    case KIND_u64: return put_le(to, 8, *(const uint64_t *)value);
    case KIND_epoch:
        memcpy(to, value, sizeof(struct wsp_epoch));
        return to + sizeof(struct wsp_epoch);
    case KIND_str: return put_bytes(put_le(to, sizeof(uint16_t), view->len), view);
    case KIND_list:
    case KIND_pairs: return put_bytes(put_le(to, sizeof(uint32_t), view->len), view);
    case KIND_rest: return put_bytes(to, view);
    case KIND_end: break;
    }
    return to;
}

static void put_payload(uint8_t *to, const struct wsp_message *message, const struct type *type)
{
    for (const struct field *field = type->fields; field->kind != KIND_end; field++)
        to = put_field(to, field->kind, message_member(message, field));
}

int wsp_message_encode(struct wsp_buffer *buffer, const struct wsp_message *message)
{
    const struct type *type = type_find(message->type);
    size_t payload_len;
    uint8_t *room;
    int r;

    if (type == NULL)
        return -EINVAL;
    payload_len = size_payload(message, type);
    if (payload_len > WSP_MAX_LOCAL_PAYLOAD)
        return -EMSGSIZE;
    r = wsp_buffer_reserve(buffer, WSP_WIRE_HEADER_LEN + payload_len, &room);
    if (r < 0)
        return r;
    wsp_wire_header_write(room, message->type, message->flags, message->channel, payload_len);
    put_payload(room + WSP_WIRE_HEADER_LEN, message, type);
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
    r = wsp_buffer_reserve(buffer, size_field(KIND_str, &item), &room);
    if (r < 0)
        return r;
    put_field(room, KIND_str, &item);
    wsp_buffer_commit(buffer, size_field(KIND_str, &item));
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
