/* SPDX-License-Identifier: MIT
 *
 * json_span: where a member's value stands in a JSON text, in bytes: nothing is built, copied or
 * allocated, so who looks can splice and leave every other byte as it came.
 * Neighbours: routing finds ids in it, backlog the key of a message that is to be conflated.
 * Invariant: a text is read to its end and judged as RFC 8259 has it before anything in it counts;
 * it costs one pass, no recursion, and no byte outside it is looked at.
 *
 * Names are compared after their escapes are resolved, so "id" and "\u0069d" are the same. Bytes
 * above 0x7F are taken as they stand: text messages have been checked to be UTF-8.
 */
#ifndef WSPLEX_DAEMON_JSON_SPAN_H
#define WSPLEX_DAEMON_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"

enum span_type {
    SPAN_NONE, /* there is none */
    SPAN_OBJECT,
    SPAN_ARRAY,
    SPAN_STRING,
    SPAN_NUMBER,
    SPAN_TRUE,
    SPAN_FALSE,
    SPAN_NULL
};

/* A member of an object: the name is asked for, the rest is found. */
struct json_member {
    struct wsp_view name;  /* as it is without escapes */
    unsigned n;            /* how often the name stands there: more than once is nobody's to read */
    enum span_type type;   /* of the first one's value; SPAN_NONE: there is none */
    struct wsp_view value; /* within the text, with its quotation marks or brackets */
};

/* The type of the whole text, and of each of the members, where it is an object, what stands there;
 * otherwise none of them is found. SPAN_NONE: it is no JSON text, or it is nested deeper than
 * MAX_JSON_DEPTH. */
enum span_type json_find_members(struct wsp_view text, struct json_member *members,
                                 size_t n_members);

/* The value that a JSON pointer (RFC 6901) names. SPAN_NONE, and ret_value untouched: the text is no
 * JSON text, nothing is there, or a name on the way stands there twice. */
enum span_type json_find_pointer(struct wsp_view text, struct wsp_view pointer,
                                 struct wsp_view *ret_value);

/* It is a JSON pointer: nothing, or reference tokens of which each begins with "/" and in which "~"
 * is followed by "0" or "1". */
bool json_pointer_is_valid(struct wsp_view pointer);

#endif
