/*
 * fuzz_local_message: one local frame, decoded and encoded again.
 *
 * The first byte of the input is the sender (odd: client), then type, flags and channel as in a
 * header; the rest is the payload. What decode accepts has only one way to be written, so encode
 * must give the same bytes, but for those that no field has claimed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/message.h"
#include "proto/rules.h"
#include "proto/utf8.h"

#include <stdlib.h>

enum {
    HEAD_LEN = 7,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_items(struct wsp_view list, size_t divisor)
{
    size_t n_items = wsp_local_list_count(list);
    struct wsp_view item;

    require(n_items % divisor == 0);
    while (wsp_local_list_next(&list, &item)) {
        require(wsp_utf8_is_valid(item.data, item.len));
        n_items--;
    }
    require(n_items == 0 && list.len == 0);
}

/* What the header promises of the fields. */
#define CHECK_u8(value)    (void)(value)
#define CHECK_u16(value)   (void)(value)
#define CHECK_u32(value)   (void)(value)
#define CHECK_u64(value)   (void)(value)
#define CHECK_flag(value)  require((value) <= 1)
#define CHECK_epoch(value) (void)(value)
#define CHECK_str(value)   require(wsp_utf8_is_valid((value).data, (value).len))
#define CHECK_list(value)  check_items((value), 1)
#define CHECK_pairs(value) check_items((value), 2)
#define CHECK_rest(value)  require((value).len <= WSP_MAX_LOCAL_PAYLOAD)

#define WSP_FIELD(kind, name) CHECK_##kind(message->name);
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    static void check_##name(const struct wsp_local_##name *message)     \
    {                                                                    \
        (void)message;                                                   \
        fields;                                                          \
    }
#include "proto/messages.def"

static void check(const struct wsp_message *message)
{
    switch (message->type) {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    case number: {                                                       \
        check_##name(&message->name);                                    \
        break;                                                           \
    }
#include "proto/messages.def"
    default: abort();
    }
    if (message->type == WSP_LOCAL_CLOSE && message->close.code != 0)
        require(wsp_close_code_is_for_api(message->close.code));
    if (message->type == WSP_LOCAL_OPEN)
        require(message->open.sharing <= WSP_SHARING_SHARED);
}

static void check_encoding(const struct wsp_wire_frame *frame, const struct wsp_message *message)
{
    uint8_t header[WSP_WIRE_HEADER_LEN];
    struct wsp_buffer buffer;
    struct wsp_view written;
    struct wsp_view part;

    wsp_buffer_init(&buffer, WSP_WIRE_MAX_FRAME);
    require(wsp_message_encode(&buffer, message) == 0);
    written = (struct wsp_view){wsp_buffer_peek(&buffer), wsp_buffer_len(&buffer)};
    wsp_wire_header_write(header, frame->type, frame->flags, frame->channel,
                          written.len - WSP_WIRE_HEADER_LEN);
    require(wsp_view_take(&written, WSP_WIRE_HEADER_LEN, &part));
    require(wsp_view_equals(part, (struct wsp_view){header, sizeof(header)}));
    /* Optional fields that were missing are written as 0 or empty, which is zeros. */
    for (size_t i = 0; i < written.len; i++)
        require(written.data[i] == (i < frame->payload.len ? frame->payload.data[i] : 0));
    wsp_buffer_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wsp_wire_frame frame;
    struct wsp_message message;
    enum wsp_side from;
    int r;

    if (len < HEAD_LEN || len - HEAD_LEN > WSP_MAX_LOCAL_PAYLOAD)
        return 0;
    from = (data[0] & 1) != 0 ? WSP_SIDE_CLIENT : WSP_SIDE_DAEMON;
    frame = (struct wsp_wire_frame){
        .type = data[1],
        .flags = data[2] & (WSP_WIRE_MORE | WSP_WIRE_MUST_UNDERSTAND),
        .channel = (uint32_t)data[3] | (uint32_t)data[4] << 8 | (uint32_t)data[5] << 16 |
                   (uint32_t)data[6] << 24,
        .payload = {data + HEAD_LEN, len - HEAD_LEN},
    };
    r = wsp_message_decode(&frame, from, &message);
    require(r >= 0);
    if (r != 0)
        return 0;
    check(&message);
    check_encoding(&frame, &message);
    return 0;
}
