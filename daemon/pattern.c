/* SPDX-License-Identifier: MIT
 *
 * pattern: messages that are known by their text or by one member; see pattern.h.
 * Between heartbeat and json_span. Invariant: a message is only looked at, never changed.
 */
#include "daemon/pattern.h"

#include <errno.h>
#include <string.h>

#include "daemon/json_span.h"
#include "daemon/limits.h"

/* Where "/pointer=value" has its "=", from the beginning; 0: the pattern is the whole message. */
static size_t equals_at(struct wsp_view pattern)
{
    const uint8_t *equals = NULL;

    if (pattern.len > 0 && pattern.data[0] == '/')
        equals = memchr(pattern.data, '=', pattern.len);
    return equals == NULL ? 0 : (size_t)(equals - pattern.data);
}

/* Divides the reply at its first %{/pointer}: what stands before it, the pointer, what stands behind. The pointer is empty
 * where there is none, and is no valid one where it does not end. */
static void reply_divide(struct wsp_view *reply, struct wsp_view *ret_before,
                         struct wsp_view *ret_pointer)
{
    const uint8_t *begin = memmem(reply->data, reply->len, "%{/", 3);
    size_t before = begin == NULL ? reply->len : (size_t)(begin - reply->data);
    const uint8_t *end;

    wsp_view_take(reply, before, ret_before);
    *ret_pointer = (struct wsp_view){0};
    if (begin == NULL)
        return;
    end = memchr(begin, '}', reply->len);
    if (end == NULL) {
        wsp_view_take(reply, reply->len, ret_pointer);
        return;
    }
    *ret_pointer = (struct wsp_view){begin + 2, (size_t)(end - begin) - 2};
    wsp_view_take(reply, (size_t)(end - begin) + 1, &(struct wsp_view){0});
}

const char *pattern_flaw(struct wsp_view pattern)
{
    struct wsp_view pointer = {pattern.data, equals_at(pattern)};

    if (!json_pointer_is_valid(pointer))
        return "what stands before the = is no JSON pointer, as in /data/type=pong";
    return NULL;
}

const char *reply_flaw(struct wsp_view reply)
{
    struct wsp_view before, pointer;

    while (reply.len > 0) {
        reply_divide(&reply, &before, &pointer);
        if (!json_pointer_is_valid(pointer))
            return "after %{ a JSON pointer and then } must follow, as in {\"pong\":%{/ping}}";
    }
    return NULL;
}

static bool has_member(struct wsp_view message, struct wsp_view pointer, struct wsp_view expected)
{
    struct wsp_view value;

    switch (json_find_pointer(message, pointer, &value)) {
    case SPAN_NONE:
    case SPAN_OBJECT:
    case SPAN_ARRAY: return false;
    case SPAN_STRING: value = (struct wsp_view){value.data + 1, value.len - 2}; break;
    default: break;
    }
    return wsp_view_equals(value, expected);
}

bool pattern_matches(struct wsp_view pattern, struct wsp_view message)
{
    struct wsp_view pointer = {pattern.data, equals_at(pattern)};

    if (pointer.len == 0)
        return wsp_view_equals(message, pattern);
    return has_member(
        message, pointer,
        (struct wsp_view){pattern.data + pointer.len + 1, pattern.len - pointer.len - 1});
}

static int append_member(struct wsp_buffer *to, struct wsp_view message, struct wsp_view pointer)
{
    struct wsp_view value;

    if (json_find_pointer(message, pointer, &value) == SPAN_NONE)
        return 1;
    return wsp_buffer_append(to, value.data, value.len);
}

int reply_new(struct wsp_view reply, struct wsp_view message, char **ret_text)
{
    struct wsp_view before, pointer;
    struct wsp_buffer text;
    char *copy;
    int r = 0;

    wsp_buffer_init(&text, MAX_HEARTBEAT_LEN);
    while (r == 0 && reply.len > 0) {
        reply_divide(&reply, &before, &pointer);
        r = wsp_buffer_append(&text, before.data, before.len);
        if (r == 0 && pointer.len > 0)
            r = append_member(&text, message, pointer);
    }
    if (r == 0) {
        copy = wsp_view_to_string((struct wsp_view){wsp_buffer_peek(&text), wsp_buffer_len(&text)});
        r = copy == NULL ? -ENOMEM : 0;
        if (copy != NULL)
            *ret_text = copy;
    }
    wsp_buffer_deinit(&text);
    return r == -ENOBUFS ? 1 : r;
}
