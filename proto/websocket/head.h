/*
 * head: the head of an HTTP/1.1 message, read piece by piece (RFC 9112): start line and fields.
 *
 * On the way of a connection it stands between the transport's bytes and handshake.h, which judges
 * the upgrade; the daemon's proxy reads the answer to CONNECT with it too.
 *
 * Invariant: the result depends on the bytes alone, never on how they were cut, and nothing grows
 * past max_bytes and max_fields.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_HEAD_H
#define WSPLEX_PROTO_WEBSOCKET_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/pull.h"
#include "proto/websocket/field.h"

enum wsp_head_kind {
    WSP_HEAD_REQUEST,
    WSP_HEAD_RESPONSE,
};

/* X(name, text): what may be wrong with a head. */
#define WSP_HEAD_FLAWS(X)                                                   \
    X(SOUND, "nothing is wrong with the HTTP head")                         \
    X(TOO_LARGE, "the HTTP head is larger than the limit")                  \
    X(TOO_MANY_FIELDS, "the HTTP head has more fields than the limit")      \
    X(BAD_REQUEST_LINE, "the first line is not an HTTP request line")       \
    X(BAD_STATUS_LINE, "the first line is not an HTTP status line")         \
    X(BAD_VERSION, "the HTTP version is not 1.x")                           \
    X(BAD_FIELD, "a header field has no colon, or its name is not a token") \
    X(BAD_BYTE, "the HTTP head has a NUL or a CR that ends no line")        \
    X(BAD_FOLD, "the HTTP head has whitespace before its first field")

enum wsp_head_flaw {
#define WSP_HEAD_FLAW(name, text) WSP_HEAD_##name,
    WSP_HEAD_FLAWS(WSP_HEAD_FLAW)
#undef WSP_HEAD_FLAW
};

struct wsp_head_span {
    uint32_t at;
    uint32_t len;
};

struct wsp_head_line {
    struct wsp_head_span name;
    struct wsp_head_span value;
};

/* Everything in it is private but what the functions below give out. */
struct wsp_head {
    enum wsp_head_kind kind;
    enum wsp_head_flaw flaw;
    bool has_start;
    bool is_whole;
    uint8_t version_minor;
    uint16_t status;
    struct wsp_head_span start[2]; /* method and target, or nothing and the reason phrase */
    size_t line_at;                /* where the line under way begins in bytes */
    struct wsp_buffer bytes;
    struct wsp_head_line *lines;
    size_t n_lines; /* fields; folded lines belong to the one they continue */
    size_t n_room;
    size_t max_fields;
    struct wsp_view input;
};

/*
 * Begins an empty head. At most max_bytes are kept of it and at most max_fields fields; a larger
 * one is broken. Allocates nothing.
 */
void wsp_head_init(struct wsp_head *head, enum wsp_head_kind kind, size_t max_bytes,
                   size_t max_fields);
void wsp_head_deinit(struct wsp_head *head);

/*
 * Forgets the head that was read, keeps limits, memory and what is left of the input: the next head
 * on the same connection follows (a 1xx answer before the final one).
 */
void wsp_head_restart(struct wsp_head *head);

/* Lends input to the head until it is used up or fed anew. */
void wsp_head_feed(struct wsp_head *head, struct wsp_view input);

/*
 * Reads on in what was fed.
 *
 * 0           the head is whole: the functions below speak. Said again at every further call.
 * WSP_MORE    all input is used up, feed more.
 * WSP_BROKEN  this is no head that may be used; see wsp_head_get_flaw(). It stays so.
 * -ENOMEM     nothing is lost, the call may be repeated.
 *
 * Leniency as RFC 9112 has it: a bare LF ends a line (section 2.2); a folded line is joined with
 * spaces (5.2); a request may follow empty lines (2.2); a missing reason phrase may lack its space
 * (4). Whitespace before the colon is refused (5.1), bytes that are not ASCII in values are kept.
 */
int wsp_head_next(struct wsp_head *head);

/* What of the fed input comes after the head, in the caller's memory. */
struct wsp_view wsp_head_rest(const struct wsp_head *head);

enum wsp_head_flaw wsp_head_get_flaw(const struct wsp_head *head);
const char *wsp_head_flaw_to_string(enum wsp_head_flaw flaw);

/* The parts of a whole head. All views point into the head and live until restart or deinit. */
struct wsp_view wsp_head_method(const struct wsp_head *head);
struct wsp_view wsp_head_target(const struct wsp_head *head);
struct wsp_view wsp_head_reason(const struct wsp_head *head);
static inline unsigned wsp_head_status(const struct wsp_head *head)
{
    return head->status; /* 100 to 999 */
}
static inline unsigned wsp_head_minor(const struct wsp_head *head)
{
    return head->version_minor; /* 0 for HTTP/1.0 */
}
static inline size_t wsp_head_n_fields(const struct wsp_head *head)
{
    return head->n_lines;
}
struct wsp_field wsp_head_field(const struct wsp_head *head, size_t index);

/*
 * The value of the first field called name (any case) with an index of at least *index; false when
 * there is none. *index then is the one after it, so that a loop finds all of them. index may be
 * NULL for "the first".
 */
bool wsp_head_find(const struct wsp_head *head, const char *name, size_t *index,
                   struct wsp_view *ret_value);

/* The value of the one field called name; false when there is none, or more than one. */
bool wsp_head_find_only(const struct wsp_head *head, const char *name, struct wsp_view *ret_value);

/* How many fields are called name. */
size_t wsp_head_count(const struct wsp_head *head, const char *name);

/*
 * Walks over the elements of a list-valued field, as wsp_list_next() takes them, across all fields
 * of that name: `Connection: keep-alive, Upgrade`.
 */
struct wsp_head_list {
    const struct wsp_head *head;
    const char *name;
    size_t index;
    struct wsp_view value;
};

struct wsp_head_list wsp_head_list(const struct wsp_head *head, const char *name);
bool wsp_head_list_next(struct wsp_head_list *list, struct wsp_view *ret_element);

/* Whether token (any case) is one of the elements of the list-valued field called name. */
bool wsp_head_list_has(const struct wsp_head *head, const char *name, const char *token);

#endif
