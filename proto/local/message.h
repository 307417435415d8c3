/*
 * message: what is in the frames of the local protocol, typed encode and decode.
 *
 * On the way of a message it stands between local/wire, which finds frames in the stream, and the
 * objects of daemon, library and ctl, which act on them. Invariant: what decode accepts obeys
 * messages.def in every field. What depends on the state of a connection or a channel is for their
 * owners to judge.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_LOCAL_MESSAGE_H
#define WSP_PROTO_LOCAL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/local/errors.h"
#include "proto/local/wire.h"

/* The minor version that this code speaks. */
enum {
    WSP_LOCAL_MINOR = 0,
};

enum wsp_local_type {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) WSP_LOCAL_##NAME = number,
#include "proto/messages.def"
};

/* Field sharing of OPEN. */
enum wsp_sharing {
    WSP_SHARING_DEFAULT = 0, /* as the endpoint says; with a free URL: private */
    WSP_SHARING_PRIVATE = 1,
    WSP_SHARING_SHARED = 2,
};

/* Field denied of OPENED, bits: what this channel may not. */
enum wsp_denied {
    WSP_DENIED_SEND = 1,    /* a message or subscription of its own fails it: RECEIVE_ONLY */
    WSP_DENIED_RECEIVE = 2, /* no message will come */
};

/* Names one run of an upstream's message numbers; only ever compared for being equal. */
struct wsp_epoch {
    uint8_t bytes[16];
};

/*
 * struct wsp_local_hello, wsp_local_open and so on: the fields of each type. Views borrow; those of
 * kind list and pairs are for wsp_local_list_next(), and made by wsp_local_list_append(). A text
 * may hold any character, U+0000 and controls too.
 */
#define WSP_LOCAL_C_u8        uint8_t
#define WSP_LOCAL_C_u16       uint16_t
#define WSP_LOCAL_C_u32       uint32_t
#define WSP_LOCAL_C_u64       uint64_t
#define WSP_LOCAL_C_flag      uint8_t
#define WSP_LOCAL_C_epoch     struct wsp_epoch
#define WSP_LOCAL_C_str       struct wsp_view
#define WSP_LOCAL_C_list      struct wsp_view
#define WSP_LOCAL_C_pairs     struct wsp_view
#define WSP_LOCAL_C_rest      struct wsp_view
#define WSP_FIELD(kind, name) WSP_LOCAL_C_##kind name;
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    struct wsp_local_##name {                                            \
        fields                                                           \
    };
#include "proto/messages.def"

/* One frame: what its header says, and the member of the union that has the name of its type. */
struct wsp_message {
    uint8_t type;     /* enum wsp_local_type */
    uint8_t flags;    /* enum wsp_wire_flags */
    uint32_t channel; /* 0: the connection */
    union {
#define WSP_LOCAL(number, NAME, name, from, scope, shape, since, fields) \
    struct wsp_local_##name name;
#include "proto/messages.def"
    };
};

/* Who sent a frame. */
enum wsp_side {
    WSP_SIDE_CLIENT = 1,
    WSP_SIDE_DAEMON = 2,
};

/* What decode says of a frame that is unknown and harmless; not the number of any error. */
enum {
    WSP_SKIP = 0x10000,
};

/*
 * Reads a frame that the given side has sent. The views in *ret_message point into the frame's
 * payload and live as long as that.
 *
 *   0          *ret_message is set; texts are UTF-8, lists are whole, values are allowed ones. The
 *              payload of TEXT is not looked at: a piece may end within a character.
 *   WSP_SKIP   the type is unknown and may be ignored
 *   else       an enum wsp_fatal: NOT_UNDERSTOOD, WRONG_DIRECTION, BAD_CHANNEL, BAD_HEADER (MORE on
 *              a type that is always whole) or BAD_PAYLOAD
 *
 * Bytes behind the last field are ignored: there a later minor version puts its new fields. An
 * optional field that the payload ends before is 0 or empty.
 */
int wsp_message_decode(const struct wsp_wire_frame *frame, enum wsp_side from,
                       struct wsp_message *ret_message);

/*
 * Appends a frame, header and payload, to a buffer. A member left zero is written as 0 or as empty.
 * The values are the caller's to get right; only their lengths are checked.
 *
 *   -EINVAL    there is no such type
 *   -EMSGSIZE  a str is longer than 65535 bytes, or the payload longer than WSP_MAX_LOCAL_PAYLOAD
 *   -ENOBUFS, -ENOMEM   as wsp_buffer_append()
 *
 * On failure the queue is as it was.
 */
int wsp_message_encode(struct wsp_buffer *buffer, const struct wsp_message *message);

/* The name of a type as messages.def has it ("OPEN"), or "unknown". Static. */
const char *wsp_message_type_to_string(unsigned int type);

/*
 * Appends an item to the bytes of a list, a view of which then is the field of kind list or pairs.
 * -EMSGSIZE when it is longer than 65535 bytes; -ENOBUFS, -ENOMEM. On failure the queue is as it
 * was.
 */
int wsp_local_list_append(struct wsp_buffer *buffer, struct wsp_view item);

/*
 * The same for each of the strings, which end with a zero. On failure those before the one that
 * failed are in the list.
 */
int wsp_local_list_append_strings(struct wsp_buffer *buffer, const char *const *strings,
                                  size_t n_strings);

/*
 * Takes the first item off a list that decode has accepted or that wsp_local_list_append() made.
 * False, and nothing else, when the list is empty.
 */
bool wsp_local_list_next(struct wsp_view *list, struct wsp_view *ret_item);

/* The number of items of such a list. */
size_t wsp_local_list_count(struct wsp_view list);

#endif
